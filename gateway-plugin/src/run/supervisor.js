// Keeps one connection to one sidecar: opens it, greets, watches, opens it again, ends it. How the
// sidecar is reached is the runner's matter; what is said to it, everybody else's.

import { Peer } from "../rpc/peer.js";
import { SidecarError, Unavailable } from "../rpc/errors.js";

// Asking again for these cannot do anything twice.
const REPEATABLE = new Set([
  "voicecall.status",
  "voicecall.history",
  "voicecall.latency",
  "voicecall.setup",
  "voicecall.continue.result",
]);
const FATAL = new Set(["invalidParams", "unsupportedVersion"]);

const TIMES = {
  greetMs: 30_000,
  patienceMs: 10_000,
  backoffMs: 250,
  backoffMaxMs: 30_000,
  forgiveMs: 1_000,
  pingEveryMs: 3_000,
  pingMs: 3_000,
  pingsMissed: 3,
};

export class Supervisor {
  #runner;
  #logger;
  #hello;
  #on;
  #times;
  #peer = null;
  #link = null;
  #talk = null;
  #fault = null;
  #stopping = false;
  #failures = 0;
  #waiters = new Set();
  #wake = () => {};
  #running = null;

  /**
   * `hello()` gives the params of `initialize`. `on.ready(answer)` and `on.down(why)` tell what
   * becomes of the connection; `on.request`, `on.notification` and `on.fault` are the peer's.
   */
  constructor({ runner, logger, hello, on, times = {} }) {
    this.#runner = runner;
    this.#logger = logger;
    this.#hello = hello;
    this.#on = on;
    this.#times = { ...TIMES, ...times };
  }

  get isReady() {
    return this.#peer !== null;
  }

  get pid() {
    return this.#link?.pid;
  }

  start() {
    this.#running ??= this.#run();
  }

  /** Waits until the sidecar is ready, at most `ms`; gives whether it is. Never throws. */
  async ready(ms) {
    return this.#available(ms).then(
      () => true,
      () => false,
    );
  }

  /** Ends the connection, and the process when it is ours; the rest are answered before. */
  async stop() {
    this.#stopping = true;
    this.#settle(new Unavailable("The Gateway is stopping.", { kind: "shuttingDown" }));
    this.#wake();
    if (this.#link) await this.#link.stop(this.#talk);
    await this.#running;
  }

  /** Breaks the connection off; the next one follows. */
  restart() {
    this.#link?.kill();
  }

  /** Options as of `Peer.request`, and `patienceMs`: how long to wait for a sidecar that starts. */
  async request(method, params, { patienceMs = this.#times.patienceMs, ...options } = {}) {
    const peer = this.#peer ?? (await this.#available(patienceMs));
    return peer.request(method, params, options);
  }

  notify(method, params) {
    this.#peer?.notify(method, params);
  }

  // -- the loop -----------------------------------------------------------------------------------

  async #run() {
    while (!this.#stopping) {
      let why;
      try {
        why = await this.#session();
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
      if (this.#stopping) return;
      this.#on.down?.(why);
      if (this.#fault) {
        this.#logger.error?.(`voice-call-sidecar: ${this.#fault.message}`);
        return;
      }
      const delay = this.#delay();
      this.#logger.warn?.(`voice-call-sidecar: ${why}; next try in ${delay} ms`);
      await this.#pause(delay);
    }
  }

  /** One connection from its first word to its end; gives why it ended. */
  async #session() {
    let over = null;
    let ended;
    const end = new Promise((resolve) => (ended = resolve));
    let peer = null;
    const link = await this.#runner.connect({
      onText: (text) => peer?.receive(text),
      onEnd: (why) => {
        over = why;
        peer?.close(lost);
        ended(why);
      },
    });
    peer = new Peer(link.send, this.#on);
    this.#link = link;
    this.#talk = peer;
    let watching;
    try {
      if (this.#stopping) {
        await link.stop(peer);
        return "stopping";
      }
      const answer = await this.#greet(peer);
      watching = this.#watch(peer, link);
      return await this.#serve(peer, answer, end);
    } catch (error) {
      throw over ? new Error(over) : error;
    } finally {
      clearInterval(watching);
      this.#peer = this.#link = this.#talk = null;
      if (!over && !this.#stopping) link.kill();
      await Promise.race([end, patience(1_000)]);
      peer.close(lost);
    }
  }

  async #serve(peer, answer, end) {
    const since = Date.now();
    this.#peer = peer;
    this.#on.ready?.(answer);
    for (const waiter of this.#waiters) waiter.resolve(peer);
    this.#waiters.clear();
    const why = await end;
    this.#forgive(Date.now() - since);
    return why;
  }

  async #greet(peer) {
    const params = { ...this.#hello() };
    if (this.#runner.document !== undefined) params.config = this.#runner.document;
    try {
      return await peer.request("initialize", params, { timeoutMs: this.#times.greetMs });
    } catch (error) {
      if (error instanceof SidecarError && isLasting(error)) this.#fail(error);
      throw error;
    }
  }

  /** Trying again would change nothing: everybody is told why until the configuration changes. */
  #fail(error) {
    const problems = (error.data.errors ?? []).map(({ field, problem }) => `${field}: ${problem}`);
    const text = problems.length ? `The configuration is wrong: ${problems.join("; ")}` : error.message;
    this.#fault = new Unavailable(text, {
      retryable: false,
      kind: error.kind === "invalidParams" ? "notConfigured" : error.kind,
      data: error.data,
    });
    this.#settle(this.#fault);
  }

  #watch(peer, link) {
    let missed = 0;
    const { pingEveryMs, pingMs, pingsMissed } = this.#times;
    const timer = setInterval(() => {
      peer.request("sidecar.ping", {}, { timeoutMs: pingMs }).then(
        () => (missed = 0),
        (error) => {
          if (error.kind !== "timeout" || ++missed < pingsMissed) return;
          this.#logger.error?.("voice-call-sidecar: the sidecar does not answer; it is replaced");
          link.kill();
        },
      );
    }, pingEveryMs);
    timer.unref();
    return timer;
  }

  // -- waiting ------------------------------------------------------------------------------------

  #available(ms) {
    if (this.#peer) return Promise.resolve(this.#peer);
    if (this.#fault) return Promise.reject(this.#fault);
    if (this.#stopping) {
      return Promise.reject(new Unavailable("The Gateway is stopping.", { kind: "shuttingDown" }));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Unavailable("The sidecar is not running yet; try again."));
      }, ms);
      const waiter = {
        resolve: (peer) => (clearTimeout(timer), resolve(peer)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      this.#waiters.add(waiter);
    });
  }

  #settle(error) {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /** A second of service forgives a failure: one that dies at once is tried less and less often. */
  #forgive(servedMs) {
    const forgiven = Math.floor(servedMs / this.#times.forgiveMs);
    this.#failures = Math.max(0, this.#failures - forgiven);
  }

  #delay() {
    const { backoffMs, backoffMaxMs } = this.#times;
    return Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(this.#failures++, 20));
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether the same greeting would fail again. What is reported of `config` as a whole is the machine's
 * doing, such as a port that is taken, and may pass. */
function isLasting(error) {
  const errors = error.data.errors ?? [];
  return FATAL.has(error.kind) && !(errors.length && errors.every(({ field }) => field === "config"));
}

function patience(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** What a request gets whose connection ended before its answer. */
function lost(method) {
  const repeatable = REPEATABLE.has(method);
  const advice = repeatable ? "Try again." : "Whether it was done is not known; ask voicecall.status.";
  return new Unavailable(`The sidecar went away before it answered. ${advice}`, {
    kind: "sidecarLost",
    retryable: repeatable,
  });
}
