// What goes wrong between the Gateway and the sidecar, and how the Gateway's clients see it.

import { KINDS } from "../contract.js";

/** The sidecar answered with an error: its code, its sentence, its data. */
export class SidecarError extends Error {
  constructor({ code, message, data } = {}) {
    super(typeof message === "string" && message ? message : "The sidecar failed.");
    this.name = "SidecarError";
    this.code = code;
    this.data = data && typeof data === "object" ? data : {};
  }

  get kind() {
    return this.data.kind ?? KINDS[String(this.code)] ?? "internalError";
  }

  get retryable() {
    return this.data.retryable === true;
  }
}

/** The sidecar could not be asked, or went away before it answered. */
export class Unavailable extends Error {
  constructor(message, { retryable = true, kind = "unavailable", data = {} } = {}) {
    super(message);
    this.name = "Unavailable";
    this.retryable = retryable;
    this.kind = kind;
    this.data = data;
  }
}

// Faults on our side; everything else is something the client can put right.
const OURS = new Set([
  "internalError",
  "carrierUnavailable",
  "storeUnavailable",
  "shuttingDown",
  "overloaded",
]);

/** The error as a Gateway sends it: `{code, message, details, retryable, retryAfterMs?}`. */
export function gatewayError(error) {
  const known = error instanceof SidecarError || error instanceof Unavailable;
  if (!known) {
    return {
      code: "UNAVAILABLE",
      message: "The voice call plugin failed; the Gateway's log says more.",
      details: { kind: "internalError", retryable: false },
      retryable: false,
    };
  }
  const { kind, retryable, data } = error;
  const ours = error instanceof Unavailable || OURS.has(kind);
  const result = {
    code: ours ? "UNAVAILABLE" : "INVALID_REQUEST",
    message: error.message,
    details: { ...data, kind, retryable },
    retryable,
  };
  if (error instanceof SidecarError) result.details.code = error.code;
  if (Number.isFinite(data.retryAfterMs)) result.retryAfterMs = data.retryAfterMs;
  return result;
}
