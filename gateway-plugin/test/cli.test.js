import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { registerCli } from "../src/cli/commands.js";

/** As much of a command-line toolkit as the plugin asks of it. */
class FakeCommand {
  commands = new Map();
  options = [];

  command(name) {
    const child = new FakeCommand();
    this.commands.set(name, child);
    return child;
  }

  description() {
    return this;
  }

  option(flags) {
    this.options.push(flags);
    return this;
  }

  requiredOption(flags) {
    return this.option(flags);
  }

  action(work) {
    this.run = work;
    return this;
  }
}

const program = new FakeCommand();
const argv = [...process.argv];
const write = process.stdout.write;
let printed = "";

before(() => {
  process.argv[1] = fileURLToPath(new URL("./support/openclaw.mjs", import.meta.url));
  const config = { sidecar: { command: ["/nowhere/voicecall"] } };
  registerCli({ registerCli: (registrar) => registrar({ program }), config: {}, pluginConfig: config });
});
beforeEach(() => (printed = ""));
after(() => {
  process.argv = argv;
  process.exitCode = 0;
});

/** Runs one command; gives its exit code and the documents it printed. */
async function run(name, given = {}) {
  // The test runner writes its own news as bytes.
  process.stdout.write = function (text, ...more) {
    if (typeof text !== "string") return write.call(this, text, ...more);
    printed += text;
    return true;
  };
  try {
    await program.commands.get("voicecall").commands.get(name).run({ json: true, ...given });
  } finally {
    process.stdout.write = write;
  }
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, printed: printed.trim().split("\n").map((line) => JSON.parse(line)) };
}

test("every verb of the sidecar's own command line is there", () => {
  const names = [...program.commands.get("voicecall").commands.keys()].sort();
  const wanted = ["call", "continue", "dtmf", "end", "expose", "history", "latency", "setup", "smoke", "speak", "start", "status", "tail", "transfer"];
  assert.deepEqual(names, wanted);
  const options = program.commands.get("voicecall").commands.get("call").options.join(" ");
  for (const flag of ["--message", "--to", "--mode", "--follow", "--json"]) assert.ok(options.includes(flag));
});

test("a verb is asked of the Gateway and its result printed as one document", async () => {
  const { code, printed } = await run("status", { callId: "c1" });
  assert.equal(code, 0);
  assert.deepEqual(printed, [{ calls: [], params: { callId: "c1" } }]);
});

test("a call prints its id", async () => {
  const { code, printed } = await run("call", { message: "Hi." });
  assert.deepEqual([code, printed], [0, [{ callId: "c1" }]]);
});

test("a failed check is exit code 1", async () => {
  assert.equal((await run("setup")).code, 1);
  assert.equal((await run("smoke", { yes: true, to: "+15550001234" })).code, 1);
});

test("failures have the exit codes and the error documents of the command line", async () => {
  const missing = await run("end", { callId: "nope" });
  assert.equal(missing.code, 1);
  assert.equal(missing.printed[0].error.data.kind, "callNotFound");
  assert.equal((await run("speak", { callId: "c1", message: "Hi." })).code, 3);
  assert.equal((await run("dtmf", { callId: "c1", digits: "1" })).code, 5);
});

test("no Gateway is exit code 3", async () => {
  const { code, printed } = await run("history");
  assert.equal(code, 3);
  assert.match(printed[0].error.message, /could not be asked: .*ECONNREFUSED/);
});

test("a local command that cannot run says which program is missing", async () => {
  const { code, printed } = await run("expose", { mode: "off" });
  assert.equal(code, 3);
  assert.match(printed[0].error.message, /\/nowhere\/voicecall was not found/);
});
