// The plugin's entry: says what there is. Nothing starts here; a plugin is registered many times, also
// in processes that only print help.

import { registerCli } from "./src/cli/commands.js";
import { registerBackDoor } from "./src/gateway/back_door.js";
import { registerMethods, toolOf } from "./src/gateway/forward.js";
import { registerService } from "./src/gateway/service.js";
import { ID } from "./src/settings.js";

export default {
  id: ID,
  name: "Voice Call (sidecar)",
  description: "Telephone calls through a voicecall sidecar that this plugin runs.",
  register(api) {
    registerMethods(api);
    registerBackDoor(api);
    api.registerTool((context) => toolOf(context), { names: ["voice_call"] });
    registerService(api);
    registerCli(api);
  },
};
