// Detached: the sidecar is started once, outlives the Gateway, and is found again by its lock file.

import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import fs from "node:fs";
import path from "node:path";

import { Unavailable } from "../rpc/errors.js";
import { attached, tokenIn } from "./attach.js";
import { readLock } from "./lock.js";
import { childEnvironment, missingProgram, readableEnding } from "./program.js";
import { connectSocket } from "./socket.js";

const START_MS = 20_000;
const LOOK_EVERY_MS = 50;
const LOG_BYTES_MAX = 5_000_000;

export class DetachedRunner {
  /** `memory` remembers which configuration the running sidecar was started with. */
  constructor({ command, stateDir, folder, document, memory, logger }) {
    this.name = "detached";
    this.document = undefined;
    this.ownsProcess = true;
    this.#command = command;
    this.#stateDir = stateDir;
    this.#folder = folder;
    this.#text = JSON.stringify(document);
    this.#memory = memory;
    this.#logger = logger;
  }

  #command;
  #stateDir;
  #folder;
  #text;
  #memory;
  #logger;
  #token = "";
  #pid = 0;

  async connect(on) {
    if (!this.#folder) {
      throw new Unavailable("A detached sidecar needs a store on this machine.", {
        retryable: false,
      });
    }
    const lock = readLock(this.#folder) ?? (await this.#spawn());
    this.#token = lock.tokenFile ? tokenIn(lock.tokenFile) : "";
    this.#pid = lock.pid;
    const socket = await connectSocket({ url: lock.url, token: this.#token, ...on });
    return {
      ...attached(socket),
      pid: lock.pid,
      kill: () => {
        killQuietly(lock.pid);
        socket.close();
      },
    };
  }

  /** Whether the running sidecar has another configuration than the present one. */
  get isStale() {
    const known = this.#memory.detached;
    return known?.pid === this.#pid && known.mark !== this.#mark();
  }

  /** The token keys it: a plain digest of a document with secrets would tell about them. */
  #mark() {
    return createHmac("sha256", this.#token).update(this.#text).digest("hex");
  }

  async #spawn() {
    fs.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const log = openLog(path.join(this.#folder, "sidecar.log"));
    const [program, ...before] = this.#command;
    const child = spawn(program, [...before, "serve", "--ws", "127.0.0.1:0", "--config", "-"], {
      stdio: ["pipe", "ignore", log],
      env: childEnvironment(this.#stateDir),
      detached: true,
    });
    fs.closeSync(log);
    let ending = null;
    child.on("error", (error) => (ending = missingProgram(program, error)));
    child.on("exit", (code, signal) => {
      ending = `the sidecar ${readableEnding(code, signal)}; see ${this.#folder}/sidecar.log`;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(this.#text);
    child.unref();
    const lock = await this.#appeared(() => ending);
    this.#token = lock.tokenFile ? tokenIn(lock.tokenFile) : "";
    this.#memory.detached = { pid: lock.pid, mark: this.#mark() };
    this.#memory.save();
    this.#logger.info?.(`voice-call-sidecar: started a detached sidecar (pid ${lock.pid})`);
    return lock;
  }

  async #appeared(ending) {
    const until = Date.now() + START_MS;
    while (Date.now() < until) {
      const lock = readLock(this.#folder);
      if (lock) return lock;
      if (ending()) throw new Unavailable(ending());
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    throw new Unavailable("The detached sidecar did not get ready in time.");
  }
}

function openLog(file) {
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) {
    fs.renameSync(file, `${file}.1`);
  }
  return fs.openSync(file, "a", 0o600);
}

function killQuietly(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
