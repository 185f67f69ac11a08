import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { KINDS, METHODS, TOOL } from "../src/contract.js";
import { eventName } from "../src/gateway/broadcast.js";
import { storeFolder } from "../src/run/lock.js";
import { configOf, defaultAgent, documentOf, placeOf, sessionKeyOf } from "../src/settings.js";

const entry = (document) => document.plugins.entries["voice-call-sidecar"].config;

test("the sidecar gets our entry, the speech settings of either version, and where secrets are", () => {
  const tts = { provider: "openai" };
  const secrets = { providers: { vault: { source: "file", path: "/x" } } };
  const old = documentOf({ provider: "mock", sidecar: { mode: "attach" } }, { messages: { tts }, secrets });
  assert.deepEqual(entry(old), { provider: "mock" });
  assert.deepEqual(old.messages, { tts });
  assert.deepEqual(old.secrets, secrets);
  assert.deepEqual(documentOf({}, { tts, channels: { x: {} } }).tts, tts);
  assert.equal("channels" in documentOf({}, { tts, channels: { x: {} } }), false);
});

test("speech settings of a Gateway that say nothing about calls are left out", () => {
  const tts = { auto: "always", provider: "openai", openai: { voice: "coral", odd: 1 }, edge: { voice: "x" } };
  const document = documentOf({ tts, numbers: { "+15550001111": { tts, inboundGreeting: "Hi" } } });
  const kept = { provider: "openai", openai: { voice: "coral" }, edge: { voice: "x" } };
  assert.deepEqual(entry(document).tts, kept);
  assert.deepEqual(entry(document).numbers["+15550001111"], { tts: kept, inboundGreeting: "Hi" });
});

test("the configuration of the Gateway wins over what was given at registration", () => {
  const gateway = { plugins: { entries: { "voice-call-sidecar": { config: { a: 1 } } } } };
  assert.deepEqual(configOf(gateway, { a: 2 }), { a: 1 });
  assert.deepEqual(configOf({}, { a: 2 }), { a: 2 });
  assert.deepEqual(configOf(undefined, undefined), {});
});

test("the place has defaults, and a wrong one is said", () => {
  assert.deepEqual(placeOf({}).command, ["voicecall"]);
  assert.equal(placeOf({}).mode, "stdio");
  assert.throws(() => placeOf({ sidecar: { mode: "moon" } }), /sidecar\.mode/);
  assert.throws(() => placeOf({ sidecar: { command: "voicecall" } }), /sidecar\.command/);
});

test("session keys are the Gateway's", () => {
  const gateway = { agents: { list: [{ id: "a" }, { id: "Desk", default: true }] } };
  assert.equal(defaultAgent({}), "main");
  assert.equal(sessionKeyOf("voice:1555", undefined, {}), "agent:main:voice:1555");
  assert.equal(sessionKeyOf("voice:1555", undefined, gateway), "agent:desk:voice:1555");
  assert.equal(sessionKeyOf("voice:1555", "b", gateway), "agent:b:voice:1555");
  assert.equal(sessionKeyOf("agent:c:main", "b", gateway), "agent:c:main");
});

test("the store's folder is found as the sidecar finds it", () => {
  assert.equal(storeFolder(undefined, "/state"), "/state/voice-calls");
  assert.equal(storeFolder("/data/my.db", "/state"), "/data");
  assert.equal(storeFolder("/data/calls/", "/state"), "/data/calls");
  assert.equal(storeFolder("postgresql://h/d", "/state"), null);
});

test("event names have dashes", () => {
  assert.equal(eventName("call.bargeIn"), "call-barge-in");
  assert.equal(eventName("sidecar.publicUrl"), "sidecar-public-url");
});

test("the contract is complete", () => {
  for (const verb of ["initiate", "start", "continue", "continue.start", "continue.result", "speak", "dtmf", "end", "transfer", "status", "history", "latency", "setup", "pairing.approve", "tool"]) {
    assert.ok(METHODS.includes(`voicecall.${verb}`), verb);
  }
  assert.equal(TOOL.name, "voice_call");
  assert.equal(KINDS["-32004"], "busy");
});

test("the manifest suits both versions", () => {
  const text = fs.readFileSync(new URL("../openclaw.plugin.json", import.meta.url), "utf8");
  const manifest = JSON.parse(text);
  assert.equal(manifest.id, "voice-call-sidecar");
  assert.equal(manifest.activation.onStartup, true);
  assert.deepEqual(manifest.contracts.tools, ["voice_call"]);
  assert.equal(manifest.configSchema.type, "object");
  assert.doesNotMatch(JSON.stringify(manifest.configSchema), /"\$ref"|"default":|"format":/);
  for (const skill of manifest.skills) {
    assert.ok(fs.existsSync(new URL(`../${skill}/voice-call/SKILL.md`, import.meta.url)));
  }
});

test("the manifest lets the speech settings of a Gateway pass", () => {
  const text = fs.readFileSync(new URL("../openclaw.plugin.json", import.meta.url), "utf8");
  const { properties } = JSON.parse(text).configSchema;
  assert.equal(properties.tts.additionalProperties, true);
  assert.equal(properties.tts.properties.provider.enum, undefined);
  assert.ok(properties.provider.enum.includes("log"));
});
