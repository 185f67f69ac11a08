"""Draining: running calls may finish, then hear goodbye, then are hung up."""

import asyncio

from sidecar.call.effects import Hangup
from sidecar.call.events import LegEnded
from sidecar.call.model import EndReason
from sidecar.engine.desk.farewell import drain
from tests.support.troubles import UNREACHABLE
from tests.support.world import World


async def test_without_calls_there_is_nothing_to_wait_for(world: World) -> None:
    await world.outcome(world.do(drain(world.engine, 10_000)))


async def test_a_call_that_ends_in_time_hears_no_goodbye(world: World) -> None:
    call_id = await world.talking()
    draining = world.do(drain(world.engine, 10_000))
    await world.passes(3_000)
    assert not draining.done()
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    await world.idle()
    assert draining.done()
    assert await world.said(call_id) == ["Hello there."]


async def test_calls_that_go_on_hear_goodbye_and_are_hung_up(world: World) -> None:
    ids = [await world.talking() for _ in range(3)]
    draining = world.do(drain(world.engine, 10_000))
    await world.passes(10_000)
    assert await world.said(ids[0]) == ["Hello there.", "Goodbye."]
    await world.passes(2_000)
    assert draining.done()
    for call_id in ids:
        assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
        assert (await world.events(call_id, "call.utterance"))[-1]["outcome"] == "played"


async def test_a_call_that_still_rings_is_hung_up_without_a_word(world: World) -> None:
    call_id = await world.dialled()
    draining = world.do(drain(world.engine, 100))
    await world.passes(200)
    assert draining.done()
    assert await world.said(call_id) == []
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


async def test_in_a_hurry_nothing_is_said(world: World) -> None:
    ids = [await world.talking() for _ in range(3)]
    await world.outcome(world.do(drain(world.engine, 0)))
    for call_id in ids:
        assert await world.said(call_id) == ["Hello there."]
        assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


async def test_a_carrier_that_does_not_take_the_hang_up_does_not_hold_us(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Hangup] = UNREACHABLE
    draining = world.do(drain(world.engine, 0))
    await world.passes(4_000)
    assert draining.done()
    world.carrier.faults.clear()
    await world.restart()
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
    assert (await world.story(call_id)).count("ended") == 1


async def test_a_voice_that_never_ends_does_not_hold_us(world: World) -> None:
    call_id = await world.talking()
    world.carrier.gates[type(world.carrier.performed[-1])] = asyncio.Event()
    draining = world.do(drain(world.engine, 1_000))
    await world.passes(14_000)
    assert draining.done()
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
