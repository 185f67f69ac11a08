"""The engine: what is stored, performed and answered, in which order."""

import asyncio

from sidecar.call.effects import Dial, Hangup, Say
from sidecar.call.events import (
    Answered,
    Dialed,
    DigitsHeard,
    Heard,
    LegEnded,
    LineLive,
    Outcome,
    RequestDropped,
    Ringing,
    Spoken,
)
from sidecar.call.model import EndReason, Mode, State
from sidecar.errors import CarrierError, Problem
from tests.support.troubles import UNREACHABLE
from tests.support.world import THEIRS, World


async def test_initiate_is_answered_when_the_carrier_accepted_the_call(world: World) -> None:
    gate = world.carrier.gates[Dial] = asyncio.Event()
    asked = world.dial()
    await world.idle()
    assert not asked.done()
    assert await world.story() == []
    gate.set()
    answer = await world.outcome(asked)
    assert isinstance(answer, dict)
    assert answer["initiated"] is True
    assert await world.story() == ["initiated"]


async def test_a_notify_call_from_the_wish_to_the_end(world: World) -> None:
    answer = await world.outcome(world.dial("The build is green."))
    assert isinstance(answer, dict)
    call_id = answer["callId"]
    await world.passes(10_000)
    assert await world.story(call_id) == [
        "initiated",
        "ringing",
        "answered",
        "active",
        "speaking",
        "utterance",
        "ended",
    ]
    ended = (await world.events(call_id, "call.ended"))[0]
    assert ended["reason"] == "hangup-bot"
    assert ended["call"]["state"] == "hangup-bot"
    assert ended["call"]["transcript"][0]["text"] == "The build is green."
    assert ended["call"]["to"] == THEIRS


async def test_events_bear_consecutive_numbers(world: World) -> None:
    await world.outcome(world.dial())
    await world.passes(10_000)
    assert [event["seq"] for event in await world.events()] == list(range(1, 8))


async def test_a_refused_dial_is_an_error_with_the_calls_id(world: World) -> None:
    world.carrier.faults[Dial] = CarrierError(Problem("carrierRejected", "No such number."))
    problem = await world.outcome(world.dial())
    assert isinstance(problem, Problem)
    assert problem.kind == "carrierRejected"
    assert await world.story(problem.data["callId"]) == ["initiated", "ended"]
    assert (await world.call(problem.data["callId"])).end_reason is EndReason.FAILED
    assert world.carrier.done(Hangup) == 0


async def test_a_fault_in_the_carriers_adapter_ends_the_call_it_was_for(world: World) -> None:
    world.carrier.faults[Dial] = RuntimeError("a bug")
    assert await world.refusal(world.dial()) == "internalError"
    assert await world.story() == ["initiated", "ended"]


async def test_a_fault_while_speaking_takes_nothing_else_along(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Say] = RuntimeError("a bug")
    await world.outcome(world.speak(call_id, "This fails."))
    fate = (await world.events(call_id, "call.utterance"))[-1]
    assert fate["outcome"] == "failed"
    await world.outcome(world.end(call_id))
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


async def test_asking_an_unknown_call_is_call_not_found(world: World) -> None:
    assert await world.refusal(world.speak("nobody", "Hello.")) == "callNotFound"


async def test_asking_a_call_that_has_ended_says_why_it_did(world: World) -> None:
    call_id = await world.talking()
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    problem = await world.outcome(world.speak(call_id, "Hello?"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.data["reason"]) == ("callEnded", "hangup-user")


async def test_two_calls_do_not_wait_for_each_other(world: World) -> None:
    first = await world.talking()
    world.carrier.gates[Say] = asyncio.Event()
    await world.outcome(world.speak(first, "This one hangs at the carrier."))
    del world.carrier.gates[Say]
    second = await world.talking()
    assert await world.said(second) == ["Hello there."]


async def test_ending_does_not_wait_for_what_is_under_way_at_the_carrier(world: World) -> None:
    call_id = await world.talking()
    world.carrier.gates[Say] = asyncio.Event()
    await world.outcome(world.speak(call_id, "This hangs at the carrier."))
    await world.outcome(world.end(call_id))
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


async def test_a_call_that_was_given_up_is_not_dialled_any_more(world: World) -> None:
    world.store.hold()
    asked = world.dial()
    await world.idle()
    (call,) = world.engine.open_calls
    ending = world.end(call.call_id)
    await world.idle()
    world.store.release()
    await world.idle()
    assert await world.outcome(ending) == {"success": True}
    assert asked.done()
    assert world.carrier.done(Dial) == 0
    assert (await world.story())[-1] == "ended"
    assert world.engine.open_calls == []


async def test_a_waiter_that_is_cancelled_leaves_the_call_going(world: World) -> None:
    call_id = await world.talking()
    waiting = world.prompt(call_id)
    await world.passes(2_000)
    waiting.cancel()
    await world.idle()
    call = await world.call(call_id)
    assert call.waiter is None
    assert call.state is State.LISTENING
    again = world.prompt(call_id)
    await world.passes(2_000)
    await world.happens(call_id, Heard, "Fine.")
    assert await world.outcome(again) == {"success": True, "transcript": "Fine."}


async def test_cancelling_who_reports_loses_nothing_of_what_was_reported(world: World) -> None:
    call_id = await world.talking()
    world.store.hold()
    report = world.do(
        world.engine.submit(call_id, LegEnded(world.clock.now_ms(), EndReason.HANGUP_USER))
    )
    await world.idle()
    report.cancel()
    await world.idle()
    world.store.release()
    await world.idle()
    assert (await world.story(call_id))[-1] == "ended"
    assert world.engine.open_calls == []


async def test_effects_of_one_call_are_performed_in_the_order_of_its_events(world: World) -> None:
    call_id = await world.talking()
    world.store.hold()
    asked = [world.speak(call_id, f"Number {number}.") for number in range(5)]
    await world.idle()
    world.store.release()
    for task in asked:
        assert await world.outcome(task) == {"success": True}
    await world.passes(10_000)
    assert (await world.said(call_id))[1:] == [f"Number {number}." for number in range(5)]


# -- hanging up -----------------------------------------------------------------------------------


async def test_a_hang_up_is_repeated_until_the_carrier_takes_it(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Hangup] = UNREACHABLE
    assert await world.outcome(world.end(call_id)) == {"success": True}
    await world.passes(60_000)
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
    assert (await world.call(call_id)).hangup_due
    tried = world.carrier.done(Hangup)
    assert tried >= 5
    world.carrier.faults.clear()
    await world.passes(60_000)
    assert world.carrier.done(Hangup) == tried + 1
    assert not (await world.call(call_id)).hangup_due
    assert (await world.story(call_id)).count("ended") == 1


async def test_a_hang_up_that_was_taken_is_repeated_until_it_is_confirmed(world: World) -> None:
    call_id = await world.talking()
    world.carrier.silent.add(Hangup)
    await world.outcome(world.end(call_id))
    assert world.carrier.done(Hangup) == 1
    await world.passes(4_999)
    assert world.carrier.done(Hangup) == 1
    await world.passes(1_000)
    assert world.carrier.done(Hangup) == 2
    assert (await world.call(call_id)).is_over
    await world.happens(call_id, LegEnded)
    await world.passes(120_000)
    assert world.carrier.done(Hangup) == 2


async def test_a_hang_up_outlives_a_restart(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Hangup] = UNREACHABLE
    await world.outcome(world.end(call_id))
    await world.passes(6_000)
    await world.restart(recover=False)
    await world.idle()
    assert world.carrier.done(Hangup) == 1
    assert not (await world.call(call_id)).hangup_due


# -- memory ---------------------------------------------------------------------------------------


async def test_nothing_is_kept_of_calls_that_are_over(world: World) -> None:
    for number in range(3):
        call_id = await world.talking(f"Call {number}.")
        await world.happens(call_id, Dialed, f"another-id-{number}")
        await world.outcome(world.end(call_id))
        await world.passes(1_000)
    roster = world.engine._roster
    assert list(roster) == []
    assert roster._legs == {}
    assert world.engine._newest == {}


async def test_late_news_of_a_call_that_is_over_changes_nothing(world: World) -> None:
    call_id = await world.talking()
    await world.outcome(world.end(call_id))
    before = await world.events()
    for kind in (Ringing, Answered, LineLive, LegEnded):
        await world.happens(call_id, kind)
    await world.happens(call_id, Heard, "Hello?")
    await world.happens(call_id, Spoken, "u1", Outcome.PLAYED, "Hello.", 10)
    await world.happens(call_id, RequestDropped, "nobody")
    assert await world.events() == before
    assert list(world.engine._roster) == []


async def test_a_call_is_found_by_both_of_its_ids_while_open_and_after(world: World) -> None:
    call_id = await world.talking()
    leg_id = (await world.call(call_id)).provider_call_id
    assert leg_id is not None
    for _ in range(2):
        found = await world.engine.find(leg_id)
        assert found is not None
        assert found.call_id == call_id
        await world.outcome(world.end(call_id))
    assert await world.engine.find("no-such-leg") is None
    assert await world.engine.get("no-such-call") is None


async def test_an_end_that_is_not_on_disk_yet_happens_once(world: World) -> None:
    answer = await world.outcome(world.dial(mode=Mode.CONVERSATION))
    assert isinstance(answer, dict)
    call_id = answer["callId"]
    await world.passes(10_000)
    at_ms = world.clock.now_ms()

    world.store.slow = "call.ended"
    world.do(world.engine.submit(call_id, DigitsHeard(at_ms, "1")))
    world.do(world.engine.submit(call_id, LegEnded(at_ms, EndReason.HANGUP_USER)))
    await world.idle()
    world.do(world.engine.submit(call_id, LegEnded(at_ms, EndReason.HANGUP_USER)))
    await world.idle()
    world.store.slow = None
    world.store.release()
    await world.idle()

    assert len(await world.events(call_id, "call.ended")) == 1
