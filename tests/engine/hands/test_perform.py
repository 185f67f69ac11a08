"""Carrying effects out: in order, whatever goes wrong at the carrier."""

import asyncio
from typing import Any

import pytest

from sidecar.call.effects import Answer, Clear, Listen, Poll, Say, SendDigits, Transfer
from sidecar.call.events import DigitsRequested, Heard, TransferRequested
from sidecar.call.model import EndReason, State
from sidecar.errors import Problem
from sidecar.ports import NewEvent, Write
from tests.support.troubles import UNREACHABLE
from tests.support.world import World


def digits(world: World, call_id: str) -> Any:
    return world.do(world.engine.ask(call_id, lambda id, at_ms: DigitsRequested(at_ms, id, "1")))


async def test_digits_that_the_carrier_does_not_take_are_an_error(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[SendDigits] = UNREACHABLE
    assert await world.refusal(digits(world, call_id)) == "carrierUnavailable"
    assert (await world.call(call_id)).state is State.LISTENING


async def test_digits_that_the_carrier_takes_are_a_success(world: World) -> None:
    call_id = await world.talking()
    assert await world.outcome(digits(world, call_id)) == {"success": True}


async def test_digits_on_a_call_that_ends_are_an_error(world: World) -> None:
    call_id = await world.talking()
    world.carrier.gates[SendDigits] = asyncio.Event()
    asked = digits(world, call_id)
    await world.outcome(world.end(call_id))
    assert await world.refusal(asked) == "callEnded"


async def test_a_transfer_that_the_carrier_does_not_take_is_a_warning(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Transfer] = UNREACHABLE
    asked = world.do(
        world.engine.ask(call_id, lambda id, at_ms: TransferRequested(at_ms, id, "+15550002222"))
    )
    assert await world.outcome(asked) == {"success": True}
    (warning,) = await world.events(call_id, "call.warning")
    assert warning["code"] == "transferFailed"


async def test_an_inbound_call_that_cannot_be_answered_ends_as_an_error(world: World) -> None:
    world.settings = world.settings.__class__(inbound_policy="open")
    await world.restart()
    world.carrier.faults[Answer] = UNREACHABLE
    await world.outcome(world.do(world.inbound.take(world.incoming())))
    assert (await world.events(None, "call.ended"))[0]["reason"] == EndReason.ERROR


@pytest.mark.parametrize("kind", [Listen, Clear])
async def test_what_goes_wrong_in_between_is_told_and_the_call_goes_on(
    world: World, kind: type
) -> None:
    call_id = await world.dialled()
    await world.passes(1_100)
    world.carrier.faults[kind] = UNREACHABLE
    await world.happens(call_id, Heard, "No, stop that.")
    await world.passes(2_000)
    (error,) = await world.events(call_id, "call.error")
    assert error["retryable"] is True
    assert not (await world.call(call_id)).is_over


async def test_a_carrier_that_cannot_be_polled_is_asked_again(world: World) -> None:
    call_id = await world.talking()
    world.carrier.faults[Poll] = UNREACHABLE
    await world.passes(65_000)
    assert world.carrier.done(Poll) == 2
    assert (await world.call(call_id)).state is State.LISTENING


async def test_an_event_whose_write_waits_does_not_overtake_the_one_before(world: World) -> None:
    """The first is being written when the store goes away; the second is only kept for later."""
    call_id = await world.talking()
    world.carrier.performed.clear()
    world.store.hold()
    speaking = world.speak(call_id, "Some news.")
    await world.idle()
    world.engine._ledger.keep(Write(events=(NewEvent(1, "sidecar.publicUrl", None, {"url": ""}),)))
    await world.happens_soon(call_id, Heard, "No, stop that.")
    assert world.carrier.performed == []
    world.store.release()
    assert await world.outcome(speaking) == {"success": True}
    kinds = [type(effect) for effect in world.carrier.performed]
    assert kinds.index(Say) < kinds.index(Clear)
    await world.passes(3_000)
    assert (await world.story(call_id)).count("bargeIn") == 1


async def test_nothing_is_carried_out_after_closing(world: World) -> None:
    call_id = await world.talking()
    await world.engine.close()
    world.carrier.performed.clear()
    await world.happens(call_id, Heard, "Hello?")
    assert world.carrier.performed == []
    problem = await world.outcome(world.speak("nobody", "Hello?"))
    assert isinstance(problem, Problem)
    assert problem.kind == "callNotFound"
