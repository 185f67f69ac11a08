// One turn of the Gateway's agent, the same for both versions: run it, hear it while it writes, stop it.

const SILENT = "NO_REPLY";
// A Gateway cuts the space off behind a sentence; without it nobody can tell that the sentence is whole.
const PAUSE_MS = 200;
const SENTENCE = /[.!?…。！？]["'”’)\]]*$/;
const WAIT_MS = 1_000;
const BREATH_MS = 50;
const STOP_TRIES = 10;
const STOP_EVERY_MS = 200;
const RETRY_MS = [200, 500, 1_000, 2_000];

/** `config()` is the Gateway's configuration, `context()` its request context, where one is known. */
export class Agent {
  #runtime = null;
  #config;
  #context;
  #logger;
  #models = new Map();
  #modelRefused = false;

  constructor({ config, context, logger }) {
    this.#config = config;
    this.#context = context;
    this.#logger = logger;
  }

  /** `runtime` is the plugin API's, of the registration that is in force. */
  bind(runtime) {
    this.#runtime = runtime;
  }

  /**
   * Gives `{text}`: all that the agent wrote; null when it wanted to say nothing. `onDelta(text)`
   * hears it piece by piece. Throws when the run fails, takes longer than `timeoutMs`, or `signal`
   * stops it.
   */
  async turn({ sessionKey, message, system, model, timeoutMs, signal, runId, onDelta, deliver }) {
    const heard = new Hearing(runId, onDelta);
    const forget = this.#runtime.events?.onAgentEvent?.((event) => heard.take(event)) ?? (() => {});
    try {
      const id = await this.#accepted(
        { sessionKey, message, extraSystemPrompt: system, deliver: deliver ?? false, idempotencyKey: runId },
        model,
        signal,
      );
      heard.follow(id);
      const outcome = await this.#outcome({ id, heard, timeoutMs, signal, sessionKey });
      if (outcome.status !== "ok") throw new Error(outcome.error ?? `The agent's run: ${outcome.status}.`);
      return { text: heard.end() ?? (await this.#lastWords(sessionKey)) };
    } finally {
      forget();
      heard.stop();
      this.#models.delete(sessionKey);
    }
  }

  /** Starts a turn and does not wait for its end. */
  async post({ sessionKey, message, runId, deliver }) {
    const params = { sessionKey, message, idempotencyKey: runId, deliver };
    return (await this.#runtime.subagent.run(params)).runId;
  }

  /** The model that the running turn of a session asked for, where a hook has to name it. */
  modelOf(sessionKey) {
    return this.#models.get(sessionKey);
  }

  async #accepted(params, model, signal) {
    for (const wait of [...RETRY_MS, null]) {
      try {
        return (await this.#run(params, model)).runId;
      } catch (error) {
        // Right after a start the Gateway may not be able to run agents yet.
        if (wait === null || signal?.aborted || !/context|starting|not ready/i.test(error.message)) {
          throw error;
        }
        await pause(wait);
      }
    }
    throw new Error("unreachable");
  }

  async #run(params, model) {
    const { subagent } = this.#runtime;
    if (!model || this.#modelRefused) return subagent.run(params);
    if (typeof subagent.complete !== "function") {
      // 2026.3 cannot be told the model here: a hook names it when the run begins.
      this.#models.set(params.sessionKey, model);
      return subagent.run(params);
    }
    try {
      return await subagent.run({ ...params, ...splitModel(model) });
    } catch (error) {
      if (!/override/i.test(error.message)) throw error;
      this.#modelRefused = true;
      this.#logger.warn?.(
        "voice-call-sidecar: responseModel is not used; allow it with " +
          "plugins.entries.voice-call-sidecar.subagent.allowModelOverride",
      );
      return subagent.run(params);
    }
  }

  async #outcome({ id, heard, timeoutMs, signal, sessionKey }) {
    let over = false;
    let release = () => {};
    const stopped = new Promise((_, reject) => {
      if (!signal) return;
      const onAbort = () => reject(new Error("The turn was cancelled."));
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      release = () => signal.removeEventListener("abort", onAbort);
    });
    const waited = this.#wait(id, timeoutMs, () => over);
    const ended = Promise.race([waited, heard.ended]);
    try {
      return await Promise.race([ended, stopped]);
    } catch (error) {
      if (signal?.aborted) await this.#stop(id, sessionKey, ended);
      throw error;
    } finally {
      over = true;
      release();
    }
  }

  /**
   * In short pieces: a Gateway that stops waits for every request, ours for a run's end included. A
   * `timeout` that comes sooner than it was asked for is the run's own.
   */
  async #wait(id, timeoutMs, isOver) {
    const until = Date.now() + timeoutMs;
    for (;;) {
      const began = Date.now();
      const piece = Math.min(WAIT_MS, Math.max(1, until - began));
      const outcome = await this.#runtime.subagent.waitForRun({ runId: id, timeoutMs: piece });
      const isOpen =
        outcome.status === "pending" ||
        (outcome.status === "timeout" && Date.now() - began >= piece * 0.9);
      if (!isOpen || isOver() || Date.now() >= until) return outcome;
      await pause(BREATH_MS);
    }
  }

  /**
   * Asks until the run has `ended`: one that was accepted a moment ago cannot be stopped yet, and the
   * next turn of its session would wait behind it.
   */
  async #stop(id, sessionKey, ended) {
    const over = ended.then(
      () => true,
      () => true,
    );
    for (let time = 0; time < STOP_TRIES; time += 1) {
      await this.#askToStop(id, sessionKey);
      if (await Promise.race([over, pause(STOP_EVERY_MS)])) return;
    }
    this.#logger.warn?.("voice-call-sidecar: a reply that nobody waits for could not be stopped");
  }

  /**
   * Neither version lets a plugin cancel its run directly. Where the server's context is known and
   * holds the run, its controller does; else the message by which a user stops a session.
   */
  async #askToStop(id, sessionKey) {
    const entry = this.#context()?.chatAbortControllers?.get?.(id);
    if (entry?.controller) {
      entry.controller.abort();
      return;
    }
    const reply = this.#runtime.channel?.reply;
    if (typeof reply?.dispatchReplyFromConfig !== "function") return;
    try {
      await reply.dispatchReplyFromConfig({
        ctx: stopMessage(sessionKey),
        cfg: this.#config(),
        dispatcher: mute(),
      });
    } catch (error) {
      this.#logger.debug?.(`voice-call-sidecar: the agent could not be stopped: ${error.message}`);
    }
  }

  async #lastWords(sessionKey) {
    const { messages } = await this.#runtime.subagent.getSessionMessages({ sessionKey, limit: 10 });
    const last = messages.findLast((message) => message?.role === "assistant" && textOf(message));
    return spokenText(last ? textOf(last) : "");
  }
}

/** Puts together what one run says: `data.text` grows within a message and begins anew in the next. */
class Hearing {
  #ids;
  #onDelta;
  #parts = [];
  #current = "";
  #told = 0;
  #end;
  #pause;

  constructor(id, onDelta) {
    this.#ids = new Set([id]);
    this.#onDelta = onDelta;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  follow(id) {
    this.#ids.add(id);
  }

  take({ runId, stream, data }) {
    if (!this.#ids.has(runId)) return;
    clearTimeout(this.#pause);
    if (stream === "assistant") this.#grow(data ?? {});
    else if (stream === "lifecycle" && data?.phase === "end") this.#end({ status: "ok" });
    else if (stream === "lifecycle" && data?.phase === "error") {
      this.#end({ status: "error", error: String(data.error ?? "The agent's run failed.") });
    }
  }

  stop() {
    clearTimeout(this.#pause);
  }

  /** All that was said; null when nothing was to be said; undefined when nothing was heard. */
  end() {
    this.#tell(true);
    this.#close();
    const said = this.#parts.filter((part) => part.trim() !== SILENT);
    if (!this.#parts.length) return undefined;
    return said.length ? said.join("\n") : null;
  }

  #grow({ text, delta }) {
    if (typeof text === "string") {
      if (!text.startsWith(this.#current.slice(0, text.length))) this.#close();
      if (text.length >= this.#current.length) this.#current = text;
    } else if (typeof delta === "string") {
      this.#current += delta;
    }
    this.#tell(false);
  }

  #close() {
    if (!this.#current) return;
    this.#tell(true);
    this.#parts.push(this.#current);
    this.#current = "";
    this.#told = 0;
  }

  /** Holds back what may become the word for silence. */
  #tell(isWhole) {
    const trimmed = this.#current.trim();
    if (isWhole ? trimmed === SILENT : SILENT.startsWith(trimmed)) return;
    const more = this.#current.slice(this.#told);
    if (!more) return;
    this.#onDelta?.(this.#told === 0 && this.#parts.length ? `\n${more}` : more);
    this.#told = this.#current.length;
    if (SENTENCE.test(this.#current)) {
      this.#pause = setTimeout(() => this.#onDelta?.(" "), PAUSE_MS);
    }
  }
}

function spokenText(text) {
  return text.trim() === SILENT || !text.trim() ? null : text;
}

function textOf({ content }) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .filter((part) => part?.type === "text" && typeof part.text === "string")
    .map((part) => part.text)
    .join("\n");
}

export function splitModel(model) {
  const slash = model.indexOf("/");
  return slash > 0 ? { provider: model.slice(0, slash), model: model.slice(slash + 1) } : { model };
}

function stopMessage(sessionKey) {
  return {
    Body: "/stop",
    RawBody: "/stop",
    CommandBody: "/stop",
    BodyForCommands: "/stop",
    SessionKey: sessionKey,
    CommandTargetSessionKey: sessionKey,
    CommandAuthorized: true,
    CommandSource: "native",
    ChatType: "direct",
    Provider: "voice",
    Surface: "voice",
  };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A reply dispatcher that says nothing to nobody. */
function mute() {
  return {
    sendToolResult: () => false,
    sendBlockReply: () => false,
    sendFinalReply: () => false,
    waitForIdle: async () => {},
    getQueuedCounts: () => ({ tool: 0, block: 0, final: 0 }),
    getFailedCounts: () => ({ tool: 0, block: 0, final: 0 }),
    markComplete: () => {},
  };
}
