// What commands print: JSON for programs, laid out for the eye on a terminal.

import { Failure } from "./gateway.js";

const MARKS = { ok: "ok  ", warn: "warn", fail: "FAIL" };

export function showing({ json } = {}) {
  return !json && process.stdout.isTTY === true;
}

export function print(value, given) {
  process.stdout.write(`${showing(given) ? JSON.stringify(value, null, 2) : JSON.stringify(value)}\n`);
}

export function line(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function note(text) {
  process.stderr.write(`voicecall: ${text}\n`);
}

export function printSetup({ provider, checks }) {
  process.stdout.write(`provider: ${provider}\n`);
  for (const { status, message, fix } of checks) {
    process.stdout.write(`${MARKS[status] ?? status}  ${message}${fix ? `\n      ${fix}` : ""}\n`);
  }
}

/** Runs a command's work to its end and sets the exit code of the process. */
export async function finish(work, given) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (!showing(given)) line({ error: error.error });
    note(error.message);
    const hint = error.error?.data?.hint;
    if (hint) note(hint);
    process.exitCode = error.exitCode;
  }
}
