// Ends of every kind: of the sidecar, of the Gateway, wanted and not.

import assert from "node:assert/strict";

import { isAlive, until } from "../gateway.mjs";
import { listening, percentile } from "./kit.mjs";

const KILLS = 100;

async function killed(gateway, client) {
  const { pid } = gateway.lock;
  const began = performance.now();
  process.kill(pid, "SIGKILL");
  for (;;) {
    try {
      await client.request("voicecall.status");
      if (gateway.lock && gateway.lock.pid !== pid) return performance.now() - began;
    } catch (error) {
      assert.equal(error.code, "UNAVAILABLE", String(error));
    }
  }
}

export async function sidecarCrash({ gateway, figures }) {
  const client = await gateway.client();
  const callId = await listening(client);
  // What is asked at that moment is answered, one way or the other.
  const asked = Array.from({ length: 50 }, () =>
    client.request("voicecall.history", { limit: 1 }).then(
      () => "answered",
      (error) => error.details.kind,
    ),
  );
  figures.deathToAnswerMs = await killed(gateway, client);
  for (const outcome of await Promise.all(asked)) assert.match(outcome, /answered|sidecarLost/);
  const { call } = await client.request("voicecall.status", { callId });
  assert.ok(call, "the call is still known");
}

export async function hundredKills({ gateway, figures }) {
  const client = await gateway.client();
  const { pid } = gateway.process;
  const times = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    times.push(await killed(gateway, client));
    // A sidecar that is never left alone for a second is taken for one that cannot run.
    await new Promise((resolve) => setTimeout(resolve, 1_050));
  }
  figures.deathToAnswerP50Ms = percentile(times, 0.5);
  figures.deathToAnswerP95Ms = percentile(times, 0.95);
  assert.equal(gateway.process.pid, pid);
  assert.equal(gateway.process.exitCode, null);
  await listening(client);
}

/** Over stdio, a Gateway that dies leaves no process and no call. */
export async function gatewayCrash({ gateway, figures }) {
  const client = await gateway.client();
  const callId = await listening(client);
  const { pid } = gateway.lock;
  await gateway.stop("SIGKILL");
  const began = performance.now();
  await until(() => !isAlive(pid), "the end of the sidecar");
  figures.orphanMs = performance.now() - began;
  await gateway.start();
  const again = await gateway.client();
  const { call } = await again.request("voicecall.status", { callId });
  assert.ok(call.endReason, `the call is ${call.state}`);
  const { calls } = await again.request("voicecall.status");
  assert.deepEqual(calls, []);
}

export async function stops({ gateway, model, figures }) {
  const client = await gateway.client();
  const warmed = model.asked.length;
  await listening(client);
  // A Gateway waits for the turns of its agents, and for its own start, before it stops anything.
  await until(() => model.asked.length > warmed, "the warming", 60_000);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const { pid } = gateway.lock;
  const { ms, code, signal } = await gateway.stop();
  figures.stopMs = ms;
  assert.equal(signal, null);
  assert.equal(code, 0);
  await until(() => !isAlive(pid), "the end of the sidecar", 5_000);
  assert.equal(gateway.lock, null);
  const orphan = await gateway.cli(["voicecall", "status"]);
  assert.equal(orphan.code, 3, orphan.stdout + orphan.stderr);
  assert.equal(gateway.lock, null, "the command line started a sidecar");
}
