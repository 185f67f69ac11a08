// What must survive a restart of the Gateway: which events were handled, and who waits for the end of
// which call. One small file in the state folder.

import fs from "node:fs";
import path from "node:path";

const NAME = "gateway-plugin.json";
const KEPT_MS = 30 * 86_400_000;
const SAVE_MS = 250;

export class Memory {
  #file;
  #logger;
  #timer = null;

  constructor(stateDir, logger) {
    this.#file = path.join(stateDir, "voice-calls", NAME);
    this.#logger = logger;
    const kept = this.#read();
    /** The journal that `seq` belongs to, and the last event that was handled. */
    this.streamId = typeof kept.streamId === "string" ? kept.streamId : null;
    this.seq = Number.isInteger(kept.seq) ? kept.seq : null;
    /** The detached sidecar that was started last: its pid and a mark of its configuration. */
    this.detached = kept.detached ?? null;
    /** By call: the session that asked for it and is owed a note of its end. */
    this.owed = new Map(Object.entries(kept.owed ?? {}));
    for (const [callId, { at }] of this.owed) {
      if (!(Date.now() - at < KEPT_MS)) this.owed.delete(callId);
    }
  }

  owe(callId, sessionKey) {
    this.owed.set(callId, { sessionKey, at: Date.now() });
    this.save();
  }

  settle(callId) {
    if (this.owed.delete(callId)) this.save();
  }

  handled(streamId, seq) {
    this.streamId = streamId;
    this.seq = seq;
    this.#timer ??= setTimeout(() => this.save(), SAVE_MS).unref();
  }

  save() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const { streamId, seq, detached } = this;
    const text = JSON.stringify({ streamId, seq, detached, owed: Object.fromEntries(this.owed) });
    try {
      fs.mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      const beside = `${this.#file}.${process.pid}`;
      fs.writeFileSync(beside, text, { mode: 0o600 });
      fs.renameSync(beside, this.#file);
    } catch (error) {
      this.#logger.warn?.(`voice-call-sidecar: ${this.#file} cannot be written (${error.code})`);
    }
  }

  #read() {
    try {
      return JSON.parse(fs.readFileSync(this.#file, "utf8")) ?? {};
    } catch {
      // The first start, or a file that was cut off: events are told again, which clients expect.
      return {};
    }
  }
}
