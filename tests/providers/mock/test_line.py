"""The far end of a mock call: it rings, answers, hears, speaks and hangs up in its own time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from sidecar.call.effects import (
    Answer,
    Clear,
    Dial,
    Hangup,
    Listen,
    Poll,
    Say,
    SendDigits,
    Transfer,
)
from sidecar.call.events import Dialed, Heard, LegAlive, LegEnded, Outcome, Spoken
from sidecar.call.model import EndReason, Origin, PendingReply, State, Utterance
from sidecar.errors import CarrierError

Make = Callable[..., Awaitable[Any]]
HELLO = Say(Utterance("u1", "one two three four five six", "t1", Origin.MESSAGE))
LISTENING = {"state": State.LISTENING}


async def test_it_rings_and_answers_in_its_own_time(phone: Make) -> None:
    line = await phone(ring_ms=300, answer_ms=700)
    (dialed,) = await line.do(Dial())
    assert isinstance(dialed, Dialed)
    await line.passes(2_000)
    assert line.story == [(300, "Ringing"), (1_000, "Answered"), (1_000, "LineLive")]


@pytest.mark.parametrize(("speed", "at_ms"), [(1.0, 1_000), (2.0, 500), (0, 0)])
async def test_speed_divides_its_durations(phone: Make, speed: float, at_ms: int) -> None:
    line = await phone(speed=speed)
    await line.do(Dial())
    await line.passes(2_000)
    assert line.story[-1] == (at_ms, "LineLive")


@pytest.mark.parametrize(
    ("outcome", "reason", "rings"),
    [
        ("busy", EndReason.BUSY, True),
        ("no-answer", EndReason.NO_ANSWER, True),
        ("failed", EndReason.FAILED, False),
    ],
)
async def test_it_may_not_answer(phone: Make, outcome: str, reason: EndReason, rings: bool) -> None:
    line = await phone(outcome=outcome)
    await line.do(Dial())
    await line.passes(5_000)
    assert [name for _, name in line.story] == ["Ringing"] * rings + ["LegEnded"]
    assert line.last.reason is reason


async def test_a_machine_answers_and_beeps(phone: Make) -> None:
    line = await phone(outcome="voicemail")
    await line.do(Dial())
    await line.passes(5_000)
    assert [name for _, name in line.story[-2:]] == ["MachineDetected"] * 2
    assert [event.beep for _, event in line.told[-2:]] == [False, True]


async def live(phone: Make, **settings: Any) -> Any:
    line = await phone(ring_ms=0, answer_ms=0, **settings)
    await line.do(Dial())
    line.told.clear()
    return line


async def test_it_hears_in_real_time(phone: Make) -> None:
    line = await live(phone, words_per_minute=180)
    await line.do(HELLO)
    await line.passes(1_999)
    assert line.told == []
    await line.passes(1)
    assert line.last == Spoken(
        line.clock.now_ms(), "u1", Outcome.PLAYED, HELLO.utterance.text, 2_000
    )


async def test_a_cut_leaves_the_words_that_were_heard(phone: Make) -> None:
    line = await live(phone, words_per_minute=180)
    await line.do(HELLO)
    await line.passes(1_000)
    await line.do(Clear())
    assert line.last.outcome is Outcome.INTERRUPTED
    assert (line.last.heard_text, line.last.heard_ms) == ("one two three", 1_000)
    await line.passes(5_000)
    assert len(line.told) == 1


async def test_hanging_up_in_the_middle_tells_what_was_heard(phone: Make) -> None:
    line = await live(phone, words_per_minute=180)
    await line.do(HELLO)
    await line.passes(1_000)
    cut, ended = await line.do(Hangup())
    assert (cut.heard_text, cut.outcome) == ("one two three", Outcome.INTERRUPTED)
    assert isinstance(ended, LegEnded)
    assert await line.do(Clear()) == (), "there is nothing left to stop"
    await line.passes(5_000)
    assert line.told == []


async def test_hanging_up_what_is_gone_is_a_confirmation(phone: Make) -> None:
    line = await live(phone)
    await line.do(Hangup())
    (ended,) = await line.do(Hangup())
    assert isinstance(ended, LegEnded)


async def test_it_speaks_its_next_line_when_somebody_waits_for_words(phone: Make) -> None:
    line = await live(phone, replies=("Yes.", "No."), reply_delay_ms=400)
    await line.do(Listen("t1", awaited=True), **LISTENING)
    await line.passes(400)
    assert isinstance(line.last, Heard)
    assert (line.last.text, line.last.turn) == ("Yes.", None)
    await line.do(Listen("t2", awaited=False), **LISTENING)
    await line.passes(10_000)
    assert len(line.told) == 1, "nobody waits"
    await line.do(Listen("t3", awaited=True), **LISTENING)
    await line.passes(400)
    assert line.last.text == "No."
    await line.do(Listen("t4", awaited=True), **LISTENING)
    await line.passes(10_000)
    assert len(line.told) == 2, "it has nothing more to say"


async def test_it_does_not_speak_while_it_is_spoken_to(phone: Make) -> None:
    line = await live(phone, replies=("Yes.",), reply_delay_ms=400)
    await line.do(Listen("t1", awaited=True), **LISTENING)
    await line.do(HELLO)
    await line.passes(5_000)
    assert [name for _, name in line.story] == ["Spoken"]
    await line.do(Listen("t2", awaited=True), **LISTENING)
    await line.passes(400)
    assert line.last.text == "Yes."


async def test_it_hangs_up_when_it_has_said_all(phone: Make) -> None:
    line = await live(phone, replies=("Yes.",), hangup_after_replies=True)
    await line.do(Listen("t1", awaited=True), **LISTENING)
    await line.passes(400)
    reply = PendingReply("r1", "Yes.", 0, 1)
    await line.do(Listen("t2"), **LISTENING, reply=reply)
    await line.passes(10_000)
    assert isinstance(line.last, Heard), "nobody hangs up on a bot that thinks"
    await line.do(Listen("t3"), **LISTENING)
    await line.passes(400)
    assert line.last.reason is EndReason.HANGUP_USER


async def test_it_takes_digits_and_transfers(phone: Make) -> None:
    line = await live(phone)
    (sent,) = await line.do(SendDigits("1w2", "q1"))
    assert sent.request_id == "q1"
    assert await line.do(SendDigits("1w2")) == ()
    await line.passes(899)
    assert line.told == []
    await line.passes(1)
    assert line.last.request_id is None
    await line.do(Transfer("+15550002222", 60))
    await line.settle()
    assert line.story[-1][1] == "TransferDone"
    assert not (await line.carrier.leg_status(line.call)).alive, "it is not ours any more"


async def test_it_is_alive_as_long_as_its_line_is(phone: Make) -> None:
    line = await live(phone)
    (alive,) = await line.do(Poll())
    assert isinstance(alive, LegAlive)
    assert (await line.carrier.leg_status(line.call)).alive
    await line.do(Hangup())
    (ended,) = await line.do(Poll())
    assert isinstance(ended, LegEnded)
    assert not (await line.carrier.leg_status(line.call)).alive
    assert (await line.carrier.find_leg(line.call)).certain


async def test_nothing_can_be_said_on_a_line_that_is_gone(phone: Make) -> None:
    line = await phone()
    with pytest.raises(CarrierError):
        await line.do(HELLO)


async def test_we_pick_up_when_it_calls_us(phone: Make) -> None:
    line = await phone(answer_ms=700)
    await line.do(Answer())
    await line.passes(700)
    assert line.story == [(700, "Answered"), (700, "LineLive")]


async def test_a_call_that_was_ended_from_outside_leaves_no_line(phone: Make) -> None:
    line = await live(phone)
    request = line.posted({"type": "call.ended", "providerCallId": "x"})
    line.carrier.document(replace(line.call, state=State.ENDED), request)
    assert not (await line.carrier.leg_status(line.call)).alive


async def test_closing_in_the_middle_of_everything_is_quiet(phone: Make) -> None:
    line = await live(phone, replies=("Yes.",))
    await line.do(HELLO)
    await line.do(Listen("t1", awaited=True), **LISTENING)
    await line.carrier.close()
    await line.passes(10_000)
    assert line.told == []
