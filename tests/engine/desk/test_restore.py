"""After a crash: every call that was open is asked for, and has one end. Nothing is dialled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.call.effects import Answer, Dial, Hangup, Listen, Poll
from sidecar.call.events import Heard, LegEnded, SpeakRequested
from sidecar.call.model import EndReason, State
from sidecar.ports import LegSearch, LegStatus
from tests.support.troubles import UNREACHABLE
from tests.support.world import World

ALIVE = LegStatus(alive=True)


async def down(world: World, prepare: Callable[[World], Any], down_ms: int = 1_000) -> None:
    """A crash; `prepare` sets what the carrier will say."""
    await world.restart(down_ms=down_ms, recover=False)
    prepare(world)
    await world.recover()


def answers(world: World, status: Any) -> None:
    world.carrier.status = status


async def test_a_call_whose_leg_is_gone_ends_with_the_carriers_reason(world: World) -> None:
    call_id = await world.talking()
    await down(world, lambda new: answers(new, LegStatus(False, EndReason.HANGUP_USER)))
    assert (await world.story(call_id))[-1] == "ended"
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_USER
    assert world.carrier.done(Dial) == 0
    assert world.carrier.done(Hangup) == 0


async def test_a_mock_line_ends_with_its_process(world: World) -> None:
    call_id = await world.talking()
    await world.restart()
    assert (await world.call(call_id)).end_reason is EndReason.ERROR
    assert (await world.story(call_id)).count("ended") == 1


async def test_a_call_whose_leg_lives_goes_on_where_it_was(world: World) -> None:
    call_id = await world.talking()
    await down(world, lambda new: answers(new, ALIVE))
    call = await world.call(call_id)
    assert call.state is State.LISTENING
    assert world.carrier.done(Listen) == 1
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    assert (await world.story(call_id)).count("ended") == 1


async def test_the_timers_go_on_as_if_nothing_had_happened(world: World) -> None:
    call_id = await world.talking()
    await down(world, lambda new: answers(new, ALIVE), down_ms=200_000)
    world.carrier.silent.add(Poll)
    await world.passes(90_000)
    assert world.engine.open_calls != []
    await world.passes(20_000)
    assert (await world.call(call_id)).end_reason is EndReason.TIMEOUT


async def test_a_deadline_that_passed_meanwhile_is_kept_at_once(world: World) -> None:
    call_id = await world.talking()
    await down(world, lambda new: answers(new, ALIVE), down_ms=400_000)
    await world.passes(10_000)
    assert (await world.call(call_id)).end_reason is EndReason.TIMEOUT


async def test_a_carrier_that_cannot_be_asked_leaves_the_call_and_is_asked_again(
    world: World,
) -> None:
    call_id = await world.talking()
    await down(world, lambda new: answers(new, UNREACHABLE))
    assert (await world.call(call_id)).state is State.LISTENING
    await world.passes(5_000)
    assert (await world.call(call_id)).state is State.LISTENING
    world.carrier.status = LegStatus(False, EndReason.COMPLETED)
    await world.passes(30_000)
    assert (await world.call(call_id)).end_reason is EndReason.COMPLETED
    assert (await world.story(call_id)).count("ended") == 1


async def test_who_asks_something_of_the_call_before_its_fate_is_known_is_answered(
    world: World,
) -> None:
    """The clearing away of the old process must not take a new one's request with it."""
    call_id = await world.talking()
    await down(world, lambda new: answers(new, UNREACHABLE))
    waiting = world.prompt(call_id)
    await world.idle()
    world.carrier.status = ALIVE
    await world.passes(3_000)
    await world.happens(call_id, Heard, "I am still here.")
    outcome = await world.outcome(waiting)
    assert outcome == {"success": True, "transcript": "I am still here."}


async def test_a_waiter_of_the_old_process_is_forgotten(world: World) -> None:
    call_id = await world.talking()
    world.prompt(call_id)
    await world.passes(3_000)
    await down(world, lambda new: answers(new, ALIVE))
    call = await world.call(call_id)
    assert call.waiter is None
    assert call.state is State.LISTENING


async def test_a_voice_of_the_old_process_counts_as_cut(world: World) -> None:
    call_id = await world.talking()
    await world.outcome(world.speak(call_id, "One two three four five six seven."))
    await down(world, lambda new: answers(new, ALIVE))
    assert (await world.events(call_id, "call.utterance"))[-1]["outcome"] == "interrupted"
    assert (await world.call(call_id)).state is State.LISTENING


async def test_an_inbound_call_that_still_rings_is_answered(world: World) -> None:
    world.settings = world.settings.__class__(inbound_policy="open")
    await world.restart()
    world.carrier.gates[Answer] = asyncio.Event()
    await world.outcome(world.do(world.inbound.take(world.incoming())))
    await down(world, lambda new: answers(new, ALIVE))
    assert world.carrier.done(Answer) == 1


async def test_a_reply_that_was_being_written_is_asked_for_again(world: World) -> None:
    world.agent.come()
    call_id = await world.talking()
    await world.happens(call_id, Heard, "What time is it?")
    assert len(world.agent.asked) == 1
    await down(world, lambda new: answers(new, ALIVE))
    world.agent.come()
    await world.idle()
    assert [asked["message"] for asked in world.agent.asked] == ["What time is it?"]


# -- a create whose answer was never seen ---------------------------------------------------------


async def lost_create(world: World) -> str:
    """A call that was being created when the process died; its id."""
    world.carrier.gates[Dial] = asyncio.Event()
    world.dial()
    await world.idle()
    (call,) = world.engine.open_calls
    return call.call_id


async def test_a_lost_create_that_is_found_is_adopted(world: World) -> None:
    call_id = await lost_create(world)

    def found(new: World) -> None:
        new.carrier.search = LegSearch("leg-7")
        new.carrier.status = ALIVE

    await down(world, found)
    call = await world.call(call_id)
    assert call.provider_call_id == "leg-7"
    assert await world.story(call_id) == ["initiated"]
    assert world.carrier.done(Dial) == 0


async def test_a_lost_create_that_never_was_is_failed(world: World) -> None:
    call_id = await lost_create(world)
    await world.restart()
    assert (await world.call(call_id)).end_reason is EndReason.FAILED
    assert await world.story(call_id) == ["initiated", "ended"]
    assert world.carrier.done(Dial) == 0


@pytest.mark.parametrize("search", [LegSearch(), UNREACHABLE])
async def test_a_lost_create_that_does_not_turn_up_is_failed_after_the_ring_timeout(
    world: World, search: Any
) -> None:
    call_id = await lost_create(world)

    def unknown(new: World) -> None:
        new.carrier.search = search

    await down(world, unknown)
    await world.passes(29_000)
    assert not (await world.call(call_id)).is_over
    await world.passes(2_000)
    assert (await world.call(call_id)).end_reason is EndReason.FAILED
    assert world.carrier.done(Dial) == 0
    assert world.carrier.done(Hangup) == 0


async def test_calls_that_are_over_are_left_alone(world: World) -> None:
    call_id = await world.talking()
    await world.outcome(world.end(call_id))
    before = await world.events()
    await world.restart()
    assert await world.events() == before
    assert world.engine.open_calls == []


async def test_many_calls_have_one_end_each(world: World) -> None:
    ids = [await world.dialled(f"Call {number}.") for number in range(4)]
    await world.passes(2_000)
    await world.happens(ids[0], SpeakRequested, "nobody", "Hello.")
    await world.restart()
    for call_id in ids:
        assert (await world.story(call_id)).count("ended") == 1
        assert (await world.story(call_id))[-1] == "ended"
