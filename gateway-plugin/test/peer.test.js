import assert from "node:assert/strict";
import { test } from "node:test";

import { SidecarError, Unavailable, gatewayError } from "../src/rpc/errors.js";
import { lineReader } from "../src/rpc/lines.js";
import { Peer } from "../src/rpc/peer.js";

function talk(on = {}) {
  const sent = [];
  const faults = [];
  const peer = new Peer((text) => sent.push(JSON.parse(text)), {
    fault: (error) => faults.push(error.message),
    ...on,
  });
  return { peer, sent, faults, hear: (message) => peer.receive(JSON.stringify(message)) };
}

test("an answer settles its request and runs onResult before anything later is read", async () => {
  const order = [];
  const { peer, hear } = talk({ notification: () => order.push("event") });
  const asked = peer.request("m", {}, { onResult: () => order.push("result") });
  hear({ id: 1, result: { a: 1 } });
  hear({ method: "voicecall.event", params: {} });
  assert.deepEqual(await asked, { a: 1 });
  assert.deepEqual(order, ["result", "event"]);
});

test("an error keeps its code, kind and data", async () => {
  const { peer, hear } = talk();
  const asked = peer.request("m", {});
  const data = { kind: "busy", retryable: true, retryAfterMs: 5 };
  hear({ id: 1, error: { code: -32004, message: "Busy.", data } });
  const error = await asked.catch((one) => one);
  assert.ok(error instanceof SidecarError);
  assert.deepEqual(gatewayError(error), {
    code: "INVALID_REQUEST",
    message: "Busy.",
    details: { kind: "busy", retryable: true, retryAfterMs: 5, code: -32004 },
    retryable: true,
    retryAfterMs: 5,
  });
});

test("faults on our side are UNAVAILABLE, and an unknown error tells nothing", () => {
  const lost = new SidecarError({ code: -32010, message: "No network.", data: { retryable: true } });
  assert.equal(gatewayError(lost).code, "UNAVAILABLE");
  assert.equal(gatewayError(lost).details.kind, "carrierUnavailable");
  const ours = gatewayError(new TypeError("secret is undefined"));
  assert.doesNotMatch(JSON.stringify(ours), /secret/);
});

test("a request past its deadline is cancelled on the wire", async () => {
  const { peer, sent } = talk();
  const error = await peer.request("m", {}, { timeoutMs: 5 }).catch((one) => one);
  assert.equal(error.kind, "timeout");
  assert.deepEqual(sent.at(-1), { jsonrpc: "2.0", method: "$/cancelRequest", params: { id: 1 } });
});

test("an aborted request is cancelled on the wire", async () => {
  const { peer, sent } = talk();
  const controller = new AbortController();
  const asked = peer.request("m", {}, { signal: controller.signal });
  controller.abort();
  await assert.rejects(asked, { kind: "cancelled" });
  assert.equal(sent.at(-1).method, "$/cancelRequest");
});

test("when the link ends every waiting request is answered, and later ones at once", async () => {
  const { peer } = talk();
  const asked = ["a", "b"].map((method) => peer.request(method, {}).catch((error) => error.message));
  peer.close((method) => new Unavailable(`gone ${method}`));
  assert.deepEqual(await Promise.all(asked), ["gone a", "gone b"]);
  await assert.rejects(peer.request("c", {}), Unavailable);
});

test("a request from the other side is answered, cancelled, or refused", async () => {
  let seen;
  const { peer, sent, hear } = talk({
    request: (method, params, context) => {
      if (method !== "agent.respond") return undefined;
      seen = context;
      return new Promise((resolve) => context.signal.addEventListener("abort", () => resolve({})));
    },
  });
  hear({ id: "s1", method: "agent.respond", params: {} });
  hear({ method: "$/cancelRequest", params: { id: "s1" } });
  hear({ id: "s2", method: "unheard.of" });
  await new Promise(setImmediate);
  assert.equal(seen.id, "s1");
  assert.deepEqual(sent.find(({ id }) => id === "s1").result, {});
  assert.equal(sent.find(({ id }) => id === "s2").error.code, -32601);
  peer.close(() => new Unavailable("gone"));
});

test("a fault in a handler is an error answer without its text", async () => {
  const { sent, hear, faults } = talk({ request: () => Promise.reject(new Error("inner words")) });
  hear({ id: "s1", method: "agent.respond" });
  await new Promise(setImmediate);
  assert.equal(sent[0].error.code, -32603);
  assert.doesNotMatch(JSON.stringify(sent), /inner words/);
  assert.deepEqual(faults, ["inner words"]);
});

test("nothing that is read makes the peer throw", () => {
  const { peer } = talk();
  for (const text of ["", "  ", "{", "null", "[]", "3", '{"id":9,"result":1}', '{"method":5}']) {
    peer.receive(text);
  }
});

test("lines are cut at line ends, across chunks and inside characters", () => {
  const lines = [];
  const read = lineReader((line) => lines.push(line));
  const bytes = Buffer.from("one\r\ntwö\n\nthree");
  for (const byte of bytes) read(Buffer.from([byte]));
  read(Buffer.from("!\n"));
  assert.deepEqual(lines, ["one", "twö", "", "three!"]);
});
