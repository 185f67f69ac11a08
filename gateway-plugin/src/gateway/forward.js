// The Gateway methods and the agent tool: passed on to the sidecar one to one.

import { METHODS, TOOL } from "../contract.js";
import { SidecarError, Unavailable, gatewayError } from "../rpc/errors.js";
import { awaited } from "../singleton.js";

const READING = new Set([
  "voicecall.status",
  "voicecall.history",
  "voicecall.latency",
  "voicecall.setup",
  "voicecall.continue.result",
]);
const PLACING = new Set(["voicecall.initiate", "voicecall.start"]);

/** Registers every method, so that no other voice plugin can fill a gap. */
export function registerMethods(api) {
  for (const method of METHODS) {
    const scope = READING.has(method) ? "operator.read" : "operator.write";
    api.registerGatewayMethod(method, (request) => answer(method, request), { scope });
  }
}

async function answer(method, { params, respond, context, signal }) {
  try {
    const house = await needed();
    house.saw(context);
    const options = { timeoutMs: house.deadlineOf(method, params), signal };
    respond(true, await house.request(method, placed(method, params ?? {}, house, options), options));
  } catch (error) {
    const shape = gatewayError(error);
    respond(false, { error: shape.message }, shape);
  }
}

/** The bundled plugin's way to name the session that asks for a call; it stays on this side. */
function placed(method, params, house, options) {
  if (!PLACING.has(method) || !("requesterSessionKey" in params)) return params;
  const { requesterSessionKey, ...wish } = params;
  options.onResult = ({ callId }) => house.owe(callId, requesterSessionKey);
  return wish;
}

/** The tool, for the session that uses it. */
export function toolOf({ sessionKey } = {}) {
  return {
    ...TOOL,
    async execute(_toolCallId, params, signal) {
      try {
        return await runTool(params ?? {}, sessionKey, signal);
      } catch (error) {
        return failure(error);
      }
    },
  };
}

async function runTool(params, sessionKey, signal) {
  const house = await needed();
  if (params.action === "end_call" && house.replies.hangUp(params.callId, sessionKey)) {
    return result({ success: true });
  }
  const timeoutMs = house.deadlineOf("voicecall.tool", params);
  const onResult = ({ details }) => {
    if (details?.initiated) house.owe(details.callId, sessionKey);
  };
  return house.request("voicecall.tool", params, { timeoutMs, signal, onResult });
}

async function needed() {
  const house = await awaited();
  if (house) return house;
  throw new Unavailable("The voice call service is not running in this Gateway.");
}

function result(details) {
  return { content: [{ type: "text", text: JSON.stringify(details) }], details };
}

/** Agents expect a failure as a result. */
function failure(error) {
  const known = error instanceof SidecarError || error instanceof Unavailable;
  const { message, details } = gatewayError(error);
  const { kind, retryable } = known ? error : details;
  return result({ error: message, kind, retryable: retryable === true });
}
