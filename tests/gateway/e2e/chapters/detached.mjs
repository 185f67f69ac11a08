// A detached sidecar: calls and their events outlive the Gateway.

import assert from "node:assert/strict";
import fs from "node:fs";

import { isAlive, until } from "../gateway.mjs";
import { listening, say, settings } from "./kit.mjs";

async function answered(story, client, callId, words, answer) {
  const since = client.mark;
  await say(story, client, callId, words);
  const isAnswer = ({ event, payload }) => event.endsWith("call-speaking") && payload.text === answer;
  await client.event(isAnswer, { since, timeoutMs: 90_000, what: "the answer" });
}

export async function detachedRestart(story) {
  const { gateway, model, root } = story;
  await gateway.stop();
  gateway.settings = settings(root, { sidecar: { mode: "detached" }, maxDurationSeconds: 900 });
  await gateway.start();
  const client = await gateway.client();
  model.when(({ user }) => user.includes("Are you there"), ["Yes, I am here."]);
  const callId = await listening(client, { requesterSessionKey: "agent:main:main" });
  const { pid } = gateway.lock;
  await answered(story, client, callId, "Are you there one?", "Yes, I am here.");
  const { code } = await gateway.stop();
  assert.equal(code, 0);
  assert.ok(isAlive(pid), "the sidecar ended with the Gateway");

  await gateway.start();
  assert.equal(gateway.lock.pid, pid);
  const again = await gateway.client();
  await answered(story, again, callId, "Are you there two?", "Yes, I am here.");
  await again.request("voicecall.end", { callId });
  await until(() => model.said(`(${callId}) has ended`).length, "the note", 60_000);
}

/** The Gateway dies while its agent thinks: the caller hears a holding phrase, and the talk goes on. */
export async function detachedCrash(story) {
  const { gateway, model } = story;
  const client = await gateway.client();
  model.when(({ user }) => user.includes("Think hard"), "hang");
  const callId = await listening(client, { requesterSessionKey: "agent:main:main" });
  const { pid } = gateway.lock;
  await say(story, client, callId, "Think hard.");
  await until(() => model.said("Think hard").length, "the question", 60_000);
  model.when(({ user }) => user.includes("Think hard"), ["I have thought."]);
  // A Gateway may put the words that were not answered before those that follow.
  model.when(({ user }) => user.includes("there still"), ["Yes, I am here."]);
  await gateway.stop("SIGKILL");
  await gateway.start();
  assert.equal(gateway.lock.pid, pid);
  const again = await gateway.client();
  await answered(story, again, callId, "Are you there still?", "Yes, I am here.");
  const { call } = await again.request("voicecall.status", { callId });
  const said = call.transcript.map(({ text }) => text).join(" | ");
  assert.match(said, /hold the line/);
  await again.request("voicecall.end", { callId });
  const told = () => model.said(`(${callId}) has ended`);
  await until(() => told().length, "the note", 60_000);
  assert.equal(told().length, 1);
  await gateway.stop();
  assert.ok(isAlive(pid));
  process.kill(pid, "SIGTERM");
  await until(() => !isAlive(pid), "the end of the sidecar");
  assert.ok(fs.existsSync(gateway.store));
}
