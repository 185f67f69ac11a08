import assert from "node:assert/strict";
import { test } from "node:test";

import { METHODS } from "../src/contract.js";
import { StdioRunner } from "../src/run/stdio.js";
import { Supervisor } from "../src/run/supervisor.js";
import { isAlive, until } from "./support/api.js";
import { naughty, temporaryFolder } from "./support/sidecar.js";

const FAST = { backoffMs: 1, backoffMaxMs: 20, patienceMs: 3_000 };

function supervisor(way, times = {}) {
  const log = [];
  const write = (text) => log.push(text);
  const logger = { debug: write, info: write, warn: write, error: write };
  const { command } = way.command ? way : naughty(way);
  const stateDir = temporaryFolder();
  const downs = [];
  const watched = new Supervisor({
    runner: new StdioRunner({ command, stateDir, document: {}, logger }),
    logger,
    times: { ...FAST, ...times },
    hello: () => ({ protocolVersion: 1 }),
    on: { down: (why) => downs.push(why), fault: (error) => write(error.message) },
  });
  watched.start();
  return { watched, log, downs };
}

test("every pending request is answered when the child dies, and the next one by a new child", async () => {
  const { watched } = supervisor("crashes");
  assert.ok(await watched.ready(5_000));
  const first = watched.pid;
  const placed = watched.request("voicecall.initiate", {}).catch((error) => error);
  const asked = watched.request("voicecall.status", {}).catch((error) => error);
  const [lostCall, lostLook] = await Promise.all([placed, asked]);
  assert.equal(lostCall.kind, "sidecarLost");
  assert.equal(lostCall.retryable, false);
  assert.equal(lostLook.retryable, true);
  assert.deepEqual(await watched.request("sidecar.ping", {}), { pong: true });
  assert.notEqual(watched.pid, first);
  await watched.stop();
});

test("a request that comes while the child is replaced waits for the new one", async () => {
  const { watched } = supervisor("good");
  await watched.ready(5_000);
  process.kill(watched.pid, "SIGKILL");
  await until(() => !watched.isReady, "the death");
  const { pid } = await watched.request("voicecall.status", {});
  assert.equal(pid, watched.pid);
  await watched.stop();
});

test("a hundred kills are survived", async () => {
  const { watched } = supervisor("good", { forgiveMs: 1 });
  const pids = new Set();
  for (let kill = 0; kill < 100; kill += 1) {
    const { pid } = await watched.request("voicecall.status", {});
    pids.add(pid);
    process.kill(pid, "SIGKILL");
    await until(() => watched.pid !== pid, "the death");
  }
  assert.equal(pids.size, 100);
  await watched.stop();
});

test("one that dies at once is tried less and less often, and the waiting are told", async () => {
  const { watched, downs, log } = supervisor("dies", { backoffMaxMs: 200, backoffMs: 50 });
  const error = await watched.request("voicecall.status", {}, { patienceMs: 300 }).catch((one) => one);
  assert.match(error.message, /not running yet/);
  assert.equal(error.retryable, true);
  assert.ok(downs.length >= 1 && downs.length <= 5, `${downs.length} tries`);
  assert.match(downs[0], /ended with code 7/);
  const waits = log.map((line) => Number(/next try in (\d+)/.exec(line)?.[1])).filter(Boolean);
  assert.deepEqual(waits.slice(0, 2), [50, 100]);
  await watched.stop();
});

test("a program that is missing is said, and looked for again", async () => {
  const { watched, downs } = supervisor({ command: ["/nowhere/voicecall"] });
  await until(() => downs.length >= 2, "a second try");
  assert.match(downs[0], /\/nowhere\/voicecall was not found.*sidecar\.command/);
  await watched.stop();
});

test("a wrong configuration is told to everybody and not tried again", async () => {
  const { watched, downs } = supervisor("misconfigured");
  const error = await watched.request("voicecall.status", {}).catch((one) => one);
  assert.equal(error.kind, "notConfigured");
  assert.match(error.message, /provider: must be one of mock/);
  await until(() => downs.length === 1, "the end");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(downs.length, 1);
  await watched.stop();
});

test("a fault of the machine is tried again", async () => {
  const { watched, downs } = supervisor("taken");
  await until(() => downs.length >= 2, "a second try");
  assert.match(downs[0], /ended with code 2|Taken/);
  await watched.stop();
});

test("a child that hangs is replaced", async () => {
  const { watched, downs, log } = supervisor("hangs", { pingEveryMs: 20, pingMs: 15, pingsMissed: 2 });
  await watched.ready(5_000);
  const first = watched.pid;
  await until(() => downs.length >= 1, "the replacement");
  assert.ok(log.some((line) => line.includes("does not answer")));
  await until(() => !isAlive(first), "its death");
  await watched.stop();
});

test("what is not protocol on the stream does no harm", async () => {
  const { watched } = supervisor("noisy");
  assert.ok(await watched.ready(5_000));
  assert.ok((await watched.request("voicecall.status", {})).pid);
  await watched.stop();
});

test("a stop is clean and soon, and leaves no process", async () => {
  const { watched, downs } = supervisor("good");
  await watched.ready(5_000);
  const { pid } = watched;
  const began = Date.now();
  await watched.stop();
  assert.ok(Date.now() - began < 1_000);
  assert.equal(isAlive(pid), false);
  assert.deepEqual(downs, []);
  await assert.rejects(watched.request("voicecall.status", {}), { kind: "shuttingDown" });
});

test("one that does not want to stop is made to, within the Gateway's five seconds", async () => {
  const { watched } = supervisor("stubborn");
  await watched.ready(5_000);
  const { pid } = watched;
  const began = Date.now();
  await watched.stop();
  assert.ok(Date.now() - began < 4_500, `${Date.now() - began} ms`);
  assert.equal(isAlive(pid), false);
});

test("a stop in the middle of a start leaves no process", async () => {
  for (const ms of [0, 5, 20, 60]) {
    const { watched } = supervisor("good");
    await new Promise((resolve) => setTimeout(resolve, ms));
    const { pid } = watched;
    await watched.stop();
    assert.equal(pid !== undefined && isAlive(pid), false);
  }
});

test("everything that is forwarded may be asked while nothing runs", async () => {
  const { watched } = supervisor("dies");
  const answers = METHODS.map((method) =>
    watched.request(method, {}, { patienceMs: 50 }).catch((error) => error.kind),
  );
  assert.deepEqual(new Set(await Promise.all(answers)), new Set(["unavailable"]));
  await watched.stop();
});
