// The Gateway's agent on the telephone.

import assert from "node:assert/strict";

import { until } from "../gateway.mjs";
import { SESSION, listening, percentile, say } from "./kit.mjs";

const TURNS = 8;

/** The time between the end of what the caller says and the beginning of the answer. */
export async function conversation(story) {
  const { gateway, model, figures } = story;
  const client = await gateway.client();
  model.when(({ user }) => /Question \d/.test(user), ["It is ", "open until six. ", "Anything else?"]);
  const callId = await listening(client);
  await until(() => model.said("call to +15550001234 is starting").length, "the warming", 60_000);

  const times = [];
  for (let turn = 1; turn <= TURNS; turn += 1) {
    const since = client.mark;
    await say(story, client, callId, `Question ${turn}?`);
    const heard = await client.call("call-speech", callId, { since });
    const isAnswer = ({ event, payload }) =>
      event.endsWith("call-speaking") && payload.callId === callId && payload.text.startsWith("It is open");
    const { payload } = await client.event(isAnswer, { since, timeoutMs: 60_000, what: "answer" });
    times.push(payload.at - heard.at);
    await client.call("call-listening", callId, { since });
  }
  figures.firstReplyMs = times[0];
  figures.replyP50Ms = percentile(times, 0.5);
  figures.replyP95Ms = percentile(times, 0.95);
  const [asked] = model.said("Question 1?");
  assert.match(asked.system, new RegExp(`call ${callId}, outbound`));
  assert.match(asked.system, /You: Hello\./);
  assert.match(asked.system, /15550001234/);
  assert.equal(model.said("Question 2?").length, 1);

  // The first sentence is heard while the model still writes the second.
  model.when(({ user }) => user.includes("Slowly"), ["First of all. ", 3_000, "And then this."]);
  const since = client.mark;
  await say(story, client, callId, "Slowly, please.");
  const isFirst = ({ event, payload }) => event.endsWith("call-speaking") && payload.text === "First of all.";
  const first = await client.event(isFirst, { since, timeoutMs: 60_000, what: "the first sentence" });
  assert.equal(model.said("Slowly")[0].done, undefined, "nothing was said before all was written");
  assert.ok(first.payload.at);
  await until(() => model.said("Slowly")[0].done, "the rest");
  await client.request("voicecall.end", { callId });
}

/** A caller who speaks again stops the reply that is being written. */
export async function cancelled(story) {
  const { gateway, model } = story;
  const client = await gateway.client();
  model.when(({ user }) => user.includes("Tell me everything"), "hang");
  model.when(({ user }) => user.includes("Never mind"), ["Of course."]);
  const callId = await listening(client);
  const before = model.said("Tell me everything").length;
  await say(story, client, callId, "Tell me everything.");
  await until(() => model.said("Tell me everything").length > before, "the question", 60_000);
  const since = client.mark;
  await say(story, client, callId, "Never mind.");
  const isAnswer = ({ event, payload }) => event.endsWith("call-speaking") && payload.text === "Of course.";
  await client.event(isAnswer, { since, timeoutMs: 60_000, what: "the new answer" });
  const left = model.said("Tell me everything")[before];
  await until(() => left.closed, "the end of the old run");
  await client.request("voicecall.end", { callId });
}

/** `end_call` within a reply: the call ends when the reply has been said. */
export async function hangUp(story) {
  const { gateway, model } = story;
  const client = await gateway.client();
  const isBye = ({ user }) => user.includes("That is all");
  const callId = await listening(client);
  model.when(isBye, () => ({ tool: "voice_call", args: { action: "end_call", callId } }));
  model.when(({ role, user }) => role === "tool" && user.includes('"success"'), ["Thank you, goodbye."]);
  await say(story, client, callId, "That is all.");
  const { reason, call } = await client.call("call-ended", callId, { timeoutMs: 60_000 });
  assert.equal(reason, "hangup-bot");
  assert.equal(call.transcript.at(-1).text, "Thank you, goodbye.");
}

/** The session that asked for a call is told its outcome and transcript, once. */
export async function note(story) {
  const { gateway, model } = story;
  const client = await gateway.client();
  const callId = await listening(client, { requesterSessionKey: "agent:main:desk" });
  await client.request("voicecall.end", { callId });
  const told = () => model.said(`(${callId}) has ended`);
  await until(() => told().length, "the note", 60_000);
  assert.match(told()[0].user, /we hung up \(hangup-bot\)/);
  assert.match(told()[0].user, /We: Hello\./);
  await gateway.stop();
  await gateway.start();
  const again = await gateway.client();
  await again.request("voicecall.status");
  await listening(again);
  assert.equal(told().length, 1);
  assert.ok(SESSION);
}
