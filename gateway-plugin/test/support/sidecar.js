// The real sidecar on the mock line, and how to make one that misbehaves.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../../..");

/** The program under test; the caller of the tests may name another. */
export const COMMAND = process.env.VOICECALL_COMMAND
  ? [process.env.VOICECALL_COMMAND]
  : [path.join(root, ".venv/bin/voicecall")];

export const TO = "+15550001234";

export function settings(more = {}) {
  const { mock, sidecar, ...rest } = more;
  return {
    provider: "mock",
    serve: { port: 0 },
    toNumber: TO,
    outbound: { defaultMode: "conversation" },
    maxConcurrentCalls: 5,
    mock: { speed: 0, ...mock },
    sidecar: { command: COMMAND, ...sidecar },
    ...rest,
  };
}

/** A sidecar in plain JavaScript whose ways a test chooses; see `naughty.mjs`. */
export function naughty(way) {
  return { command: [process.execPath, path.join(here, "naughty.mjs"), way] };
}

export function temporaryFolder() {
  return fs.mkdtempSync(path.join(os.tmpdir(), "voice-call-"));
}
