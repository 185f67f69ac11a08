// A sidecar that misbehaves: argv[2] says how.

import { createInterface } from "node:readline";

const way = process.argv[2];
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);

if (way === "dies") process.exit(7);
if (way === "stubborn") process.on("SIGTERM", () => {});

const answers = {
  initialize: ({ config }) => {
    if (way === "misconfigured") {
      const errors = [{ field: "provider", problem: "must be one of mock" }];
      return { error: { code: -32602, message: "Wrong.", data: { kind: "invalidParams", retryable: false, errors } } };
    }
    if (way === "taken") {
      const errors = [{ field: "config", problem: "the port is taken" }];
      setImmediate(() => process.exit(2));
      return { error: { code: -32602, message: "Taken.", data: { kind: "invalidParams", retryable: false, errors } } };
    }
    return { result: { protocolVersion: 1, streamId: "s", lastSeq: 0, methods: [], config } };
  },
  "sidecar.ping": () => (way === "hangs" ? null : { result: { pong: true } }),
  "voicecall.status": () => {
    if (way === "crashes") process.exit(1);
    return { result: { calls: [], pid: process.pid } };
  },
  "voicecall.initiate": () => (way === "crashes" ? process.exit(1) : null),
  "sidecar.shutdown": () => (way === "stubborn" ? null : { result: {} }),
};

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (way === "noisy") process.stdout.write("Traceback, not JSON\n{\"jsonrpc\":\n[1]\n");
  const answer = answers[method]?.(params ?? {});
  if (answer) say({ id, ...answer });
  if (method === "sidecar.shutdown" && way !== "stubborn") process.exit(0);
});
lines.on("close", () => {
  if (way !== "stubborn") process.exit(0);
});
if (way === "stubborn") setInterval(() => {}, 1_000);
