// A plugin API as each version of the Gateway offers it, as far as the plugin uses it. Faithful where the
// versions differ: what exists, what is missing, and what is refused.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import plugin from "../../index.js";

const CONTEXT = Symbol.for("openclaw.fallbackGatewayContextState");

export const VERSIONS = ["2026.3.13", "2026.9.6"];

export class FakeGateway {
  methods = new Map();
  options = new Map();
  tools = [];
  services = [];
  hooks = new Map();
  broadcasts = [];
  runs = [];
  log = [];
  health = [];
  #listeners = new Set();
  #outcomes = new Map();

  /** `agent(run)` gives the pieces that the agent writes, or throws. */
  constructor(version, { config = {}, stateDir, agent = () => ["All right."], core = {} } = {}) {
    this.version = version;
    this.isOld = version === VERSIONS[0];
    this.stateDir = stateDir ?? fs.mkdtempSync(path.join(os.tmpdir(), "voice-call-"));
    this.agent = agent;
    this.config = { ...core, plugins: { entries: { "voice-call-sidecar": { enabled: true, config } } } };
    if (this.isOld) globalThis[CONTEXT] = { context: this.#context() };
    else delete globalThis[CONTEXT];
  }

  /** One more registration, as a Gateway makes many of; gives the service it registered. */
  register() {
    const before = this.services.length;
    plugin.register(this.api());
    return this.services[before];
  }

  api() {
    const config = this.config.plugins.entries["voice-call-sidecar"].config;
    const api = {
      id: "voice-call-sidecar",
      config: this.config,
      pluginConfig: config,
      logger: this.logger,
      runtime: this.#runtime(),
      registerGatewayMethod: (name, handler, options) => {
        this.methods.set(name, handler);
        this.options.set(name, options);
      },
      registerTool: (tool) => this.tools.push(tool),
      registerService: (service) => this.services.push(service),
      registerCli: (registrar, options) => (this.cli = { registrar, options }),
      on: (name, hook) => this.hooks.set(name, hook),
    };
    if (!this.isOld) api.registrationMode = "full";
    return api;
  }

  context() {
    const context = { config: this.config, stateDir: this.stateDir, logger: this.logger };
    if (this.isOld) return context;
    const emit = (name, payload, { scope }) => {
      if (!/^[a-z][a-z0-9_-]*$/.test(name)) throw new Error(`bad event name ${name}`);
      this.broadcasts.push({ event: `plugin.voice-call-sidecar.${name}`, payload, scope });
    };
    const reportFailure = (error) => this.health.push(error.message);
    const serviceHealth = { reportFailure, clearFailure: () => this.health.push("ok") };
    return { ...context, gatewayEvents: { emit }, serviceHealth };
  }

  async start() {
    this.service = this.register();
    await this.service.start(this.context());
    return this;
  }

  async stop() {
    await this.service?.stop(this.context());
    if (this.isOld) delete globalThis[CONTEXT];
  }

  /** A request of a client; gives `{ok, payload, error}`. */
  request(method, params, { signal } = {}) {
    return new Promise((resolve) => {
      const respond = (ok, payload, error) => resolve({ ok, payload, error });
      const request = { params, respond, context: this.#context(), client: null };
      if (!this.isOld) request.signal = signal;
      this.methods.get(method)(request);
    });
  }

  tool(params, sessionKey = "agent:main:main", signal) {
    return this.tools.at(-1)({ sessionKey, agentId: "main" }).execute("t1", params, signal);
  }

  event(type, wanted = () => true) {
    const isIt = ({ event, payload }) => event === `plugin.voice-call-sidecar.${type}` && wanted(payload);
    return until(() => this.broadcasts.find(isIt)?.payload, `the event ${type}`);
  }

  get logger() {
    const at = (level) => (text) => this.log.push(`${level} ${text}`);
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  #context() {
    return { broadcast: (event, payload) => this.broadcasts.push({ event, payload }) };
  }

  #runtime() {
    const runtime = {
      version: this.version,
      config: {},
      state: { resolveStateDir: () => this.stateDir },
      events: {
        onAgentEvent: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      subagent: {
        run: async (run) => this.#run(run),
        waitForRun: ({ runId }) => this.#outcomes.get(runId),
        getSessionMessages: async () => ({ messages: [] }),
      },
      channel: {
        reply: { dispatchReplyFromConfig: async ({ ctx }) => this.#stopRun(ctx) },
      },
    };
    if (this.isOld) return runtime;
    runtime.config.current = () => this.config;
    runtime.subagent.complete = async () => ({ text: "" });
    return runtime;
  }

  async #run(run) {
    if (this.isOld && (run.model || run.provider)) throw new Error("no such parameter");
    const runId = run.idempotencyKey;
    if (this.#outcomes.has(runId)) return { runId };
    const stopped = new AbortController();
    this.runs.push({ ...run, stop: stopped });
    this.#outcomes.set(runId, this.#write(run, runId, stopped.signal));
    return { runId };
  }

  async #write(run, runId, signal) {
    let text = "";
    try {
      for await (const piece of this.agent(run, signal)) {
        if (signal.aborted) return { status: "error", error: "aborted" };
        text += piece;
        this.#tell({ runId, stream: "assistant", data: { text, delta: piece } });
      }
    } catch (error) {
      this.#tell({ runId, stream: "lifecycle", data: { phase: "error", error: error.message } });
      return { status: "error", error: error.message };
    }
    this.#tell({ runId, stream: "lifecycle", data: { phase: "end" } });
    return { status: "ok" };
  }

  #stopRun({ CommandBody, SessionKey }) {
    const run = this.runs.findLast(({ sessionKey }) => sessionKey === SessionKey);
    if (CommandBody === "/stop") run?.stop.abort();
  }

  #tell(event) {
    for (const listener of this.#listeners) listener(event);
  }
}

/** What `look` finds, as soon as it finds something. */
export async function until(look, what, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come in ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
