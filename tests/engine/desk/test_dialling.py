"""Placing calls: who may be called, how many at once, and once only under a key."""

import asyncio
from typing import Any

import pytest

from sidecar.call.effects import Dial
from sidecar.call.events import LegEnded
from sidecar.call.model import EndReason, Mode
from sidecar.call.policy import OutboundPolicy
from sidecar.engine.settings import Settings
from sidecar.errors import CarrierError, Problem
from sidecar.ports import LegSearch
from tests.support.troubles import UNREACHABLE
from tests.support.world import THEIRS, World

HOUR_MS = 3_600_000


async def with_settings(world: World, **settings: Any) -> World:
    world.settings = Settings(**({"caller_number": "+15550000000", "max_calls": 5} | settings))
    await world.restart()
    return world


# -- what is refused ------------------------------------------------------------------------------


async def test_a_call_needs_somebody_to_be_called(world: World) -> None:
    problem = await world.outcome(world.dial(to=None))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.data["field"]) == ("invalidParams", "to")


async def test_the_configured_number_is_called_when_none_is_given(world: World) -> None:
    await with_settings(world, default_to=THEIRS)
    await world.outcome(world.dial(to=None))
    (call,) = world.engine.open_calls
    assert call.to_number == THEIRS


async def test_a_notify_call_needs_words_and_sends_no_digits(world: World) -> None:
    for wish in ({"message": None}, {"dtmf_sequence": "1#"}):
        problem = await world.outcome(world.dial(mode=Mode.NOTIFY, **wish))
        assert isinstance(problem, Problem)
        assert problem.kind == "invalidParams"


async def test_a_call_with_nothing_to_say_is_a_conversation(world: World) -> None:
    await world.outcome(world.dial(None))
    (call,) = world.engine.open_calls
    assert call.mode is Mode.CONVERSATION


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"enabled": False}, "disabled"),
        ({"missing": ("twilio.authToken",)}, "notConfigured"),
        ({"unsupported": "Not in this version."}, "unsupported"),
    ],
)
async def test_a_sidecar_that_cannot_call_says_why(
    world: World, settings: dict[str, Any], kind: str
) -> None:
    await with_settings(world, **settings)
    assert await world.refusal(world.dial()) == kind


async def test_a_sidecar_that_shuts_down_takes_no_new_calls(world: World) -> None:
    world.dialling.close()
    assert await world.refusal(world.dial()) == "shuttingDown"


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (OutboundPolicy(deny_to=("+1555*",)), "denyTo"),
        (OutboundPolicy(allow_to=("+44*",)), "allowTo"),
        (OutboundPolicy(quiet_start="00:00", quiet_end="24:00"), "quietHours"),
    ],
)
async def test_the_outbound_policy_is_kept(world: World, policy: OutboundPolicy, name: str) -> None:
    await with_settings(world, outbound=policy)
    problem = await world.outcome(world.dial())
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.data["policy"]) == ("refusedByPolicy", name)
    assert await world.events() == []


async def test_force_lifts_the_quiet_hours(world: World) -> None:
    policy = OutboundPolicy(quiet_start="00:00", quiet_end="24:00")
    await with_settings(world, outbound=policy)
    assert "callId" in await world.outcome(world.dial(force=True))


@pytest.mark.parametrize("limit", ["max_per_hour", "max_per_hour_per_number"])
async def test_calls_an_hour_are_limited(world: World, limit: str) -> None:
    await with_settings(world, outbound=OutboundPolicy(**{limit: 2}))
    for _ in range(2):
        await world.outcome(world.dial())
    problem = await world.outcome(world.dial())
    assert isinstance(problem, Problem)
    assert problem.data["policy"] == "rateLimited"
    await world.passes(HOUR_MS + 1)
    assert "callId" in await world.outcome(world.dial())


async def test_there_are_never_more_calls_than_allowed(world: World) -> None:
    await with_settings(world, max_calls=2)
    asked = [world.dial() for _ in range(4)]
    outcomes = [await world.outcome(task) for task in asked]
    kinds = [outcome.kind for outcome in outcomes if isinstance(outcome, Problem)]
    assert kinds == ["tooManyCalls"] * 2
    assert world.carrier.done(Dial) == 2
    await world.happens(world.engine.open_calls[0].call_id, LegEnded, EndReason.BUSY)
    assert "callId" in await world.outcome(world.dial())


# -- transfers ------------------------------------------------------------------------------------


async def test_a_transfer_needs_a_number_on_the_list(world: World) -> None:
    call_id = await world.talking()
    work = world.dialling.transfer(call_id, "+15550002222", None)
    assert await world.refusal(world.do(work)) == "refusedByPolicy"


async def test_a_transfer_to_a_listed_number_ends_our_part(world: World) -> None:
    await with_settings(world, outbound=OutboundPolicy(allow_to=("+1555*",)))
    call_id = await world.talking()
    work = world.dialling.transfer(call_id, "+15550002222", "One moment.")
    assert await world.outcome(world.do(work)) == {"success": True}
    await world.passes(5_000)
    assert (await world.story(call_id))[-2:] == ["transferred", "ended"]
    assert (await world.call(call_id)).end_reason is EndReason.COMPLETED


# -- once only ------------------------------------------------------------------------------------


async def test_the_same_key_dials_once(world: World) -> None:
    first = await world.outcome(world.dial(idempotency_key="k1"))
    assert await world.outcome(world.dial(idempotency_key="k1")) == first
    assert world.carrier.done(Dial) == 1


async def test_repeats_at_the_same_time_wait_for_the_first_answer(world: World) -> None:
    gate = world.carrier.gates[Dial] = asyncio.Event()
    asked = [world.dial(idempotency_key="k1") for _ in range(5)]
    await world.idle()
    assert not any(task.done() for task in asked)
    gate.set()
    answers = [await world.outcome(task) for task in asked]
    assert all(answer == answers[0] for answer in answers)
    assert world.carrier.done(Dial) == 1


async def test_a_repeat_gets_the_error_of_the_first(world: World) -> None:
    world.carrier.faults[Dial] = CarrierError(Problem("carrierRejected", "No such number."))
    first = await world.outcome(world.dial(idempotency_key="k1"))
    world.carrier.faults.clear()
    assert await world.outcome(world.dial(idempotency_key="k1")) == first
    assert world.carrier.done(Dial) == 1


async def test_other_params_under_the_same_key_are_invalid(world: World) -> None:
    await world.outcome(world.dial(idempotency_key="k1"))
    problem = await world.outcome(world.dial("Something else.", idempotency_key="k1"))
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.data["field"]) == ("invalidParams", "idempotencyKey")
    assert world.carrier.done(Dial) == 1


async def test_a_refusal_before_the_dial_does_not_use_the_key_up(world: World) -> None:
    await with_settings(world, max_calls=1)
    call_id = await world.dialled()
    assert await world.refusal(world.dial(idempotency_key="k1")) == "tooManyCalls"
    await world.outcome(world.end(call_id))
    assert "callId" in await world.outcome(world.dial(idempotency_key="k1"))


async def test_a_store_that_fails_does_not_use_the_key_up(world: World) -> None:
    world.store.failing = True
    assert await world.refusal(world.dial(idempotency_key="k1")) == "storeUnavailable"
    world.store.failing = False
    assert "callId" in await world.outcome(world.dial(idempotency_key="k1"))


async def test_a_key_outlives_a_restart(world: World) -> None:
    first = await world.outcome(world.dial(idempotency_key="k1"))
    await world.restart()
    assert await world.outcome(world.dial(idempotency_key="k1")) == first
    assert world.carrier.done(Dial) == 0


async def test_a_key_is_good_for_a_day(world: World) -> None:
    first = await world.outcome(world.dial(idempotency_key="k1"))
    world.clock.set(world.clock.now_ms() + 24 * HOUR_MS)
    await world.idle()
    assert await world.outcome(world.dial(idempotency_key="k1")) != first


async def test_a_lost_answer_is_the_calls_own_fate(world: World) -> None:
    """The process died between the create and its answer; the call is found."""
    world.carrier.gates[Dial] = asyncio.Event()
    world.dial(idempotency_key="k1")
    await world.idle()
    await world.restart(recover=False)
    repeat = world.dial(idempotency_key="k1")
    await world.idle()
    assert not repeat.done()
    world.carrier.search = LegSearch("leg-9")
    await world.recover()
    answer = await world.outcome(repeat)
    assert isinstance(answer, dict)
    assert answer["initiated"] is True
    assert world.carrier.done(Dial) == 0


async def test_a_lost_answer_of_a_call_that_never_was_is_an_error(world: World) -> None:
    world.carrier.gates[Dial] = asyncio.Event()
    world.dial(idempotency_key="k1")
    await world.idle()
    await world.restart(recover=False)
    world.carrier.search = UNREACHABLE
    repeat = world.dial(idempotency_key="k1")
    await world.recover()
    await world.passes(31_000)
    problem = await world.outcome(repeat)
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.retryable) == ("carrierUnavailable", False)
    assert "callId" in problem.data
    assert world.carrier.done(Dial) == 0


async def test_a_caller_who_leaves_does_not_take_the_call_along(world: World) -> None:
    gate = world.carrier.gates[Dial] = asyncio.Event()
    first = world.dial(idempotency_key="k1")
    await world.idle()
    first.cancel()
    await world.idle()
    repeat = world.dial(idempotency_key="k1")
    await world.idle()
    assert not repeat.done()
    gate.set()
    assert "callId" in await world.outcome(repeat)
    assert world.carrier.done(Dial) == 1
