// One more Gateway method, for our command line: any verb, and the journal, with errors kept whole. The
// Gateway's own client prints only the sentence of an error, and has no way to wait for events.

import { METHODS } from "../contract.js";
import { SidecarError, Unavailable } from "../rpc/errors.js";
import { awaited } from "../singleton.js";

export const CLI_METHOD = "voicecall.cli";

const ALLOWED = new Set([...METHODS, "events.replay"]);
const WAIT_MAX_MS = 60_000;

/** `{method, params, waitMs?}` → `{result}` or `{error}`; with `waitMs` it waits for further events. */
export function registerBackDoor(api) {
  const serve = async ({ params, respond, context, signal }) => {
    try {
      respond(true, { result: await run(params ?? {}, context, signal) });
    } catch (error) {
      respond(true, { error: errorOf(error) });
    }
  };
  api.registerGatewayMethod(CLI_METHOD, serve, { scope: "operator.write" });
}

async function run({ method, params = {}, waitMs = 0 }, context, signal) {
  const house = await awaited();
  if (!house) throw new Unavailable("The voice call service is not running in this Gateway.");
  house.saw(context);
  if (!ALLOWED.has(method)) {
    throw new SidecarError({ code: -32601, message: `There is no method ${method}.` });
  }
  const options = { timeoutMs: house.deadlineOf(method, params), signal };
  const result = await house.request(method, params, options);
  if (method !== "events.replay" || result.events.length || !waitMs) return result;
  await house.news(Math.min(waitMs, WAIT_MAX_MS));
  return house.request(method, params, options);
}

function errorOf(error) {
  if (error instanceof SidecarError) {
    return { code: error.code, message: error.message, data: { ...error.data, kind: error.kind } };
  }
  const { message, data } = error;
  const kind = error instanceof Unavailable ? error.kind : "internalError";
  return { message, data: { ...data, kind, retryable: error.retryable === true, noSidecar: true } };
}
