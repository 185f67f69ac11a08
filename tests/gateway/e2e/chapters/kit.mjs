// What the chapters share.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";

export const TO = "+15550001234";
export const SESSION = "agent:main:voice:15550001234";

/** The plugin's configuration on the mock line. */
export function settings(root, more = {}) {
  const { mock, sidecar, ...rest } = more;
  return {
    provider: "mock",
    serve: { port: 0 },
    toNumber: TO,
    maxConcurrentCalls: 5,
    outbound: { defaultMode: "conversation" },
    mock: { speed: 10, ...mock },
    sidecar: { command: [path.join(root, ".venv/bin/voicecall")], ...sidecar },
    ...rest,
  };
}

/** A conversation that has said its first words and listens; gives its id. */
export async function listening(client, params = {}) {
  const since = client.mark;
  const { callId } = await client.request("voicecall.initiate", { message: "Hello.", ...params });
  await client.call("call-listening", callId, { since });
  return callId;
}

/** The caller says something: news of the mock line, as its carrier would bring it. */
export async function say({ gateway }, client, callId, transcript) {
  const { checks } = await client.request("voicecall.setup");
  const url = /http:\S+[^.\s]/.exec(checks.find(({ id }) => id === "listener").message)[0];
  const { call } = await client.request("voicecall.status", { callId });
  const token = fs.readFileSync(gateway.lock.tokenFile, "utf8").trim();
  const event = {
    id: `e2e-${Math.random()}`,
    type: "call.speech",
    providerCallId: call.providerCallId,
    callId,
    transcript,
    isFinal: true,
  };
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ events: [event] }),
  });
  assert.equal(response.status, 200, await response.text());
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
