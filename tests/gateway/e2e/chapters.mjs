// The chapters in the order of the story. Each finds a Gateway that runs, unless it starts its own.

import { gatewayCrash, hundredKills, sidecarCrash, stops } from "./chapters/ends.mjs";
import { connect, bundledConfiguration } from "./chapters/connect.mjs";
import { events, methods, tool, commandLine } from "./chapters/doors.mjs";
import { detachedRestart, detachedCrash } from "./chapters/detached.mjs";
import { conversation, cancelled, hangUp, note } from "./chapters/talk.mjs";

export const chapters = {
  connect,
  bundledConfiguration,
  methods,
  events,
  tool,
  commandLine,
  conversation,
  cancelled,
  hangUp,
  note,
  sidecarCrash,
  hundredKills,
  gatewayCrash,
  stops,
  detachedRestart,
  detachedCrash,
};
