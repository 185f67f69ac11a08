// When a call has ended, the session that asked for it is told: the outcome and the transcript, once.

const TRIES = 6;
const RETRY_MS = 1_000;
const TEXT_MAX = 12_000;

const OUTCOMES = {
  completed: "it was completed",
  "hangup-user": "the other party hung up",
  "hangup-bot": "we hung up",
  timeout: "it reached its time limit",
  error: "it failed in the middle",
  failed: "it could not be placed",
  "no-answer": "nobody answered",
  busy: "the line was busy",
  voicemail: "voicemail answered",
};

export class Notes {
  #agent;
  #memory;
  #logger;
  #stopped = new AbortController();

  constructor({ agent, memory, logger }) {
    this.#agent = agent;
    this.#memory = memory;
    this.#logger = logger;
  }

  /** Delivers what is owed for an ended call, if anything is; tries again when the Gateway refuses. */
  async deliver(call) {
    const owed = this.#memory.owed.get(call.callId);
    if (!owed) return;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (this.#stopped.signal.aborted) return;
      try {
        await this.#post(owed.sessionKey, call);
        this.#memory.settle(call.callId);
        return;
      } catch (error) {
        this.#logger.debug?.(`voice-call-sidecar: a note was refused: ${error.message}`);
        await this.#pause(RETRY_MS * 2 ** attempt);
      }
    }
    this.#logger.warn?.("voice-call-sidecar: a session could not be told how its call ended");
    this.#memory.settle(call.callId);
  }

  stop() {
    this.#stopped.abort();
  }

  /** A session that has never heard from a channel has nowhere to deliver its answer to. */
  async #post(sessionKey, call) {
    const turn = { sessionKey, message: noteOf(call), runId: `voice-ended-${call.callId}` };
    try {
      await this.#agent.post({ ...turn, deliver: true });
    } catch {
      await this.#agent.post({ ...turn, deliver: false });
    }
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#stopped.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), {
        once: true,
      });
    });
  }
}

export function noteOf(call) {
  const other = call.direction === "inbound" ? call.from : call.to;
  const outcome = OUTCOMES[call.endReason] ?? call.endReason;
  const seconds = call.answeredAt ? Math.round((call.endedAt - call.answeredAt) / 1_000) : 0;
  const lines = call.transcript.map(
    ({ speaker, text, interrupted }) =>
      `${speaker === "bot" ? "We" : "They"}: ${text}${interrupted ? " (interrupted)" : ""}`,
  );
  const length = call.answeredAt ? ` after ${seconds} s` : "";
  const head =
    `[Telephone] The call to ${other} that you placed (${call.callId}) has ended${length}: ` +
    `${outcome} (${call.endReason}).`;
  const said = lines.length ? `Transcript:\n${lines.join("\n").slice(-TEXT_MAX)}` : "Nothing was said.";
  return (
    `${head}\n\n${said}\n\nTell the user in a sentence or two what came of it. If you have told them ` +
    "already, reply with NO_REPLY."
  );
}
