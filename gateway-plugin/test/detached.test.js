import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { afterEach, test } from "node:test";

import { readLock } from "../src/run/lock.js";
import { FakeGateway, VERSIONS, isAlive, until } from "./support/api.js";
import { COMMAND, settings, temporaryFolder } from "./support/sidecar.js";

const [, NEW] = VERSIONS;
const folders = [];
const gateways = [];

afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
  for (const folder of folders.splice(0)) {
    const lock = readLock(path.join(folder, "voice-calls"));
    if (lock) process.kill(lock.pid, "SIGKILL");
  }
});

function folder() {
  folders.push(temporaryFolder());
  return folders.at(-1);
}

async function started(stateDir, config, options = {}) {
  const gateway = new FakeGateway(NEW, { config, stateDir, ...options });
  gateways.push(gateway);
  await gateway.start();
  return gateway;
}

const running = (stateDir) => readLock(path.join(stateDir, "voice-calls"));
const detached = (more = {}) => settings({ ...more, sidecar: { mode: "detached", command: COMMAND } });

test("a detached sidecar and its call outlive the Gateway: the caller holds, and the talk goes on", async () => {
  const stateDir = folder();
  const config = detached({ mock: { replies: ["Are you there?"], speed: 20 } });
  let asked;
  const silence = new Promise((resolve) => (asked = resolve));
  const first = await started(stateDir, config, {
    agent: async function* ({ message }) {
      if (message === "Are you there?") {
        asked();
        await new Promise(() => {});
      }
      yield "NO_REPLY";
    },
  });
  const { details } = await first.tool({ action: "initiate_call", message: "Hi.", mode: "conversation" });
  const { callId } = details;
  await silence;
  const { pid } = running(stateDir);
  await first.stop();
  assert.ok(isAlive(pid));

  const second = await started(stateDir, config, { agent: () => ["I am back."] });
  assert.equal(running(stateDir).pid, pid);
  await second.event("call-speaking", ({ text }) => text === "I am back.");
  await second.event("call-utterance", ({ heardText }) => heardText === "I am back.");
  const { payload } = await second.request("voicecall.status", { callId });
  const said = payload.call.transcript.map(({ text }) => text);
  assert.ok(said.some((text) => text.includes("hold the line")), said.join(" | "));
  await second.request("voicecall.end", { callId });
  const note = await until(() => second.runs.find(({ message }) => message.includes("has ended")), "the note");
  assert.match(note.message, /They: Are you there\?[\s\S]*We: I am back\./);
});

test("a call that ended while no Gateway ran is told to its session, once", async () => {
  const stateDir = folder();
  const config = detached({ mock: { speed: 1, ringMs: 50, answerMs: 50, wordsPerMinute: 600 }, outbound: { notifyHangupDelaySec: 0 } });
  const first = await started(stateDir, config);
  const { details } = await first.tool({ action: "initiate_call", message: "Your table is booked.", mode: "notify" });
  assert.ok(details.callId);
  await first.stop();
  await new Promise((resolve) => setTimeout(resolve, 1_500));

  const second = await started(stateDir, config);
  await until(() => second.runs.some(({ message }) => message.includes(details.callId)), "the note");
  await second.stop();
  const third = await started(stateDir, config);
  await third.request("voicecall.status", {});
  await new Promise((resolve) => setTimeout(resolve, 300));
  const notes = [...first.runs, ...second.runs, ...third.runs].filter(({ message }) => message.includes("has ended"));
  assert.equal(notes.length, 1);
});

test("a new configuration replaces the detached sidecar, but not under a call", async () => {
  const stateDir = folder();
  const first = await started(stateDir, detached());
  const { payload } = await first.request("voicecall.initiate", { message: "Hi." });
  const { pid } = running(stateDir);
  await first.stop();
  const second = await started(stateDir, detached({ maxConcurrentCalls: 9 }));
  await second.request("voicecall.status", {});
  assert.equal(running(stateDir).pid, pid, "replaced under a call");
  await second.request("voicecall.end", { callId: payload.callId });
  await until(() => !isAlive(pid), "the replacement");
  const { ok } = await second.request("voicecall.status", {});
  assert.ok(ok);
  assert.notEqual(running(stateDir).pid, pid);
});

test("secrets reach a detached sidecar by no file and no argument", async () => {
  const stateDir = folder();
  const secret = "not-a-real-secret-5c1";
  await started(stateDir, detached({ telnyx: { apiKey: secret, connectionId: "1", publicKey: "x" } }));
  const { pid } = running(stateDir);
  assert.doesNotMatch(fs.readFileSync(`/proc/${pid}/cmdline`, "latin1"), new RegExp(secret));
  const files = fs.readdirSync(path.join(stateDir, "voice-calls"));
  for (const file of files) {
    const text = fs.readFileSync(path.join(stateDir, "voice-calls", file), "latin1");
    assert.doesNotMatch(text, new RegExp(secret), file);
  }
});

test("a detached sidecar that died is started again", async () => {
  const stateDir = folder();
  const gateway = await started(stateDir, detached());
  const { pid } = running(stateDir);
  process.kill(pid, "SIGKILL");
  await until(() => running(stateDir) && running(stateDir).pid !== pid, "another");
  assert.ok((await gateway.request("voicecall.status", {})).ok);
});

test("attached, the plugin is one client of a sidecar that something else runs", async () => {
  const stateDir = folder();
  const config = path.join(stateDir, "own.json");
  fs.writeFileSync(config, JSON.stringify({ ...settings(), sidecar: undefined }));
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), "serve", "--ws", "127.0.0.1:0", "--config", config], {
    env: { ...process.env, OPENCLAW_STATE_DIR: stateDir },
    stdio: "ignore",
  });
  const { url, tokenFile } = await until(() => running(stateDir), "the sidecar");
  const gateway = await started(folder(), settings({ sidecar: { mode: "attach", url, tokenFile } }));
  const { ok, payload } = await gateway.request("voicecall.initiate", { message: "Hi." });
  assert.ok(ok);
  await gateway.event("call-listening", ({ callId }) => callId === payload.callId);
  await gateway.stop();
  assert.ok(isAlive(child.pid));
  child.kill("SIGTERM");
});

test("attached to nothing, the plugin says what is missing", async () => {
  const gateway = await started(folder(), settings({ sidecar: { mode: "attach" } }));
  assert.ok(gateway.health.some((line) => line.includes("set sidecar.url")));
});
