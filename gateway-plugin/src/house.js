// Builds everything behind the plugin's doors for one run of its service, and takes it down again.

import { METHODS } from "./contract.js";
import { Agent } from "./gateway/agent.js";
import { Broadcast } from "./gateway/broadcast.js";
import { Notes } from "./gateway/notes.js";
import { Replies } from "./gateway/replies.js";
import { AttachRunner } from "./run/attach.js";
import { DetachedRunner } from "./run/detached.js";
import { storeFolder } from "./run/lock.js";
import { Memory } from "./run/memory.js";
import { StdioRunner } from "./run/stdio.js";
import { Supervisor } from "./run/supervisor.js";
import { documentOf, placeOf } from "./settings.js";

const EVENT = "voicecall.event";
const RESPOND = "agent.respond";
const RINGING = new Set(["call.initiated", "call.ringing"]);

export class House {
  #config;
  #gatewayConfig;
  #logger;
  #health;
  #memory;
  #runner;
  #supervisor;
  #agent;
  #replies;
  #notes;
  #broadcast = new Broadcast();
  #events = Promise.resolve();
  #streamId = null;
  #stopped = false;
  #listeners = new Set();

  /**
   * `config` is the plugin's, `gatewayConfig()` the Gateway's present one; `times` is for tests.
   */
  constructor({ config, gatewayConfig, stateDir, logger, version, times }) {
    this.#config = config;
    this.#gatewayConfig = gatewayConfig;
    this.#logger = logger;
    this.#memory = new Memory(stateDir, logger);
    this.#runner = this.#runnerOf(stateDir);
    this.#agent = new Agent({
      logger,
      config: gatewayConfig,
      context: () => this.#broadcast.context,
    });
    this.#replies = new Replies({ agent: this.#agent, config: gatewayConfig, logger });
    this.#notes = new Notes({ agent: this.#agent, memory: this.#memory, logger });
    this.#supervisor = new Supervisor({
      runner: this.#runner,
      logger,
      times,
      hello: () => this.#hello(version),
      on: {
        ready: (answer) => this.#ready(answer),
        down: (why) => this.#health?.reportFailure?.(new Error(why)),
        request: (method, params, context) => this.#asked(method, params, context),
        notification: (method, params) => this.#told(method, params),
        fault: (error) => logger.warn?.(`voice-call-sidecar: ${error.message}`),
      },
    });
  }

  get replies() {
    return this.#replies;
  }

  get pid() {
    return this.#supervisor.pid;
  }

  /** The model that a session's running turn asked for; see `Agent.modelOf`. */
  modelOf(sessionKey) {
    return this.#agent.modelOf(sessionKey);
  }

  /** What the present registration and its service may use; `runtime` is the plugin API's. */
  bind({ runtime, gatewayEvents, serviceHealth }) {
    this.#agent.bind(runtime);
    this.#broadcast.bind(gatewayEvents);
    this.#health = serviceHealth;
  }

  saw(context) {
    this.#broadcast.saw(context);
  }

  /** Starts, unless it runs, and waits at most `ms` for the sidecar: a Gateway must not hang on it. */
  async start(ms) {
    this.#supervisor.start();
    return this.#supervisor.ready(ms);
  }

  async stop() {
    this.#stopped = true;
    for (const heard of [...this.#listeners]) heard();
    this.#notes.stop();
    await this.#supervisor.stop();
    this.#memory.save();
  }

  /** A method of the sidecar; see `Supervisor.request`. */
  request(method, params, options) {
    return this.#supervisor.request(method, params, options);
  }

  /** How long an answer may take: as long as the sidecar itself would wait, and a little more. */
  deadlineOf(method, params) {
    const listens = method === "voicecall.continue" || params?.action === "continue_call";
    if (listens) return (this.#config.transcriptTimeoutMs ?? 180_000) + 120_000;
    return 60_000;
  }

  /** A session asked for a call: it is owed a note of its end. Called before the call's events. */
  owe(callId, sessionKey) {
    if (callId && sessionKey) this.#memory.owe(callId, sessionKey);
  }

  /** Waits for the next event of the sidecar, at most `ms`. */
  news(ms) {
    return new Promise((resolve) => {
      const heard = () => {
        clearTimeout(timer);
        this.#listeners.delete(heard);
        resolve();
      };
      const timer = setTimeout(heard, ms);
      this.#listeners.add(heard);
    });
  }

  // -- the connection -----------------------------------------------------------------------------

  #runnerOf(stateDir) {
    const { mode, command, url, tokenFile } = placeOf(this.#config);
    const folder = storeFolder(this.#config.store, stateDir);
    if (mode === "attach") return new AttachRunner({ url, tokenFile, folder });
    const document = documentOf(this.#config, this.#gatewayConfig());
    const logger = this.#logger;
    if (mode === "stdio") return new StdioRunner({ command, stateDir, document, logger });
    return new DetachedRunner({ command, stateDir, folder, document, memory: this.#memory, logger });
  }

  #hello(version) {
    const { streamId, seq } = this.#memory;
    const events = streamId !== null && seq !== null ? { since: seq, streamId } : {};
    return {
      protocolVersion: 1,
      client: { name: "openclaw-gateway", version },
      capabilities: { agent: true, events },
    };
  }

  #ready({ streamId, server, methods = [] }) {
    this.#streamId = streamId;
    this.#health?.clearFailure?.();
    const missing = METHODS.filter((method) => !methods.includes(method));
    if (missing.length) {
      this.#logger.warn?.(`voice-call-sidecar: the sidecar is too old for ${missing.join(", ")}`);
    }
    this.#logger.info?.(
      `voice-call-sidecar: the sidecar ${server?.version} is ready (${this.#runner.name})`,
    );
    this.#settle();
    this.#replaceWhenIdle();
  }

  async #asked(method, params, context) {
    if (method !== RESPOND) return undefined;
    return this.#replies.respond(params, context, (name, body) => this.#supervisor.notify(name, body));
  }

  // -- events -------------------------------------------------------------------------------------

  #told(method, event) {
    if (method !== EVENT || typeof event.type !== "string") return;
    try {
      this.#broadcast.emit(event);
    } catch (error) {
      this.#logger.debug?.(`voice-call-sidecar: ${event.type} was not passed on: ${error.message}`);
    }
    for (const heard of [...this.#listeners]) heard();
    if (RINGING.has(event.type)) this.#warm(event.callId);
    const streamId = this.#streamId;
    this.#events = this.#events.then(() => this.#handle(event, streamId));
  }

  /** In order, one after the other: what is acknowledged has been dealt with. */
  async #handle(event, streamId) {
    if (this.#stopped || !Number.isInteger(event.seq)) return;
    if (event.type === "call.ended") {
      await this.#notes.deliver(event.call);
      if (this.#stopped) return;
      this.#replies.forget(event.callId);
      this.request("events.ack", { seq: event.seq }, { patienceMs: 0 }).catch((error) =>
        this.#logger.debug?.(`voice-call-sidecar: not acknowledged: ${error.message}`),
      );
      this.#replaceWhenIdle();
    }
    if (streamId) this.#memory.handled(streamId, event.seq);
  }

  /** What ended where we could not hear it: the journal may not reach back that far. */
  async #settle() {
    for (const callId of this.#memory.owed.keys()) {
      try {
        const { found, call } = await this.request("voicecall.status", { callId });
        if (!found) this.#memory.settle(callId);
        else if (call.endReason) this.#events = this.#events.then(() => this.#notes.deliver(call));
      } catch (error) {
        this.#logger.debug?.(`voice-call-sidecar: ${error.message}`);
        return;
      }
    }
  }

  async #warm(callId) {
    try {
      const { found, call } = await this.request("voicecall.status", { callId });
      if (found && !call.endReason) {
        await this.#replies.warm({ ...call, agentId: this.#config.agentId });
      }
    } catch (error) {
      this.#logger.debug?.(`voice-call-sidecar: ${error.message}`);
    }
  }

  /** A detached sidecar that runs with an old configuration is replaced between calls. */
  async #replaceWhenIdle() {
    if (!this.#runner.isStale) return;
    try {
      const { calls } = await this.request("voicecall.status", {});
      if (calls.length || this.#stopped) return;
      this.#logger.info?.("voice-call-sidecar: the configuration changed; the sidecar is replaced");
      await this.request("sidecar.shutdown", { drainMs: 0 });
    } catch (error) {
      this.#logger.debug?.(`voice-call-sidecar: ${error.message}`);
    }
  }
}
