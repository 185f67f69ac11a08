// The default way: the sidecar is a child that speaks JSON lines on its stdin and stdout, and ends
// when they do.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { Unavailable } from "../rpc/errors.js";
import { lineReader } from "../rpc/lines.js";
import { childEnvironment, missingProgram, readableEnding } from "./program.js";

// The Gateway's configuration comes with `initialize`. Its file, which the sidecar would read otherwise, has
// references and speech settings that only the Gateway understands.
const NO_FILE = fileURLToPath(new URL("./nothing.json", import.meta.url));
const SERVE = ["serve", "--stdio", "--await-initialize", "--config", NO_FILE];
const SHUTDOWN_MS = 2_500;
const END_OF_INPUT_MS = 1_000;

export class StdioRunner {
  /** `document` is the configuration that goes with `initialize`. */
  constructor({ command, stateDir, document, logger }) {
    this.name = "stdio";
    this.document = document;
    this.ownsProcess = true;
    this.#command = command;
    this.#stateDir = stateDir;
    this.#logger = logger;
  }

  #command;
  #stateDir;
  #logger;

  async connect({ onText, onEnd }) {
    const [program, ...before] = this.#command;
    const child = spawn(program, [...before, ...SERVE], {
      stdio: "pipe",
      env: childEnvironment(this.#stateDir),
    });
    if (child.pid === undefined) {
      const failure = await new Promise((resolve) => child.once("error", resolve));
      throw new Unavailable(missingProgram(program, failure));
    }
    const ended = new Promise((resolve) => child.once("close", resolve));
    const said = [];
    child.stdout.on("data", lineReader(onText));
    child.stderr.on("data", lineReader((line) => remember(said, line, this.#logger)));
    // A child that dies while it is written to is an ending, told by `close`; not a fault of ours.
    child.stdin.on("error", () => {});
    child.on("error", (error) => this.#logger.warn?.(`voice-call-sidecar: ${error.message}`));
    child.once("close", (code, signal) => {
      onEnd(`the sidecar ${readableEnding(code, signal)}${lastWords(said)}`);
    });
    return {
      pid: child.pid,
      send: (text) => child.stdin.write(`${text}\n`),
      close: () => child.stdin.end(),
      kill: () => child.kill("SIGKILL"),
      stop: (peer) => stop(child, ended, peer),
    };
  }
}

/** Within what a Gateway allows a plugin: goodbye first, then end of input, then force. */
async function stop(child, ended, peer) {
  const asked = peer.request("sidecar.shutdown", { drainMs: 0 }, { timeoutMs: SHUTDOWN_MS });
  const over = ended.then(() => true);
  const refused = asked.then(
    () => new Promise(() => {}),
    () => false,
  );
  const gone = await Promise.race([over, refused, after(SHUTDOWN_MS)]);
  if (gone) return;
  child.stdin.end();
  if (await Promise.race([over, after(END_OF_INPUT_MS)])) return;
  child.kill("SIGKILL");
  await ended;
}

function after(ms) {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}

const LEVELS = { debug: "debug", info: "debug", warning: "warn", error: "error" };

/** The sidecar's log lines go to the Gateway's log; what is not a log line is kept for the end. */
function remember(said, line, logger) {
  let level;
  try {
    level = JSON.parse(line).level;
  } catch {
    said.push(line);
    if (said.length > 5) said.shift();
  }
  const write = logger[LEVELS[level] ?? "warn"] ?? logger.info;
  write?.(`sidecar: ${line}`);
}

function lastWords(said) {
  return said.length ? `: ${said.join(" ").slice(0, 500)}` : "";
}
