"""Calls on a bad day: the process dies, the store is away."""

import asyncio

import pytest

from sidecar.call.effects import Dial, Hangup
from sidecar.call.events import Heard
from sidecar.call.model import EndReason
from sidecar.ports import LegStatus
from tests.support.requirement import shows
from tests.support.world import World


@shows("restart", "one-end")
@pytest.mark.parametrize("after_ms", [0, 100, 400, 1_000, 1_200, 2_500, 4_000])
async def test_the_process_dies_at_some_moment_of_a_call(world: World, after_ms: int) -> None:
    world.dial("The build is green.")
    await world.passes(after_ms)
    await world.restart()
    await world.passes(120_000)
    story = await world.story()
    assert story.count("initiated") == 1
    assert story.count("ended") == 1
    assert story[-1] == "ended"
    assert world.carrier.done(Dial) == 0
    assert world.engine.open_calls == []


@shows("restart")
async def test_the_process_dies_while_it_dials(world: World) -> None:
    world.carrier.gates[Dial] = asyncio.Event()
    world.dial()
    await world.idle()
    await world.restart()
    await world.passes(60_000)
    assert await world.story() == ["initiated", "ended"]
    assert world.carrier.done(Dial) == 0


@shows("restart")
async def test_a_caller_stays_while_the_process_is_away(world: World) -> None:
    call_id = await world.talking()
    await world.restart(down_ms=10_000, recover=False)
    world.carrier.status = LegStatus(alive=True)
    await world.recover()
    waiting = world.prompt(call_id, "Are you still there?")
    await world.idle()
    await world.happens(call_id, Heard, "Yes.")
    assert await world.outcome(waiting) == {"success": True, "transcript": "Yes."}
    await world.restart(recover=False)
    world.carrier.status = LegStatus(False, EndReason.HANGUP_USER)
    await world.recover()
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_USER
    assert (await world.story(call_id)).count("ended") == 1


@shows("store-away", "one-end")
async def test_the_disk_is_full_for_a_while(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    assert await world.refusal(world.dial()) == "storeUnavailable"
    await world.happens(call_id, Heard, "Hello? Is anybody there?")
    assert await world.refusal(world.end(call_id)) == "storeUnavailable"
    assert world.carrier.done(Hangup) == 1
    assert world.engine.open_calls == []
    world.store.failing = False
    await world.passes(2_000)
    assert (await world.story(call_id)).count("ended") == 1
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT
    assert "callId" in await world.outcome(world.dial())
