// Asks the running Gateway, through the Gateway's own command line: it knows the address, the
// credentials and the device, here and on another machine.

import { spawn } from "node:child_process";

import { CLI_METHOD } from "../gateway/back_door.js";

export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;
export const UNREACHABLE = 3;
const STORE = 5;

/** A command that failed: its sentence, its exit code, and the error object where there is one. */
export class Failure extends Error {
  constructor(message, exitCode, error) {
    super(message);
    this.exitCode = exitCode;
    this.error = error ?? { message };
  }
}

/** The result of a verb. Throws `Failure`. */
export async function ask(method, params, { timeoutMs = 75_000, waitMs } = {}) {
  const body = JSON.stringify({ method, params, ...(waitMs ? { waitMs } : {}) });
  const words = ["gateway", "call", CLI_METHOD, "--json", "--timeout", String(timeoutMs)];
  const { code, stdout, stderr } = await openclaw([...words, "--params", body]);
  const answer = code === 0 ? parsed(stdout) : null;
  if (answer?.error) throw failureOf(answer.error);
  if (answer && "result" in answer) return answer.result;
  throw new Failure(reason(stderr || stdout), UNREACHABLE);
}

function failureOf(error) {
  const { kind, noSidecar } = error.data ?? {};
  const unreachable = noSidecar && kind !== "notConfigured" ? UNREACHABLE : FAILED;
  const exitCode = kind === "storeUnavailable" ? STORE : unreachable;
  return new Failure(error.message, exitCode, error);
}

/** The Gateway's program once more, with other arguments. */
function openclaw(words) {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const read = (stream) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    return () => Buffer.concat(parts).toString("utf8");
  };
  const [stdout, stderr] = [read(child.stdout), read(child.stderr)];
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout: stdout(), stderr: stderr() }));
  });
}

/** The document in what was printed; a Gateway may print remarks before it. */
function parsed(text) {
  for (let start = text.indexOf("{"); start >= 0; start = text.indexOf("{", start + 1)) {
    try {
      return JSON.parse(text.slice(start));
    } catch {
      // A brace of something else; the document may still come.
    }
  }
  return null;
}

function reason(text) {
  const line = text.split("\n").find((one) => /error|failed|refused|closed/i.test(one));
  return `The Gateway could not be asked: ${(line ?? "it gave no answer").trim().slice(0, 300)}`;
}
