"""The far end's steps against documents that make them hard."""

import asyncio

from sidecar.simulator.farend import (
    ExpectEnd,
    ExpectHeard,
    HangUp,
    Plan,
    Press,
    Say,
    Silence,
    Step,
    Wait,
)
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.line import Line
from tests.support.exchange import OURS, THEIRS, Hit, exchange, twiml


async def lived(document: str, *steps: Step, patience_s: float | None = 5) -> Line:
    def program(hit: Hit) -> str:
        return twiml("<Hangup/>") if hit.form.get("SpeechResult") else twiml(document)

    async with asyncio.timeout(5), exchange(program) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(talk=steps, patience_s=patience_s))
        await call.done.wait()
        return call


GATHER = '<Gather input="speech" speechTimeout="auto" timeout="3"/>'


async def test_steps_that_find_nobody_listening_end_with_the_call() -> None:
    call = await lived("<Say>Hi.</Say>", Say("Hello?"), Press("1"), Silence())
    assert call.status == "completed"
    assert call.timeline.of(Kind.SAID) == []


async def test_who_is_late_speaks_into_the_next_turn() -> None:
    pause = '<Pause length="2"/>'
    call = await lived(GATHER + pause, Say("Yes.", after_s=4))
    assert call.timeline.of(Kind.SAID) == [], "the turn was over before"
    longer = '<Gather input="speech" timeout="9" speechTimeout="auto"/>'
    call = await lived(GATHER + pause + longer, Say("Yes.", after_s=4))
    assert [moment.text for moment in call.timeline.of(Kind.SAID)] == ["Yes."]


async def test_words_that_nobody_waits_for_are_lost() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: twiml('<Pause length="9"/>')) as here:
        call = await here.sim.incoming(THEIRS, OURS)
        await call.news.until(lambda: call.status == "in-progress")
        await call.speak("Hello?")
        await call.press("1")
        await call.done.wait()
        texts = [moment.text for moment in call.timeline.moments]
        assert "Hello? (nobody listens)" in texts
        assert "1 (nobody listens)" in texts


async def test_patience_ends_and_without_it_the_other_side_must() -> None:
    document = '<Say>Hi.</Say><Pause length="100"/>'
    call = await lived(document, patience_s=7)
    assert call.leg.duration_s == 7
    call = await lived(document, patience_s=None)
    assert call.leg.duration_s == 100


async def test_expectations_are_met_in_order() -> None:
    call = await lived(
        "<Say>One.</Say><Say>Two.</Say>",
        ExpectHeard("two"),
        ExpectHeard("one"),
        ExpectEnd(),
    )
    assert [each.met for each in call.far_end.expectations] == [True, False, True]


async def test_what_is_still_expected_when_the_call_is_over_is_settled() -> None:
    call = await lived("<Say>One.</Say>", HangUp(), ExpectHeard("One"), ExpectEnd("no-answer"))
    assert len(call.far_end.expectations) == 2
    assert call.far_end.is_done


async def test_waiting_ends_with_the_call() -> None:
    call = await lived("<Say>One.</Say>", Wait(500), ExpectEnd("completed"))
    assert call.timeline.moments[-1].at_ms - call.timeline.begun_ms < 3_000
    assert call.far_end.expectations[0].met
