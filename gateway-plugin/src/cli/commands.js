// `openclaw voicecall ...`: the commands of the sidecar's own `voicecall`, asked of the running Gateway.
// Nothing here starts a sidecar.

import { configOf, placeOf } from "../settings.js";
import { followCall, smoke, tail } from "./follow.js";
import { ask } from "./gateway.js";
import { runProgram } from "./local.js";
import { finish, print, printSetup, showing } from "./output.js";

const MINUTE_MS = 60_000;

export function registerCli(api) {
  api.registerCli(({ program }) => commands(program, api), {
    commands: ["voicecall"],
    descriptors: [
      { name: "voicecall", description: "Telephone calls", hasSubcommands: true },
    ],
  });
}

function commands(program, api) {
  const root = program.command("voicecall").description("Telephone calls");
  const place = () => placeOf(configOf(api.runtime?.config?.current?.() ?? api.config, api.pluginConfig));
  placing(root);
  talking(root);
  looking(root, place);
  local(root, place);
}

/** A subcommand whose work gives the exit code, or nothing for success. */
function add(root, name, description, options, work) {
  const command = root.command(name).description(description);
  for (const [flags, text, fallback] of options) {
    if (flags.startsWith("!")) command.requiredOption(flags.slice(1), text);
    else command.option(flags, text, fallback);
  }
  command.option("--json", "print JSON; the default when stdout is not a terminal");
  command.exitOverride?.((error) => {
    process.exit(error.exitCode === 0 ? 0 : 2);
  });
  command.action((given) => finish(() => work(given), given));
}

/** A verb: its params from options, its result printed. */
function verb(root, name, { description, options, method, params, timeoutMs }) {
  add(root, name, description, options, async (given) => {
    print(await ask(method, wish(params(given)), { timeoutMs }), given);
  });
}

const TO = "whom to call, such as +15550001234";
const MODE = ["--mode <mode>", "notify or conversation", "conversation"];
const FOLLOW = ["--follow", "show the call until it ends"];

function placing(root) {
  const call = (method) => async (given) => {
    const { message, to, mode } = given;
    const { callId } = await ask(method, wish({ message, to, mode }));
    print({ callId }, given);
    return given.follow ? followCall(callId, given) : undefined;
  };
  add(
    root,
    "call",
    "place a call and print its id",
    [["!-m, --message <text>", "what to say"], ["-t, --to <number>", `${TO}; else toNumber`], MODE, FOLLOW],
    call("voicecall.initiate"),
  );
  add(
    root,
    "start",
    "place a call, with or without a first message",
    [["!-t, --to <number>", TO], ["-m, --message <text>", "what to say first"], MODE, FOLLOW],
    call("voicecall.start"),
  );
  add(
    root,
    "smoke",
    "check the set-up, then place a real call, only with --to and --yes",
    [
      ["-t, --to <number>", TO],
      ["-m, --message <text>", "what to say", "This is a test call. Everything works."],
      ["--mode <mode>", "notify or conversation", "notify"],
      ["--yes", "really place the call, which may cost money"],
    ],
    smoke,
  );
}

const CALL = ["!--call-id <id>", "the call: our id, or the carrier's"];

function talking(root) {
  verb(root, "continue", {
    description: "say something and wait for the answer",
    options: [CALL, ["!-m, --message <text>", "what to say"]],
    method: "voicecall.continue",
    params: ({ callId, message }) => ({ callId, message }),
    timeoutMs: 6 * MINUTE_MS,
  });
  verb(root, "speak", {
    description: "say something without waiting for an answer",
    options: [CALL, ["!-m, --message <text>", "what to say"]],
    method: "voicecall.speak",
    params: ({ callId, message }) => ({ callId, message }),
  });
  verb(root, "dtmf", {
    description: "press keys on the call",
    options: [CALL, ["!--digits <keys>", "0-9 A-D * #; w waits 0.5 s, W waits 1 s"]],
    method: "voicecall.dtmf",
    params: ({ callId, digits }) => ({ callId, digits }),
  });
  verb(root, "transfer", {
    description: "hand the call over to another number",
    options: [CALL, ["!-t, --to <number>", TO], ["-m, --message <text>", "what to say before"]],
    method: "voicecall.transfer",
    params: ({ callId, to, message }) => ({ callId, to, message }),
  });
  verb(root, "end", {
    description: "hang up; a call that has already ended is fine",
    options: [CALL, ["--after-playout", "let what is being said be finished"]],
    method: "voicecall.end",
    params: ({ callId, afterPlayout }) => ({ callId, afterPlayout }),
  });
}

function looking(root, place) {
  verb(root, "status", {
    description: "show one call, or all active ones",
    options: [["--call-id <id>", "only this call"]],
    method: "voicecall.status",
    params: ({ callId }) => ({ callId }),
  });
  verb(root, "history", {
    description: "list calls, newest first",
    options: [
      ["--limit <n>", "how many calls"],
      ["--from <number>", "only calls from this number"],
      ["--to <number>", "only calls to this number"],
      ["--state <state>", "only calls in this state, or ended so"],
    ],
    method: "voicecall.history",
    params: ({ limit, from, to, state }) => ({ limit: number(limit), from, to, state }),
  });
  const file = ["--file <path>", "read this JSONL log, on this machine"];
  add(root, "latency", "show how fast the turns of calls were", [["--last <n>", "how many turns"], file], async (given) => {
    if (given.file) return runProgram(place(), "latency", given);
    print(await ask("voicecall.latency", wish({ last: number(given.last) })), given);
  });
  add(
    root,
    "tail",
    "show the last events, then live ones",
    [["--since <n>", "how many past events first", "25"], ["--call-id <id>", "only this call"], file],
    (given) => (given.file ? runProgram(place(), "tail", given) : tail({ ...given, since: number(given.since) })),
  );
  add(root, "setup", "check what is ready; exit code 1 when a check fails", [], async (given) => {
    const result = await ask("voicecall.setup", {});
    if (showing(given)) printSetup(result);
    else print(result, given);
    return result.ok ? 0 : 1;
  });
}

/** What happens on this machine and concerns no running sidecar. */
function local(root, place) {
  add(
    root,
    "expose",
    "Tailscale serve or funnel for the webhook and stream paths",
    [
      ["--mode <mode>", "off, serve or funnel"],
      ["--path <path>", "path on the tailnet host"],
      ["--port <port>", "port on the tailnet host"],
      ["--serve-path <path>", "path of the webhook listener"],
    ],
    (given) => runProgram(place(), "expose", given),
  );
}

/** Only what was given. */
function wish(params) {
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined));
}

/** A number, or the text as it is for the sidecar to complain about. */
function number(text) {
  return text === undefined || !/^\d+$/.test(text) ? text : Number(text);
}
