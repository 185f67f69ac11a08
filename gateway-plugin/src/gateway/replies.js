// `agent.respond`: the caller spoke, and the Gateway's agent says what to answer.

import { randomUUID } from "node:crypto";

import { sessionKeyOf } from "../settings.js";

const LINES_MAX = 20;
const WARM_MS = 60_000;
const WARM_TALK = "conversation";

export class Replies {
  #agent;
  #config;
  #logger;
  #open = new Map();
  #warmed = new Set();
  #stopping = new Map();

  /** `config()` is the Gateway's present configuration. */
  constructor({ agent, config, logger }) {
    this.#agent = agent;
    this.#config = config;
    this.#logger = logger;
  }

  /** Gives `{text?, endCall?}`; what was streamed is not repeated in `text`. */
  async respond(params, { id, signal }, notify) {
    const sessionKey = sessionKeyOf(params.sessionKey, params.agentId, this.#config());
    const turn = { callId: params.callId, sessionKey, endCall: false };
    this.#open.set(id, turn);
    let streamed = false;
    try {
      await this.#stopping.get(sessionKey);
      const { text } = await this.#run(params, sessionKey, signal, (piece) => {
        streamed = true;
        notify("agent.delta", { requestId: id, text: piece });
      });
      const result = turn.endCall ? { endCall: true } : {};
      return streamed || text === null ? result : { ...result, text };
    } finally {
      this.#open.delete(id);
    }
  }

  /** Remembers how a stopped turn ends: the next one of its session must not begin before that. */
  async #run(params, sessionKey, signal, onDelta) {
    const turn = this.#agent.turn({
      sessionKey,
      message: params.message,
      system: instructions(params),
      model: params.model,
      timeoutMs: params.timeoutMs,
      signal,
      runId: `voice-${params.callId}-${randomUUID()}`,
      onDelta: (piece) => {
        if (!signal.aborted) onDelta(piece);
      },
    });
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#stopping.set(sessionKey, settled);
    settled.then(() => {
      if (this.#stopping.get(sessionKey) === settled) this.#stopping.delete(sessionKey);
    });
    return turn;
  }

  /**
   * The agent hangs up from within its reply: the call ends after that reply was said. Gives whether
   * it was such a hang-up; any other is the sidecar's to do at once.
   */
  hangUp(callId, sessionKey) {
    for (const turn of this.#open.values()) {
      if (turn.callId === callId && turn.sessionKey === sessionKey?.toLowerCase()) {
        turn.endCall = true;
        return true;
      }
    }
    return false;
  }

  /** The phone rings: wake the call's session, so that the caller does not wait for that. */
  async warm(call) {
    const talks = call.transcript?.some(({ speaker }) => speaker === "user");
    if (call.mode !== WARM_TALK || talks || this.#warmed.has(call.callId)) return;
    this.#warmed.add(call.callId);
    const config = this.#config();
    const sessionKey = sessionKeyOf(call.sessionKey, call.agentId, config);
    try {
      await this.#agent.turn({
        sessionKey,
        message: announcement(call),
        timeoutMs: WARM_MS,
        runId: `voice-warm-${call.callId}`,
      });
    } catch (error) {
      this.#logger.debug?.(`voice-call-sidecar: the session was not warmed: ${error.message}`);
    }
  }

  forget(callId) {
    this.#warmed.delete(callId);
  }
}

function announcement({ direction, from, to, transcript }) {
  const other = direction === "inbound" ? `from ${from}` : `to ${to}`;
  const opening = transcript?.find((line) => line.speaker === "bot")?.text;
  const said = opening ? ` It opens with: "${opening}"` : "";
  return `[Telephone] An ${direction} call ${other} is starting.${said} Do not answer this; reply with NO_REPLY.`;
}

function instructions({ systemPrompt, callId, direction, from, to, transcript }) {
  const other = direction === "inbound" ? from : to;
  const lines = (transcript ?? []).slice(0, -1).slice(-LINES_MAX);
  const before = lines.map(({ speaker, text }) => `${speaker === "bot" ? "You" : "Caller"}: ${text}`);
  return [
    systemPrompt,
    `You are on the telephone with ${other} (call ${callId}, ${direction}). What you write is spoken ` +
      "to the caller as you write it. Do not use voice_call to speak or to listen on this call. To " +
      `hang up after your words, use voice_call with action end_call and callId ${callId}.`,
    before.length ? `The call so far:\n${before.join("\n")}` : "",
  ]
    .filter(Boolean)
    .join("\n\n");
}
