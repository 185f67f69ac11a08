// Everything is forwarded: methods, events, the tool, the command line.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";

import { until } from "../gateway.mjs";
import { TO, percentile } from "./kit.mjs";

const ROUNDS = 300;

export async function methods({ gateway, root, figures }) {
  const client = await gateway.client();
  const index = JSON.parse(readFileSync(path.join(root, "schemas/methods.json"), "utf8"));
  for (const { method, direction } of index) {
    if (direction !== "clientToSidecar" || !method.startsWith("voicecall.")) continue;
    assert.ok(client.hello.features.methods.includes(method), method);
  }
  const error = await client.refused("voicecall.end", { callId: "nope" });
  assert.equal(error.code, "INVALID_REQUEST");
  assert.equal(error.details.kind, "callNotFound");
  assert.equal(error.details.retryable, false);
  const wrong = await client.refused("voicecall.dtmf", { callId: "x", digits: "%" });
  assert.equal(wrong.details.errors[0].field, "digits");

  const times = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const began = performance.now();
    await client.request("voicecall.status");
    times.push(performance.now() - began);
  }
  figures.roundTripP50Ms = percentile(times, 0.5);
  figures.roundTripP95Ms = percentile(times, 0.95);
}

export async function events({ gateway }) {
  const client = await gateway.client();
  const { callId } = await client.request("voicecall.initiate", { message: "A note.", mode: "notify" });
  const ended = await client.call("call-ended", callId);
  assert.equal(ended.reason, "hangup-bot");
  const types = client.events
    .filter(({ event, payload }) => event.startsWith("plugin.voice-call-sidecar.") && payload.callId === callId)
    .map(({ payload }) => payload.type);
  const wanted = ["initiated", "ringing", "answered", "active", "speaking", "utterance", "ended"];
  assert.deepEqual(types, wanted.map((name) => `call.${name}`));
}

/** With and without a model in between. */
export async function tool({ gateway, model }) {
  const client = await gateway.client();
  const refused = await gateway.tool({ action: "end_call", callId: "nope" });
  assert.equal(refused.details.kind, "callNotFound");

  model.when(({ user }) => user.includes("Please ring the baker"), {
    tool: "voice_call",
    args: { action: "initiate_call", to: TO, message: "Two loaves, please.", mode: "notify" },
  });
  model.when(({ role, user }) => role === "tool" && user.includes("initiated"), ["I am calling the baker."]);
  const since = client.mark;
  const { result } = await client.request(
    "agent",
    {
      sessionKey: "agent:main:main",
      message: "Please ring the baker.",
      idempotencyKey: `e2e-${Date.now()}`,
    },
    { final: true, timeoutMs: 120_000 },
  );
  assert.match(JSON.stringify(result.payloads), /I am calling the baker/);
  const { callId } = await client.call("call-ended", undefined, { since });
  const note = await until(() => model.said(`(${callId}) has ended`)[0], "the note", 60_000);
  assert.match(note.user, /We: Two loaves, please\./);
  assert.ok(note.tools.includes("voice_call"));
}

export async function commandLine({ gateway }) {
  const call = await gateway.cli(["voicecall", "call", "-m", "Hi.", "--mode", "notify", "--follow"]);
  assert.equal(call.code, 0, call.stderr);
  const [first, ...rest] = call.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(first.callId);
  assert.equal(rest.at(-1).type, "call.ended");
  const status = await gateway.cli(["voicecall", "status", "--call-id", first.callId, "--json"]);
  assert.equal(JSON.parse(status.stdout).call.endReason, "hangup-bot");
  const end = await gateway.cli(["voicecall", "end", "--call-id", "nope"]);
  assert.equal(end.code, 1);
  assert.equal(JSON.parse(end.stdout).error.data.kind, "callNotFound");
  const usage = await gateway.cli(["voicecall", "end"]);
  assert.equal(usage.code, 2);
}
