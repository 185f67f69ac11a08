import assert from "node:assert/strict";
import { test } from "node:test";

import { Agent } from "../src/gateway/agent.js";
import { noteOf } from "../src/gateway/notes.js";
import { until } from "./support/api.js";

/** An agent whose run is played by hand: `tell(stream, data)` and `finish(outcome)`. */
function staged({ messages = [], context } = {}) {
  let listener = () => {};
  const waits = [];
  const log = [];
  const stopped = [];
  const outcome = { status: "pending" };
  const runtime = {
    events: { onAgentEvent: (heard) => ((listener = heard), () => (listener = () => {})) },
    subagent: {
      run: async ({ idempotencyKey }) => ({ runId: idempotencyKey }),
      waitForRun: async (wait) => {
        waits.push(wait);
        if (outcome.status === "timeout" && !outcome.early) {
          await new Promise((resolve) => setTimeout(resolve, wait.timeoutMs));
        }
        return { status: outcome.status, error: outcome.error };
      },
      getSessionMessages: async () => ({ messages }),
    },
    channel: { reply: { dispatchReplyFromConfig: async ({ ctx }) => stopped.push(ctx) } },
  };
  const agent = new Agent({
    config: () => ({}),
    context: () => context,
    logger: { warn: (text) => log.push(text), debug: () => {} },
  });
  agent.bind(runtime);
  const heard = [];
  const begin = (more = {}) =>
    agent.turn({ sessionKey: "agent:main:x", message: "m", timeoutMs: 2_000, runId: "r1", onDelta: (piece) => heard.push(piece), ...more });
  const tell = (stream, data, runId = "r1") => listener({ runId, stream, data });
  const say = (text) => tell("assistant", { text });
  const end = () => tell("lifecycle", { phase: "end" });
  return { agent, runtime, begin, tell, say, end, heard, outcome, stopped, waits };
}

const turn = () => new Promise(setImmediate);

test("what the agent writes is told piece by piece, and nothing of other runs", async () => {
  const { begin, tell, say, end, heard } = staged();
  const done = begin();
  await turn();
  say("Tomor");
  tell("assistant", { text: "Not ours." }, "r2");
  say("Tomorrow at");
  say("Tomorrow at nine.");
  end();
  assert.deepEqual(await done, { text: "Tomorrow at nine." });
  assert.equal(heard.join(""), "Tomorrow at nine.");
});

test("a second message of the same run begins on a new line", async () => {
  const { begin, say, end, heard } = staged();
  const done = begin();
  await turn();
  say("Let me look.");
  say("It is six.");
  end();
  assert.equal((await done).text, "Let me look.\nIt is six.");
  assert.equal(heard.join(""), "Let me look.\nIt is six.");
});

test("silence is not spoken, not even its beginning", async () => {
  const { begin, say, end, heard } = staged();
  const done = begin();
  await turn();
  for (const text of ["NO", "NO_RE", "NO_REPLY"]) say(text);
  end();
  assert.deepEqual(await done, { text: null });
  assert.deepEqual(heard, []);
});

test("words that begin like silence are spoken", async () => {
  const { begin, say, end, heard } = staged();
  const done = begin();
  await turn();
  say("NO");
  say("NO, sorry.");
  end();
  assert.equal((await done).text, "NO, sorry.");
  assert.equal(heard.join(""), "NO, sorry.");
});

test("a sentence that is followed by a pause is marked as whole", async () => {
  const { begin, say, end, heard } = staged();
  const done = begin();
  await turn();
  say("First of all.");
  await until(() => heard.length === 2, "the mark");
  assert.deepEqual(heard, ["First of all.", " "]);
  say("First of all. And then");
  end();
  await done;
  assert.equal(heard.at(-1), " And then");
});

test("without events the last words of the session are the reply", async () => {
  const content = [{ type: "text", text: "From the session." }];
  const { begin, outcome } = staged({ messages: [{ role: "user", content: "m" }, { role: "assistant", content }] });
  outcome.status = "ok";
  assert.deepEqual(await begin(), { text: "From the session." });
});

test("a run that fails or takes too long is a failure", async () => {
  const failing = staged();
  failing.outcome.status = "error";
  failing.outcome.error = "no model";
  await assert.rejects(failing.begin(), /no model/);
  const slow = staged();
  slow.outcome.status = "timeout";
  await assert.rejects(slow.begin({ timeoutMs: 20 }), /timeout/);
  assert.ok(slow.waits.every(({ timeoutMs }) => timeoutMs <= 1_000));
  const own = staged();
  Object.assign(own.outcome, { status: "timeout", early: true });
  await assert.rejects(own.begin({ timeoutMs: 60_000 }), /timeout/);
});

test("a cancelled run is stopped by its controller where the Gateway shows it", async () => {
  const controller = new AbortController();
  const chatAbortControllers = new Map([["r1", { controller }]]);
  const { begin, stopped, end } = staged({ context: { chatAbortControllers } });
  const cancel = new AbortController();
  const done = begin({ signal: cancel.signal });
  await turn();
  cancel.abort();
  controller.signal.addEventListener("abort", end);
  await assert.rejects(done, /cancelled/);
  assert.equal(controller.signal.aborted, true);
  assert.deepEqual(stopped, []);
});

test("elsewhere it is stopped as a user stops a session, until it has ended", async () => {
  const { begin, stopped, end } = staged();
  const cancel = new AbortController();
  const done = begin({ signal: cancel.signal });
  await turn();
  cancel.abort();
  await until(() => stopped.length === 2, "the second try");
  end();
  await assert.rejects(done, /cancelled/);
  assert.equal(stopped[0].CommandBody, "/stop");
  assert.equal(stopped[0].SessionKey, "agent:main:x");
});

test("a Gateway that cannot run agents yet is asked again", async () => {
  const { begin, runtime, end } = staged();
  const { run } = runtime.subagent;
  let tries = 0;
  runtime.subagent.run = async (params) => {
    tries += 1;
    if (tries < 3) throw new Error("dispatch requires a gateway request scope: no context");
    return run(params);
  };
  const done = begin();
  await until(() => tries === 3, "the third try");
  await turn();
  end();
  await done;
});

test("a model that may not be chosen is left out, and the user told once", async () => {
  const { begin, runtime, end } = staged();
  const seen = [];
  runtime.subagent.complete = () => {};
  runtime.subagent.run = async ({ model, provider, idempotencyKey }) => {
    seen.push({ model, provider });
    if (model) throw new Error("provider/model override is not authorized");
    return { runId: idempotencyKey };
  };
  const done = begin({ model: "openai/gpt-4o" });
  await until(() => seen.length === 2, "the second try");
  await turn();
  end();
  await done;
  assert.deepEqual(seen, [{ model: "gpt-4o", provider: "openai" }, { model: undefined, provider: undefined }]);
});

test("a note tells outcome and transcript", () => {
  const call = {
    callId: "c1",
    direction: "outbound",
    to: "+15550001234",
    from: "+15550000000",
    endReason: "no-answer",
    startedAt: 1_000,
    endedAt: 31_000,
    transcript: [],
  };
  assert.match(noteOf(call), /The call to \+15550001234 .*nobody answered \(no-answer\)[\s\S]*Nothing was said/);
  const transcript = [
    { speaker: "bot", text: "Hello", interrupted: true },
    { speaker: "user", text: "Hi." },
  ];
  const talked = noteOf({ ...call, answeredAt: 11_000, endReason: "hangup-user", transcript });
  assert.match(talked, /after 20 s: the other party hung up[\s\S]*We: Hello \(interrupted\)\nThey: Hi\./);
});
