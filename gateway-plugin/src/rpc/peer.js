// JSON-RPC 2.0 in both directions over a link that carries one text at a time. Knows no method.

import { SidecarError, Unavailable } from "./errors.js";

const CANCEL = "$/cancelRequest";
const INTERNAL = { code: -32603, message: "The Gateway failed to answer." };
const UNKNOWN = { code: -32601, message: "The Gateway has no such method." };

export class Peer {
  #send;
  #on;
  #lastId = 0;
  #pending = new Map();
  #running = new Map();
  #closed = null;

  /**
   * `send(text)` may throw. `on.request(method, params, {id, signal})` gives a promise, or undefined
   * for a method that is not known; `on.notification(method, params)`; `on.fault(error)` for what
   * is wrong with the stream itself.
   */
  constructor(send, on) {
    this.#send = send;
    this.#on = on;
  }

  /**
   * `onResult` runs in the same turn as the answer is read, before anything that came after it.
   * The promise is always settled: by the answer, the deadline, the signal or `close`.
   */
  request(method, params, { timeoutMs, signal, onResult } = {}) {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const waiting = { method, resolve, reject, onResult, release: () => {} };
      const giveUp = (error) => {
        if (!this.#pending.delete(id)) return;
        waiting.release();
        this.notify(CANCEL, { id });
        reject(error);
      };
      const onAbort = () =>
        giveUp(new Unavailable("The request was cancelled.", { kind: "cancelled", retryable: false }));
      const timer = timeoutMs
        ? setTimeout(() => giveUp(late(method, timeoutMs)), timeoutMs)
        : undefined;
      waiting.release = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#pending.set(id, waiting);
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#write({ jsonrpc: "2.0", id, method, params });
    });
  }

  notify(method, params) {
    this.#write({ jsonrpc: "2.0", method, params });
  }

  /** One text from the other side. Nothing that it holds makes this throw. */
  receive(text) {
    if (this.#closed || !text.trim()) return;
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.#on.fault?.(new Error("The sidecar sent a line that is not JSON."));
      return;
    }
    if (message === null || typeof message !== "object" || Array.isArray(message)) return;
    if (typeof message.method !== "string") this.#answered(message);
    else if ("id" in message) this.#asked(message);
    else if (message.method === CANCEL) this.#running.get(message.params?.id)?.abort();
    else this.#on.notification?.(message.method, message.params ?? {});
  }

  /** The link is gone: every waiting request is answered with what `errorOf(method)` says. */
  close(errorOf) {
    if (this.#closed) return;
    this.#closed = errorOf("");
    for (const waiting of this.#pending.values()) {
      waiting.release();
      waiting.reject(errorOf(waiting.method));
    }
    this.#pending.clear();
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
  }

  #answered(message) {
    const waiting = this.#pending.get(message.id);
    if (!waiting) return;
    this.#pending.delete(message.id);
    waiting.release();
    if (message.error) {
      waiting.reject(new SidecarError(message.error));
      return;
    }
    try {
      waiting.onResult?.(message.result);
    } catch (error) {
      this.#on.fault?.(error);
    }
    waiting.resolve(message.result);
  }

  async #asked({ id, method, params }) {
    const controller = new AbortController();
    this.#running.set(id, controller);
    let answer;
    try {
      const result = this.#on.request?.(method, params ?? {}, { id, signal: controller.signal });
      answer = result === undefined ? { error: UNKNOWN } : { result: (await result) ?? {} };
    } catch (error) {
      if (!controller.signal.aborted) this.#on.fault?.(error);
      answer = { error: INTERNAL };
    }
    if (this.#running.get(id) === controller) this.#running.delete(id);
    this.#write({ jsonrpc: "2.0", id, ...answer });
  }

  #write(message) {
    if (this.#closed) return;
    try {
      this.#send(JSON.stringify(message));
    } catch (error) {
      // The link's own end follows and answers whoever waits.
      this.#on.fault?.(error);
    }
  }
}

function late(method, timeoutMs) {
  return new Unavailable(`${method} was not answered within ${timeoutMs} ms.`, {
    kind: "timeout",
    retryable: false,
  });
}
