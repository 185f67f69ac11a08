// From the Gateway's configuration, of either version, to what the sidecar is told and how it is run.

import { SPEECH } from "./contract.js";

export const ID = "voice-call-sidecar";

const MODES = ["stdio", "attach", "detached"];
// Speech settings that the sidecar understands beside those of its schema.
const ALSO_SPEECH = ["speakerVoice", "edge", "microsoft", "providers"];
const MAIN_AGENT = "main";

/** How the sidecar is run: `{mode, command, url, tokenFile}`. Throws an Error for a person. */
export function placeOf(config) {
  const { mode = "stdio", command = ["voicecall"], url, tokenFile } = config.sidecar ?? {};
  if (!MODES.includes(mode)) throw new Error(`sidecar.mode must be one of ${MODES.join(", ")}.`);
  if (!Array.isArray(command) || !command.length || command.some((word) => typeof word !== "string")) {
    throw new Error("sidecar.command must be a list of the program and its arguments.");
  }
  return { mode, command, url, tokenFile };
}

/** Our entry of a Gateway configuration; `given` is what the Gateway hands the plugin itself. */
export function configOf(gatewayConfig, given) {
  return gatewayConfig?.plugins?.entries?.[ID]?.config ?? given ?? {};
}

/**
 * The sidecar's configuration as a Gateway configuration of its own: our entry, the core speech
 * settings of either version, and where secrets come from.
 */
export function documentOf(config, gatewayConfig = {}) {
  const own = { ...config };
  delete own.sidecar;
  if (own.tts) own.tts = knownSpeech(own.tts, SPEECH);
  if (own.numbers) {
    own.numbers = mapped(own.numbers, (entry) =>
      entry?.tts ? { ...entry, tts: knownSpeech(entry.tts, SPEECH) } : entry,
    );
  }
  const document = { plugins: { entries: { [ID]: { enabled: true, config: own } } } };
  const { messages, tts, secrets } = gatewayConfig;
  if (messages?.tts) document.messages = { tts: messages.tts };
  if (tts) document.tts = tts;
  if (secrets?.providers) document.secrets = { providers: secrets.providers };
  return document;
}

/** The Gateway's speech settings say more than what matters on a telephone; the sidecar is strict. */
function knownSpeech(value, known) {
  if (!value || typeof value !== "object" || Array.isArray(value) || !known) return value;
  const kept = {};
  for (const [name, member] of Object.entries(value)) {
    if (name in known) kept[name] = knownSpeech(member, known[name]);
    else if (ALSO_SPEECH.includes(name)) kept[name] = member;
  }
  return kept;
}

/** The agent that answers where nothing names one. */
export function defaultAgent(gatewayConfig) {
  const agents = gatewayConfig?.agents?.list;
  const list = Array.isArray(agents) ? agents.filter((agent) => agent?.id) : [];
  return (list.find((agent) => agent.default) ?? list[0])?.id ?? MAIN_AGENT;
}

/** `voice:4915…` of the sidecar as a session of the Gateway. */
export function sessionKeyOf(sessionKey, agentId, gatewayConfig) {
  if (/^agent:[^:]+:./.test(sessionKey)) return sessionKey;
  return `agent:${agentId ?? defaultAgent(gatewayConfig)}:${sessionKey}`.toLowerCase();
}

function mapped(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
