"""Calls that we place."""

from pathlib import Path

import pytest

from sidecar.call.effects import Dial, Hangup
from sidecar.call.events import Heard
from sidecar.call.model import Detection, EndReason, State
from sidecar.call.policy import OutboundPolicy
from sidecar.engine.desk.farewell import drain
from sidecar.errors import Problem
from sidecar.providers.mock.line import LineSettings
from tests.support.requirement import shows
from tests.support.world import World


def far_end(*replies: str, **settings: object) -> LineSettings:
    return LineSettings(replies=replies, **settings)  # type: ignore[arg-type]


@shows("notify", "initiate-first", "order", "one-end")
async def test_a_message_is_delivered(world: World) -> None:
    answer = await world.outcome(world.dial("The build is green."))
    assert isinstance(answer, dict)
    call_id = answer["callId"]
    assert await world.story(call_id) == ["initiated"]
    await world.passes(1_000)
    assert await world.story(call_id) == ["initiated", "ringing", "answered", "active", "speaking"]
    await world.passes(1_400)
    assert (await world.story(call_id))[-1] == "utterance"
    await world.passes(2_900)
    assert world.carrier.done(Hangup) == 0
    await world.passes(100)
    call = await world.call(call_id)
    assert call.end_reason is EndReason.HANGUP_BOT
    assert world.carrier.done(Hangup) == 1
    assert (await world.story(call_id)).count("ended") == 1


@shows("continue", "order")
async def test_a_talk_that_the_host_leads(tmp_path: Path) -> None:
    line = far_end("Tomorrow at nine.", "Yes, thank you.")
    async with World(tmp_path, line=line) as world:
        call_id = await world.dialled("Good morning.")
        too_early = world.prompt(call_id, "When shall we meet?")
        assert await world.refusal(too_early) == "wrongState"
        await world.passes(3_000)
        first = world.prompt(call_id, "When shall we meet?")
        await world.passes(4_000)
        answer = await world.outcome(first)
        assert answer == {"success": True, "transcript": "Tomorrow at nine."}
        second = world.prompt(call_id, "Shall I write it down?")
        await world.passes(4_000)
        answer = await world.outcome(second)
        assert answer == {"success": True, "transcript": "Yes, thank you."}
        await world.outcome(world.end(call_id))
        call = await world.call(call_id)
        assert [line.text for line in call.transcript] == [
            "Good morning.",
            "When shall we meet?",
            "Tomorrow at nine.",
            "Shall I write it down?",
            "Yes, thank you.",
        ]


@shows("continue-ends")
async def test_a_caller_who_says_nothing_and_one_who_leaves(tmp_path: Path) -> None:
    async with World(tmp_path, line=far_end(hangup_after_replies=False)) as world:
        call_id = await world.talking()
        silent = world.prompt(call_id)
        await world.passes(182_000)
        assert await world.refusal(silent) == "transcriptTimeout"
        assert (await world.call(call_id)).state is State.LISTENING
    (tmp_path / "2").mkdir()
    async with World(tmp_path / "2", line=far_end(hangup_after_replies=True)) as world:
        call_id = await world.dialled()
        await world.passes(1_100)
        left = world.prompt(call_id)
        await world.passes(5_000)
        problem = await world.outcome(left)
        assert isinstance(problem, Problem)
        assert (problem.kind, problem.data["reason"]) == ("callEnded", "hangup-user")


@shows("agent")
async def test_a_talk_that_the_agent_leads(tmp_path: Path) -> None:
    async with World(tmp_path, line=far_end("What time is it?", "Goodbye."), agent=True) as world:
        call_id = await world.talking("How can I help you?")
        await world.passes(500)
        assert world.agent.asked[-1]["message"] == "What time is it?"
        world.agent.delta("It is nine. ")
        await world.idle()
        assert (await world.call(call_id)).state is State.SPEAKING
        world.agent.delta("Anything else?")
        world.agent.answer()
        await world.passes(4_000)
        assert world.agent.asked[-1]["message"] == "Goodbye."
        world.agent.answer("Goodbye to you.", end_call=True)
        await world.passes(4_000)
        call = await world.call(call_id)
        assert call.end_reason is EndReason.HANGUP_BOT
        assert (await world.said(call_id))[1:] == [
            "It is nine.",
            "Anything else?",
            "Goodbye to you.",
        ]


@shows("stale", "barge-in")
async def test_a_caller_who_interrupts(tmp_path: Path) -> None:
    async with World(tmp_path, agent=True) as world:
        call_id = await world.talking()
        await world.happens(call_id, Heard, "Tell me a story.")
        world.agent.delta("Once upon a time there was a fox. It was very tired. ")
        await world.passes(1_000)
        await world.happens(call_id, Heard, "mm-hm")
        assert (await world.call(call_id)).state is State.SPEAKING
        await world.happens(call_id, Heard, "No, another one.")
        await world.idle()
        call = await world.call(call_id)
        assert call.state is State.LISTENING
        heard = [line for line in call.transcript if line.interrupted]
        assert [line.text for line in heard] == ["Once upon a"]
        assert world.agent.cancelled == 1
        world.agent.answer("Once there was a bear.")
        await world.passes(3_000)
        assert (await world.said(call_id))[-1] == "Once there was a bear."


@shows("queue", "end")
async def test_ending_now_and_ending_when_all_is_said(world: World) -> None:
    cut, full = await world.talking(), await world.talking()
    for call_id in (cut, full):
        for text in ("The first piece of news.", "And the second."):
            assert await world.outcome(world.speak(call_id, text)) == {"success": True}
    await world.passes(500)
    await world.outcome(world.end(cut))
    await world.outcome(world.end(full, after_playout=True))
    await world.passes(5_000)
    fates = {
        call_id: [fate["outcome"] for fate in await world.events(call_id, "call.utterance")][1:]
        for call_id in (cut, full)
    }
    assert fates == {cut: ["interrupted", "interrupted"], full: ["played", "played"]}
    for call_id in (cut, full):
        assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


@shows("unanswered", "one-end")
@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
async def test_nobody_answers(tmp_path: Path, outcome: str) -> None:
    async with World(tmp_path, line=far_end(outcome=outcome)) as world:
        call_id = await world.dialled()
        await world.passes(5_000)
        assert (await world.call(call_id)).end_reason == outcome
        assert (await world.story(call_id))[-1] == "ended"
        assert world.carrier.done(Hangup) == 0


@shows("unanswered")
async def test_it_rings_too_long(tmp_path: Path) -> None:
    async with World(tmp_path, line=far_end(answer_ms=60_000)) as world:
        call_id = await world.dialled()
        await world.passes(30_000)
        assert (await world.call(call_id)).end_reason is EndReason.NO_ANSWER
        assert world.carrier.done(Hangup) == 1


@shows("voicemail")
async def test_a_message_for_a_machine(tmp_path: Path) -> None:
    line = far_end(outcome="voicemail", reply_delay_ms=5_000)
    async with World(tmp_path, line=line, detection=Detection.LEAVE_MESSAGE) as world:
        call_id = await world.dialled("Please call back.")
        await world.passes(20_000)
        assert (await world.call(call_id)).end_reason is EndReason.VOICEMAIL
        fates = [fate["outcome"] for fate in await world.events(call_id, "call.utterance")]
        assert fates == ["interrupted", "played"]


@shows("transfer")
async def test_the_caller_is_handed_over(tmp_path: Path) -> None:
    policy = OutboundPolicy(allow_to=("+1555*",))
    async with World(tmp_path, outbound=policy) as world:
        call_id = await world.talking()
        work = world.dialling.transfer(call_id, "+15550002222", "I will connect you.")
        assert await world.outcome(world.do(work)) == {"success": True}
        await world.passes(5_000)
        assert (await world.story(call_id))[-2:] == ["transferred", "ended"]
        assert (await world.call(call_id)).end_reason is EndReason.COMPLETED
        await world.restart()
        assert world.carrier.done(Hangup) == 0


@shows("digits")
async def test_a_conference_is_entered_with_its_number(world: World) -> None:
    call_id = await world.dialled("Good morning, everybody.", dtmf_sequence="12W#")
    await world.passes(1_000)
    assert (await world.story(call_id))[-1] == "active"
    await world.passes(1_600)
    assert (await world.story(call_id))[-1] == "speaking"


@shows("once")
async def test_a_host_that_asks_twice(world: World) -> None:
    first = await world.outcome(world.dial(idempotency_key="order-66"))
    await world.restart()
    assert await world.outcome(world.dial(idempotency_key="order-66")) == first
    assert world.carrier.done(Dial) == 0


@shows("drain")
async def test_the_sidecar_goes(world: World) -> None:
    call_id = await world.talking()
    leaving = world.do(drain(world.engine, 10_000))
    await world.passes(12_000)
    assert leaving.done()
    assert (await world.said(call_id))[-1] == "Goodbye."
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
