// A real Gateway in a home of its own: its configuration, its process, its command line.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

import { GatewayClient } from "./client.mjs";

const TOKEN = "e2e-token-1f6b";
const SKIP = [
  "BONJOUR=DISABLE",
  ...["CHANNELS", "CRON", "GMAIL_WATCHER", "BROWSER_CONTROL_SERVER", "CANVAS_HOST"].map((name) => `${name}=SKIP`),
];

export class Gateway {
  #clients = [];

  constructor({ version, openclaw, model, root }) {
    this.version = version;
    this.isOld = version.startsWith("2026.3.");
    this.#openclaw = openclaw;
    this.#model = model;
    this.root = root;
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), "gateway-e2e-"));
    this.stateDir = path.join(this.home, "state");
    this.store = path.join(this.stateDir, "voice-calls");
    this.configPath = path.join(this.home, "openclaw.json");
    for (const name of ["state", "tmp", "ws"]) fs.mkdirSync(path.join(this.home, name), { mode: 0o700 });
    fs.chmodSync(this.home, 0o700);
  }

  #openclaw;
  #model;

  /** A fresh Gateway that has never heard of us. */
  async configure() {
    this.port = await freePort();
    this.#write({
      ...(this.isOld ? {} : { tools: { toolSearch: false } }),
      gateway: {
        mode: "local",
        bind: "loopback",
        port: this.port,
        auth: { mode: "token", token: TOKEN },
        controlUi: { enabled: false },
        reload: { mode: "off" },
      },
      discovery: { mdns: { mode: "off" } },
      update: { checkOnStart: false },
      logging: { file: path.join(this.home, "openclaw.log") },
      models: { mode: "merge", providers: { mock: provider(this.#model.url) } },
      agents: {
        defaults: {
          model: { primary: "mock/m1" },
          workspace: path.join(this.home, "ws"),
          skipBootstrap: true,
          heartbeat: { every: "0m" },
        },
      },
      // Without a list, 2026.3 compiles every plugin it ships at each start; installing adds ours to it.
      plugins: { allow: ["device-pair"], slots: { memory: "none" } },
    });
  }

  get settings() {
    return this.#read().plugins.entries["voice-call-sidecar"].config;
  }

  /** Another configuration of the plugin; the Gateway is stopped. */
  set settings(config) {
    const document = this.#read();
    document.plugins.entries["voice-call-sidecar"].config = config;
    this.#write(document);
  }

  #read() {
    return JSON.parse(fs.readFileSync(this.configPath, "utf8"));
  }

  #write(document) {
    fs.writeFileSync(this.configPath, JSON.stringify(document, null, 2), { mode: 0o600 });
  }

  async start({ ready = true } = {}) {
    const began = performance.now();
    const out = fs.openSync(path.join(this.home, "gateway.out"), "a");
    this.process = spawn(
      process.execPath,
      [this.#openclaw, "gateway", "run", "--port", String(this.port), "--bind", "loopback"],
      { cwd: this.home, env: this.environment, stdio: ["ignore", out, out] },
    );
    fs.closeSync(out);
    this.ended = new Promise((resolve) =>
      this.process.once("exit", (code, signal) => resolve({ code, signal })),
    );
    if (ready) await this.#readiness();
    return performance.now() - began;
  }

  async #readiness() {
    const until = Date.now() + 240_000;
    for (;;) {
      if (this.process.exitCode !== null) throw new Error(`the Gateway ended: ${this.lastOutput()}`);
      const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`).then((r) => r.json(), () => null);
      if (answer?.ready) return;
      if (Date.now() > until) throw new Error(`the Gateway was not ready in time: ${this.lastOutput()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async client() {
    const client = await GatewayClient.open(this.port, TOKEN);
    this.#clients.push(client);
    return client;
  }

  /** The Gateway's own end; gives how long it took and with which code. */
  async stop(signal = "SIGTERM") {
    if (!this.process) return null;
    const began = performance.now();
    this.process.kill(signal);
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 60_000);
    const ending = await this.ended;
    clearTimeout(timer);
    for (const client of this.#clients.splice(0)) client.close();
    this.process = null;
    return { ms: performance.now() - began, ...ending };
  }

  /** `openclaw ...`: `{code, stdout, stderr}`. */
  cli(words, { timeoutMs = 120_000 } = {}) {
    const child = spawn(process.execPath, [this.#openclaw, ...words], {
      cwd: this.home,
      env: this.environment,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    });
    const texts = { stdout: "", stderr: "" };
    child.stdout.on("data", (part) => (texts.stdout += part));
    child.stderr.on("data", (part) => (texts.stderr += part));
    return new Promise((resolve) => child.once("close", (code) => resolve({ code, ...texts })));
  }

  /** Tool without a model, over HTTP. */
  async tool(args, sessionKey = "agent:main:main") {
    const response = await fetch(`http://127.0.0.1:${this.port}/tools/invoke`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ tool: "voice_call", args, sessionKey }),
    });
    const body = await response.json();
    if (!body.ok) throw new Error(`/tools/invoke: ${JSON.stringify(body)}`);
    return body.result;
  }

  /** A program that is `openclaw` in this home. */
  get launcher() {
    return `#!/bin/sh\nexec "${process.execPath}" "${this.#openclaw}" "$@"\n`;
  }

  get lock() {
    try {
      const lock = JSON.parse(fs.readFileSync(path.join(this.store, "sidecar.json"), "utf8"));
      return isAlive(lock.pid) ? lock : null;
    } catch {
      return null;
    }
  }

  get environment() {
    const keep = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => /^(PATH|LANG|LC_.*|TERM)$/.test(name)),
    );
    const switches = Object.fromEntries(
      SKIP.map((one) => one.split("=")).map(([name, what]) => [`OPENCLAW_${what}_${name}`, "1"]),
    );
    return {
      ...keep,
      ...switches,
      HOME: this.home,
      OPENCLAW_STATE_DIR: this.stateDir,
      OPENCLAW_CONFIG_PATH: this.configPath,
      TMPDIR: path.join(this.home, "tmp"),
      OPENCLAW_NO_RESPAWN: "1",
      OPENCLAW_NO_AUTO_UPDATE: "1",
      NO_COLOR: "1",
    };
  }

  lastOutput() {
    const text = fs.readFileSync(path.join(this.home, "gateway.out"), "utf8");
    return text.slice(-3_000);
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

export async function until(look, what, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come in ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function provider(baseUrl) {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
  const model = { reasoning: false, input: ["text"], contextWindow: 128_000, maxTokens: 4_096, cost };
  const models = ["m1", "m2"].map((id) => ({ ...model, id, name: id }));
  return { baseUrl, apiKey: "x", api: "openai-completions", models };
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
