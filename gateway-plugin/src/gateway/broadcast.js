// Events to the Gateway's clients, under one name in both versions: `plugin.voice-call-sidecar.<type>`
// with dashes, such as `call-barge-in`.

import { ID } from "../settings.js";

const SCOPE = "operator.read";
const BYTES_MAX = 200_000;
// Where 2026.3 keeps the context of its server; later versions have `gatewayEvents` instead.
const CONTEXT = Symbol.for("openclaw.fallbackGatewayContextState");

export function eventName(type) {
  return type.replaceAll(".", "-").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export class Broadcast {
  #events = null;
  #latest = null;

  /** The Gateway's own emitter, where it has one. */
  bind(gatewayEvents) {
    this.#events = gatewayEvents ?? null;
  }

  /** The context of a request that just came in: the last way to reach clients in 2026.3. */
  saw(context) {
    if (typeof context?.broadcast === "function") this.#latest = context;
  }

  get context() {
    return globalThis[CONTEXT]?.context ?? this.#latest;
  }

  emit(event) {
    const name = eventName(event.type);
    const payload = slim(event);
    if (this.#events) this.#events.emit(name, payload, { scope: SCOPE });
    else this.context?.broadcast?.(`plugin.${ID}.${name}`, payload);
  }
}

/** The event, or what of it fits: the record of a long call may be more than a Gateway passes on. */
function slim(event) {
  if (!event.call || JSON.stringify(event).length <= BYTES_MAX) return event;
  const { transcript, turns, metadata, ...call } = event.call;
  return { ...event, call: { ...call, transcript: [], turns: [], metadata: {} }, truncated: true };
}
