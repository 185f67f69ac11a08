"""A create whose answer was lost is looked for and never repeated; a call that nobody tells of is
asked for."""

from collections.abc import Coroutine
from typing import Any

import pytest

from sidecar.call.events import Event, LegEnded, LineLive, Ringing
from sidecar.call.model import EndReason
from tests.support.calls import a_draft
from tests.support.clock import ManualClock
from tests.support.twilio_bench import Bench
from tests.support.twilio_rest import Asked, Trouble

CALL = a_draft(started_at_ms=ManualClock().now_ms())


def dial(bench: Bench) -> Coroutine[Any, Any, str]:
    fields = (("To", CALL.to_number), ("From", CALL.from_number), ("Url", "https://x.test/"))
    return bench.dialler.dial(CALL, fields)


async def test_a_lost_answer_is_looked_up_and_the_call_found() -> None:
    bench = Bench()
    bench.rest.add_leg(
        Asked("POST", "", [("To", CALL.to_number), ("From", CALL.from_number)]),
        date_created="Sun, 22 Nov 2020 09:15:02 +0000",
    )
    bench.rest.troubles.append(Trouble("lost"))
    leg_id = await bench.run(dial(bench))
    assert leg_id == list(bench.rest.calls)[-1]
    assert len(bench.rest.created) == 1


async def test_a_call_that_is_not_found_in_15_s_is_not_dialled_again() -> None:
    bench = Bench()
    bench.rest.troubles.append(Trouble("hang"))
    failure = await bench.fails(dial(bench))
    assert (failure.problem.kind, failure.problem.retryable) == ("carrierUnavailable", False)
    assert bench.waited_ms == 15_000
    assert bench.rest.created == []


async def test_after_an_error_of_twilios_own_the_search_is_short() -> None:
    bench = Bench()
    bench.rest.troubles += [Trouble(status=500), Trouble(status=403, body="{}")]
    await bench.fails(dial(bench))
    assert bench.waited_ms == 3_500


async def test_a_callback_that_bears_our_id_ends_the_search() -> None:
    bench = Bench()
    bench.rest.troubles.append(Trouble("hang"))
    bench.dialler.told(CALL.call_id, "CA7")
    assert await bench.run(dial(bench)) == "CA7"
    assert bench.waited_ms == 500


async def test_a_leg_of_another_call_is_never_taken() -> None:
    bench = Bench()
    numbers = Asked("POST", "", [("To", CALL.to_number), ("From", CALL.from_number)])
    theirs = bench.rest.add_leg(numbers)["sid"]
    bench.dialler.told("another call", theirs)
    bench.rest.add_leg(numbers, direction="outbound-dial")
    bench.rest.add_leg(numbers, date_created=None, status="completed")
    assert await bench.run(bench.dialler.find(CALL)) is None
    ours = bench.rest.add_leg(numbers, date_created="soon")["sid"]
    assert await bench.run(bench.dialler.find(CALL)) == ours


async def test_only_so_many_calls_are_remembered() -> None:
    bench = Bench()
    for number in range(1_001):
        bench.dialler.told(f"call-{number}", f"CA{number}")
    assert await bench.run(bench.dialler.find(a_draft(call_id="call-0"))) is None
    assert await bench.run(bench.dialler.find(a_draft(call_id="call-1"))) == "CA1"


# -- a call that nobody tells of ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", []),
        ("ringing", [Ringing]),
        ("in-progress", [LineLive]),
        ("completed", [LineLive, LegEnded]),
        ("busy", [LegEnded]),
    ],
)
async def test_a_call_without_callbacks_is_asked_for(status: str, expected: list[type]) -> None:
    bench = Bench()
    leg_id = bench.rest.add_leg(status=status)["sid"]
    told: list[Event] = []

    async def report(call_id: str, event: Event) -> None:
        told.append(event)
        if isinstance(event, LegEnded):
            expected_reason = EndReason.HANGUP_BOT if status == "completed" else EndReason.BUSY
            assert event.reason is expected_reason
            bench.dialler.told(CALL.call_id, leg_id)

    bench.rest.troubles.append(Trouble(status=403))
    await bench.run(bench.dialler.watch(CALL, leg_id, lambda: None, report))
    assert [type(event) for event in told][: len(expected)] == expected
    assert {type(event) for event in told} == set(expected)


async def test_a_call_that_twilio_does_not_know_is_over() -> None:
    bench = Bench()
    told: list[Event] = []

    async def report(call_id: str, event: Event) -> None:
        told.append(event)
        bench.dialler.told(call_id, "CA1")

    await bench.run(bench.dialler.watch(CALL, "CAgone", lambda: None, report))
    assert [type(event) for event in told] == [LegEnded]


async def test_a_call_that_a_callback_has_told_of_is_not_asked_for() -> None:
    bench = Bench()
    bench.dialler.told(CALL.call_id, "CA1")

    async def report(call_id: str, event: Event) -> None:
        raise AssertionError(event)

    await bench.run(bench.dialler.watch(CALL, "CA1", lambda: None, report))
    assert bench.rest.asked == []
