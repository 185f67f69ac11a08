// The commands that stay: they ask for the events after the last one they have seen, and the Gateway
// answers when there are some.

import { DONE, FAILED, ask } from "./gateway.js";
import { line, note, print, printSetup, showing } from "./output.js";

const WAIT_MS = 25_000;
const BEYOND = Number.MAX_SAFE_INTEGER;
const WENT_WELL = new Set(["completed", "hangup-user", "hangup-bot", "voicemail"]);

/** Prints the last `since` events, then live ones, until it is interrupted. */
export async function tail({ since, callId, json }) {
  const { lastSeq } = await ask("events.replay", { since: BEYOND });
  for await (const event of events(Math.max(0, lastSeq - since))) {
    if (!callId || event.callId === callId) show(event, { json });
  }
  return DONE;
}

/** Shows a call until it ends; 1 when it did not go well. */
export async function followCall(callId, given) {
  const ended = await watch(callId, (event) => show(event, given));
  return WENT_WELL.has(ended.reason) ? DONE : FAILED;
}

export async function smoke(given) {
  const { to, message, mode, yes } = given;
  const result = await ask("voicecall.setup", {});
  if (showing(given)) printSetup(result);
  if (!result.ok || !yes || !to) {
    if (!showing(given)) print(result, given);
    if (result.ok) note("no call was placed; to place one, give --to NUMBER and --yes");
    return result.ok ? DONE : FAILED;
  }
  const { callId } = await ask("voicecall.initiate", { to, message, mode });
  const { reason } = await watch(callId, (event) => showing(given) && show(event, given));
  if (!showing(given)) print({ ...result, callId, endReason: reason }, given);
  return WENT_WELL.has(reason) ? DONE : FAILED;
}

async function watch(callId, onEvent) {
  const { call } = await ask("voicecall.status", { callId });
  const { lastSeq } = await ask("events.replay", { since: BEYOND });
  if (call.endReason) {
    const ended = { type: "call.ended", callId, reason: call.endReason, at: call.endedAt };
    onEvent(ended);
    return ended;
  }
  for await (const event of events(Math.max(0, lastSeq - 25))) {
    if (event.callId !== callId) continue;
    onEvent(event);
    if (event.type === "call.ended") return event;
  }
  throw new Error("unreachable");
}

async function* events(since) {
  for (let last = since; ; ) {
    const found = await ask("events.replay", { since: last }, { waitMs: WAIT_MS });
    for (const event of found.events) {
      last = event.seq;
      yield event;
    }
  }
}

function show(event, given) {
  if (!showing(given)) return line(event);
  const time = new Date(event.at).toLocaleTimeString();
  const words = event.transcript ?? event.text ?? event.reason ?? event.message ?? "";
  process.stdout.write(`${time}  ${event.type}  ${words}\n`);
}
