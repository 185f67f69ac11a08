// The plugin's service: the only place where a sidecar is started and stopped.

import { createHash } from "node:crypto";
import os from "node:os";
import path from "node:path";

import { House } from "../house.js";
import { ID, configOf } from "../settings.js";
import { close, current, open } from "../singleton.js";
import { splitModel } from "./agent.js";

// A Gateway gives a service five seconds to start.
const START_MS = 3_000;

export function registerService(api) {
  const owner = {};
  api.registerService({
    id: ID,
    // Where the Gateway restarts services by path: the speech settings are part of what we pass on.
    reload: { configPrefixes: ["tts", "messages.tts"] },
    start: (context) => start(api, owner, context),
    stop: () => close(owner),
  });
  // Only 2026.3 needs the hook: later versions are told the model when the run begins.
  if (api.registrationMode === undefined) api.on?.("before_model_resolve", modelHook);
}

async function start(api, owner, context) {
  const gatewayConfig = () => api.runtime?.config?.current?.() ?? context.config ?? api.config ?? {};
  const config = configOf(context.config ?? gatewayConfig(), api.pluginConfig);
  const logger = context.logger ?? api.logger;
  const stateDir = stateDirOf(api, context);
  const house = await open(owner, markOf(config, gatewayConfig(), stateDir), () => {
    return new House({
      config,
      gatewayConfig,
      logger,
      stateDir,
      version: String(api.runtime?.version ?? "unknown"),
    });
  });
  house.bind({ ...context, runtime: api.runtime });
  await house.start(START_MS);
}

function stateDirOf(api, context) {
  return (
    context.stateDir ?? api.runtime?.state?.resolveStateDir?.() ?? path.join(os.homedir(), ".openclaw")
  );
}

/** Two registrations with the same mark want the same sidecar. */
function markOf(config, { messages, tts, secrets }, stateDir) {
  const wish = [config, messages?.tts, tts, secrets?.providers, stateDir];
  return createHash("sha256").update(JSON.stringify(wish)).digest("hex");
}

function modelHook(_event, { sessionKey } = {}) {
  const model = sessionKey ? current()?.modelOf(sessionKey) : undefined;
  if (!model) return undefined;
  const { provider, model: name } = splitModel(model);
  return { modelOverride: name, ...(provider ? { providerOverride: provider } : {}) };
}
