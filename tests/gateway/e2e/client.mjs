// A client of the Gateway's WebSocket protocol, as an operator with a device of its own.

import { createHash, generateKeyPairSync, sign } from "node:crypto";

const SCOPES = ["operator.read", "operator.write", "operator.admin"];
const CLIENT = { id: "gateway-client", version: "e2e", platform: "linux", mode: "backend" };

export class GatewayError extends Error {
  constructor(error) {
    super(error?.message ?? "no error given");
    Object.assign(this, error);
  }
}

export class GatewayClient {
  #socket;
  #pending = new Map();
  #lastId = 0;
  #news = new Set();

  /** Every event that came in, in order. */
  events = [];

  static async open(port, token) {
    const client = new GatewayClient();
    await client.#connect(`ws://127.0.0.1:${port}`, token);
    return client;
  }

  /** `final` waits for the second answer, which only some methods give. */
  request(method, params = {}, { timeoutMs = 30_000, final = false } = {}) {
    const id = `r${++this.#lastId}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${method} was not answered in ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(id, { resolve, reject, final, timer });
      this.#socket.send(JSON.stringify({ type: "req", id, method, params }));
    });
  }

  /** The error that a request is answered with. */
  async refused(method, params, options) {
    try {
      await this.request(method, params, options);
    } catch (error) {
      if (error instanceof GatewayError) return error;
      throw error;
    }
    throw new Error(`${method} succeeded; it should not`);
  }

  /** The first event from `since` on that `wanted` accepts. */
  async event(wanted, { since = 0, timeoutMs = 30_000, what = "event" } = {}) {
    const until = Date.now() + timeoutMs;
    let place = since;
    for (;;) {
      for (; place < this.events.length; place += 1) {
        if (wanted(this.events[place])) return this.events[place];
      }
      const left = until - Date.now();
      const seen = this.events.slice(since).map(({ event }) => event);
      if (left <= 0) throw new Error(`no ${what} in ${timeoutMs} ms; seen: ${[...new Set(seen)]}`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 1_000));
        this.#news.add(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  /** The payload of a call's event, by its type on the sidecar's wire with dashes. */
  async call(type, callId, options = {}) {
    const name = `plugin.voice-call-sidecar.${type}`;
    const isIt = ({ event, payload }) => event === name && (!callId || payload.callId === callId);
    return (await this.event(isIt, { what: `${type} of ${callId}`, ...options })).payload;
  }

  get mark() {
    return this.events.length;
  }

  close() {
    this.#socket.close();
  }

  async #connect(url, token) {
    const socket = (this.#socket = new WebSocket(url));
    await new Promise((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => this.#received(JSON.parse(data), token, resolve, reject));
      socket.addEventListener("error", () => reject(new Error("the Gateway cannot be reached")));
      socket.addEventListener("close", ({ code, reason }) => {
        const gone = new Error(`the Gateway closed the connection (${code} ${reason})`);
        reject(gone);
        for (const { reject: fail, timer } of this.#pending.values()) {
          clearTimeout(timer);
          fail(gone);
        }
        this.#pending.clear();
      });
    });
  }

  #received(frame, token, ready, refuse) {
    if (frame.type === "res") this.#answered(frame);
    else if (frame.event === "connect.challenge") {
      this.request("connect", hello(frame.payload, token)).then((answer) => {
        this.hello = answer;
        ready();
      }, refuse);
    } else {
      this.events.push({ ...frame, at: performance.now() });
      for (const wake of this.#news) wake();
      this.#news.clear();
    }
  }

  #answered({ id, ok, payload, error }) {
    const waiting = this.#pending.get(id);
    if (!waiting) return;
    if (ok && waiting.final && payload?.status === "accepted") return;
    this.#pending.delete(id);
    clearTimeout(waiting.timer);
    if (ok) waiting.resolve(payload);
    else waiting.reject(new GatewayError(error));
  }
}

const keys = generateKeyPairSync("ed25519");
const rawKey = keys.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
const deviceId = createHash("sha256").update(rawKey).digest("hex");

function hello({ nonce, ts }, token) {
  const parts = ["v3", deviceId, CLIENT.id, CLIENT.mode, "operator", SCOPES.join(","), String(ts)];
  const text = [...parts, token, nonce, CLIENT.platform, ""].join("|");
  return {
    minProtocol: 3,
    maxProtocol: 4,
    client: CLIENT,
    role: "operator",
    scopes: SCOPES,
    caps: [],
    auth: { token },
    device: {
      id: deviceId,
      publicKey: rawKey.toString("base64url"),
      signature: sign(null, Buffer.from(text), keys.privateKey).toString("base64url"),
      signedAt: ts,
      nonce,
    },
  };
}
