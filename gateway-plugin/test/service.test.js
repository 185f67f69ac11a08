import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { afterEach, test } from "node:test";

import { METHODS } from "../src/contract.js";
import { current } from "../src/singleton.js";
import { FakeGateway, VERSIONS, isAlive, until } from "./support/api.js";
import { TO, settings, temporaryFolder } from "./support/sidecar.js";

const open = [];
// A test that failed has left its Gateway open; the next one must not find its sidecar.
afterEach(() => Promise.all(open.splice(0).map((gateway) => gateway.stop())));

async function started(version, options = {}) {
  const gateway = new FakeGateway(version, { config: settings(options.config), ...options.gateway });
  open.push(gateway);
  await gateway.start();
  return gateway;
}

async function dialled(gateway, params = {}) {
  const { ok, payload, error } = await gateway.request("voicecall.initiate", { message: "Hello.", ...params });
  assert.ok(ok, JSON.stringify(error));
  return payload.callId;
}

for (const version of VERSIONS) {
  test(`${version}: registering starts nothing, however often`, () => {
    const gateway = new FakeGateway(version, { config: settings() });
    for (let time = 0; time < 3; time += 1) gateway.register();
    assert.equal(current(), null);
    for (const method of METHODS) assert.ok(gateway.options.get(method).scope, method);
    assert.deepEqual(gateway.log, []);
  });

  test(`${version}: methods answer, and errors keep kind, retryability and details`, async () => {
    const gateway = await started(version);
    const status = await gateway.request("voicecall.status", {});
    assert.deepEqual(status, { ok: true, payload: { calls: [] }, error: undefined });
    const { ok, payload, error } = await gateway.request("voicecall.end", { callId: "nope" });
    assert.equal(ok, false);
    assert.equal(error.code, "INVALID_REQUEST");
    assert.equal(error.details.kind, "callNotFound");
    assert.equal(error.details.code, -32001);
    assert.equal(error.retryable, false);
    assert.equal(payload.error, error.message);
    const wrong = await gateway.request("voicecall.end", { callId: 5 });
    assert.equal(wrong.error.details.errors[0].field, "callId");
    await gateway.stop();
  });

  test(`${version}: before and after its service there is a plain answer`, async () => {
    const gateway = await started(version);
    await gateway.stop();
    const { error } = await gateway.request("voicecall.status", {});
    assert.equal(error.code, "UNAVAILABLE");
    assert.equal(error.retryable, true);
    const { details } = await gateway.tool({ action: "get_status", callId: "x" });
    assert.match(details.error, /not running/);
  });

  test(`${version}: a request that comes before the service begins waits for it`, async () => {
    const gateway = new FakeGateway(version, { config: settings() });
    open.push(gateway);
    delete globalThis[Symbol.for("voice-call-sidecar.house")];
    gateway.service = gateway.register();
    const early = gateway.request("voicecall.status", {});
    await gateway.service.start(gateway.context());
    assert.deepEqual((await early).payload, { calls: [] });
    await gateway.stop();
  });

  test(`${version}: one sidecar however often the service is started`, async () => {
    const gateway = await started(version);
    const { pid } = current();
    const second = gateway.register();
    await second.start(gateway.context());
    assert.equal(current().pid, pid);
    await gateway.service.stop(gateway.context());
    assert.equal(current().pid, pid, "the first registration closed what the second had taken over");
    await second.stop(gateway.context());
    assert.equal(current(), null);
    assert.equal(isAlive(pid), false);
  });

  test(`${version}: another configuration gives another sidecar`, async () => {
    const gateway = await started(version);
    const { pid } = current();
    gateway.config.plugins.entries["voice-call-sidecar"].config = settings({ toNumber: "+15550009999" });
    const second = gateway.register();
    await second.start(gateway.context());
    assert.notEqual(current().pid, pid);
    assert.equal(isAlive(pid), false);
    await second.stop(gateway.context());
  });

  test(`${version}: events reach the Gateway's clients under one name`, async () => {
    const gateway = await started(version);
    const callId = await dialled(gateway);
    const ringing = await gateway.event("call-ringing", (event) => event.callId === callId);
    assert.equal(ringing.type, "call.ringing");
    await gateway.request("voicecall.end", { callId });
    const ended = await gateway.event("call-ended");
    assert.equal(ended.call.callId, callId);
    await gateway.stop();
  });

  test(`${version}: the agent answers the caller, in the call's session, as it writes`, async () => {
    const asked = [];
    const agent = async function* (run) {
      if (run.message.startsWith("[Telephone]")) return yield "NO_REPLY";
      asked.push(run);
      yield "Tomorrow ";
      yield "at nine. ";
      yield "Goodbye.";
    };
    const mock = { replies: ["An appointment, please."], speed: 10 };
    const config = { mock, responseSystemPrompt: "Be brief." };
    const gateway = await started(version, { config, gateway: { agent } });
    const callId = await dialled(gateway);
    const spoken = (event) => event.text?.includes("Tomorrow at nine.");
    await gateway.event("call-speaking", spoken);
    assert.equal(asked.length, 1);
    assert.equal(asked[0].sessionKey, "agent:main:voice:15550001234");
    assert.equal(asked[0].message, "An appointment, please.");
    assert.equal(asked[0].deliver, false);
    assert.match(asked[0].extraSystemPrompt, /^Be brief\./);
    assert.match(asked[0].extraSystemPrompt, new RegExp(`call ${callId}`));
    assert.match(asked[0].extraSystemPrompt, /You: Hello\./);
    const warm = gateway.runs.filter((run) => run.message.startsWith("[Telephone]"));
    assert.equal(warm.length, 1, "the session was warmed once");
    assert.equal(warm[0].sessionKey, "agent:main:voice:15550001234");
    await gateway.stop();
  });

  test(`${version}: the tool places a call, and its session is told the end once`, async () => {
    const gateway = await started(version);
    const wish = { action: "initiate_call", to: TO, message: "Your table is booked.", mode: "notify" };
    const { details } = await gateway.tool(wish, "agent:main:telegram:7");
    assert.ok(details.callId, JSON.stringify(details));
    await gateway.tool({ action: "end_call", callId: details.callId }, "agent:main:telegram:7");
    const note = await until(
      () => gateway.runs.find(({ message }) => message.includes("has ended")),
      "the note",
    );
    assert.equal(note.sessionKey, "agent:main:telegram:7");
    assert.equal(note.deliver, true);
    assert.match(note.message, /hangup-bot/);
    await gateway.stop();
    await gateway.start();
    await gateway.request("voicecall.status", {});
    const notes = gateway.runs.filter(({ message }) => message.includes("has ended"));
    assert.equal(notes.length, 1);
    await gateway.stop();
  });

  test(`${version}: the older form of asking for a note works, and other params are passed on`, async () => {
    const gateway = await started(version);
    const callId = await dialled(gateway, { requesterSessionKey: "agent:main:main", mode: "notify" });
    await gateway.request("voicecall.end", { callId });
    await until(() => gateway.runs.some(({ message }) => message.includes(callId)), "the note");
    const { error } = await gateway.request("voicecall.status", { requesterSessionKey: "x" });
    assert.equal(error.details.kind, "invalidParams");
    await gateway.stop();
  });

  test(`${version}: a failing tool is a result`, async () => {
    const gateway = await started(version);
    const { content, details } = await gateway.tool({ action: "end_call", callId: "nope" });
    assert.equal(details.kind, "callNotFound");
    assert.equal(JSON.parse(content[0].text).error, details.error);
    await gateway.stop();
  });

  test(`${version}: an agent that hangs up in its reply is heard out`, async () => {
    const agent = async function* (run) {
      if (run.message.startsWith("[Telephone]")) return;
      const callId = /callId (\S+)\.$/m.exec(run.extraSystemPrompt)[1];
      const { details } = await gateway.tool({ action: "end_call", callId }, run.sessionKey);
      assert.deepEqual(details, { success: true });
      yield "Thank you, goodbye.";
    };
    const config = { mock: { replies: ["That is all."], speed: 20 } };
    const gateway = await started(version, { config, gateway: { agent } });
    await dialled(gateway);
    const { call } = await gateway.event("call-ended");
    assert.equal(call.endReason, "hangup-bot");
    const last = call.transcript.at(-1);
    assert.equal(last.text, "Thank you, goodbye.");
    assert.equal(last.interrupted, undefined);
    await gateway.stop();
  });

  test(`${version}: the model that is asked for is used`, async () => {
    const config = { mock: { replies: ["Hello?"] }, responseModel: "mock/m2" };
    const seen = [];
    const agent = async function* (run) {
      const hook = gateway.hooks.get("before_model_resolve");
      if (!run.message.startsWith("[Telephone]")) {
        const { sessionKey, provider, model } = run;
        seen.push(gateway.isOld ? hook({}, { sessionKey }) : { provider, model });
      }
      yield "Yes.";
    };
    const gateway = await started(version, { config, gateway: { agent } });
    await dialled(gateway);
    await gateway.event("call-speaking", ({ text }) => text === "Yes.");
    const wanted = gateway.isOld
      ? { modelOverride: "m2", providerOverride: "mock" }
      : { provider: "mock", model: "m2" };
    assert.deepEqual(seen, [wanted]);
    assert.equal(gateway.isOld, gateway.hooks.has("before_model_resolve"));
    await gateway.stop();
  });

  test(`${version}: a wrong configuration is told to whoever asks`, async () => {
    const config = { inboundPolicy: "sometimes" };
    const gateway = await started(version, { config });
    const { error } = await gateway.request("voicecall.status", {});
    assert.equal(error.details.kind, "notConfigured");
    assert.match(error.message, /inboundPolicy/);
    await gateway.stop();
  });

  test(`${version}: a configuration of the bundled plugin works unchanged`, async () => {
    const bundled = JSON.parse(
      fs.readFileSync(path.join(import.meta.dirname, "support/bundled.json"), "utf8"),
    );
    const file = path.join(temporaryFolder(), "openclaw.json");
    const entries = { "voice-call-sidecar": { config: bundled } };
    fs.writeFileSync(file, JSON.stringify({ plugins: { entries } }));
    process.env.OPENCLAW_CONFIG_PATH = file;
    const gateway = await started(version, { config: bundled });
    delete process.env.OPENCLAW_CONFIG_PATH;
    const { ok, payload, error } = await gateway.request("voicecall.setup", {});
    assert.ok(ok, JSON.stringify(error));
    assert.equal(payload.provider, "mock");
    await gateway.stop();
  });

  test(`${version}: a killed sidecar is replaced and calls are placed again`, async () => {
    const gateway = await started(version);
    const { pid } = current();
    process.kill(pid, "SIGKILL");
    await until(() => current().pid !== pid, "the death");
    await dialled(gateway);
    if (!gateway.isOld) assert.deepEqual(gateway.health.at(-1), "ok");
    await gateway.stop();
  });
}
