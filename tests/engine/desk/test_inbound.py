"""News from carriers: which call they are about, and whether there is to be one."""

from typing import Any

import pytest

from sidecar.call.effects import Answer, Dial, Hangup
from sidecar.call.events import Answered, DigitsHeard, Heard, LegEnded, Ringing
from sidecar.call.model import Agent, Direction, EndReason, State
from sidecar.engine.desk.inbound import Refused, Taken
from sidecar.engine.settings import NumberRoute, Settings
from sidecar.errors import CarrierError, Problem
from sidecar.ports import InboundLeg, News
from tests.support.world import OURS, THEIRS, World

STRANGER = "+15559990000"
HOUR_MS = 3_600_000


async def under(world: World, policy: str, **settings: Any) -> None:
    members = {"caller_number": OURS, "max_calls": 5, "inbound_policy": policy}
    world.settings = Settings(**(members | {"pairing_phrase": "Your code is {code}."} | settings))
    await world.restart()


async def takes(world: World, news: News) -> Taken:
    outcome: Any = await world.outcome(world.do(world.inbound.take(news)))
    assert not isinstance(outcome, Problem), outcome
    taken: Taken = outcome
    return taken


# -- the policy -----------------------------------------------------------------------------------


async def test_a_disabled_door_rejects_and_leaves_no_record(world: World) -> None:
    taken = await takes(world, world.incoming())
    assert isinstance(taken, Refused)
    assert taken.reason == "disabled"
    (event,) = await world.events()
    assert event["type"] == "call.rejected"
    assert event["reason"] == "disabled"
    assert event["from"] == THEIRS
    assert event["providerCallId"] == "leg-1"
    assert "callId" not in event
    assert world.engine.open_calls == []
    assert world.carrier.rejected == [("disabled", None)]


async def test_an_open_door_greets(world: World) -> None:
    await under(world, "open", inbound_greeting="Good day.")
    await takes(world, world.incoming())
    await world.passes(3_000)
    (call,) = world.engine.open_calls
    assert call.direction is Direction.INBOUND
    assert call.session_key == "voice:15550001111"
    assert await world.story() == [
        "initiated",
        "ringing",
        "answered",
        "active",
        "speaking",
        "utterance",
        "listening",
    ]
    assert await world.said(call.call_id) == ["Good day."]


@pytest.mark.parametrize(
    ("caller", "accepted"),
    [(THEIRS, True), ("+1 (555) 000-1111", True), (STRANGER, False), ("anonymous", False)],
)
async def test_the_allow_list_matches_exact_numbers(
    world: World, caller: str, accepted: bool
) -> None:
    await under(world, "allowlist", allow_from=frozenset({THEIRS}))
    taken = await takes(world, world.incoming(caller=caller))
    assert isinstance(taken, Refused) is not accepted


async def test_a_call_beyond_the_limit_is_rejected_as_busy(world: World) -> None:
    await under(world, "open", max_calls=1)
    await takes(world, world.incoming("leg-1"))
    taken = await takes(world, world.incoming("leg-2"))
    assert isinstance(taken, Refused)
    assert taken.reason == "capacity"
    assert world.carrier.done(Answer) == 1


async def test_calls_at_the_same_moment_do_not_pass_the_limit(world: World) -> None:
    await under(world, "open", max_calls=2)
    asked = [world.do(world.inbound.take(world.incoming(f"leg-{n}"))) for n in range(5)]
    await world.idle()
    assert all(task.done() for task in asked)
    assert len(world.engine.open_calls) == 2


async def test_a_closed_line_is_busy_and_its_calls_go_on(world: World) -> None:
    await under(world, "open")
    await takes(world, world.incoming("leg-1"))
    world.inbound.close()
    taken = await takes(world, world.incoming("leg-2"))
    assert isinstance(taken, Refused)
    assert taken.reason == "capacity"
    digits = DigitsHeard(world.clock.now_ms(), "5")
    await takes(world, News(digits, provider_call_id="leg-1"))
    (call,) = world.engine.open_calls
    assert call.dtmf == "5"


async def test_a_rejected_call_stays_rejected_whatever_comes_of_it(world: World) -> None:
    await takes(world, world.incoming())
    await under(world, "open")
    taken = await takes(world, world.incoming(event=Ringing(world.clock.now_ms())))
    assert isinstance(taken, Refused)
    assert await world.story() == ["rejected"]
    assert world.engine.open_calls == []


async def test_two_webhooks_of_one_new_call_make_one_call(world: World) -> None:
    await under(world, "open")
    asked = [world.do(world.inbound.take(world.incoming(key=f"k{n}"))) for n in range(3)]
    await world.idle()
    assert all(task.done() for task in asked)
    assert len(world.engine.open_calls) == 1
    assert (await world.story()).count("initiated") == 1


async def test_a_number_of_ours_has_its_own_ways(world: World) -> None:
    route = NumberRoute("Sales.", Agent("seller", "big-model"), 5_000)
    await under(world, "open", inbound_greeting="Good day.", routes={OURS: route})
    await takes(world, world.incoming())
    (call,) = world.engine.open_calls
    assert call.greeting == "Sales."
    assert call.agent == Agent("seller", "big-model")
    assert call.limits.response_ms == 5_000
    assert call.session_key == "agent:seller:voice:15550001111"


async def test_a_call_placed_elsewhere_is_adopted_as_outbound(world: World) -> None:
    leg = InboundLeg("leg-5", OURS, STRANGER, outbound=True)
    await takes(world, News(Answered(world.clock.now_ms()), provider_call_id="leg-5", leg=leg))
    (call,) = world.engine.open_calls
    assert call.direction is Direction.OUTBOUND
    assert call.state is State.ANSWERED
    assert world.carrier.done(Dial) == 0
    assert world.carrier.done(Answer) == 0


# -- pairing --------------------------------------------------------------------------------------


async def test_an_unknown_caller_hears_a_code_once(world: World) -> None:
    await under(world, "pairing")
    taken = await takes(world, world.incoming("leg-1"))
    assert isinstance(taken, Refused)
    assert taken.reason == "pairing"
    requested, rejected = await world.events()
    assert (requested["type"], rejected["type"]) == ("pairing.requested", "call.rejected")
    assert taken.say == f"Your code is {', '.join(requested['code'])}."
    again = await takes(world, world.incoming("leg-2"))
    assert isinstance(again, Refused)
    assert again.say is None
    assert (await world.story()).count("pairing.requested") == 1


async def test_an_approved_number_is_let_in_for_good(world: World) -> None:
    await under(world, "pairing")
    await takes(world, world.incoming("leg-1"))
    code = (await world.events(None, "pairing.requested"))[0]["code"]
    assert await world.store.approve_pairing(code, world.clock.now_ms()) == THEIRS
    taken = await takes(world, world.incoming("leg-2"))
    assert not isinstance(taken, Refused)
    await world.restart()
    taken = await takes(world, world.incoming("leg-3"))
    assert not isinstance(taken, Refused)


async def test_a_code_is_good_for_an_hour_and_a_new_one_comes_after_that(world: World) -> None:
    await under(world, "pairing")
    await takes(world, world.incoming("leg-1"))
    code = (await world.events(None, "pairing.requested"))[0]["code"]
    await world.passes(HOUR_MS)
    assert await world.store.approve_pairing(code, world.clock.now_ms()) is None
    taken = await takes(world, world.incoming("leg-2"))
    assert isinstance(taken, Refused)
    assert taken.say is not None


async def test_twenty_codes_wait_at_the_most(world: World) -> None:
    await under(world, "pairing")
    for number in range(22):
        await takes(world, world.incoming(f"leg-{number}", f"+1555777{number:04d}"))
    story = await world.story()
    assert story.count("pairing.requested") == 20
    assert story.count("rejected") == 22


async def test_an_anonymous_caller_hears_no_code(world: World) -> None:
    await under(world, "pairing")
    taken = await takes(world, world.incoming(caller="anonymous"))
    assert isinstance(taken, Refused)
    assert taken.say is None
    (event,) = await world.events()
    assert "from" not in event


# -- which call -----------------------------------------------------------------------------------


async def test_news_are_about_the_call_whose_id_they_bear(world: World) -> None:
    call_id = await world.talking()
    digits = DigitsHeard(world.clock.now_ms(), "7")
    await takes(world, News(digits, call_id=call_id))
    leg_id = (await world.call(call_id)).provider_call_id
    await takes(world, News(digits, provider_call_id=leg_id))
    assert (await world.call(call_id)).dtmf == "77"


async def test_news_of_an_unknown_call_are_counted_and_nothing_else(world: World) -> None:
    assert await takes(world, News(Ringing(1), provider_call_id="nobody")) is None
    assert world.counters.values["news.unknown_call"] == 1
    assert await world.events() == []


async def test_news_that_overtake_the_answer_to_the_dial_name_the_leg(world: World) -> None:
    world.carrier.silent.add(Dial)
    asked = world.converse()
    await world.idle()
    (call,) = world.engine.open_calls
    ringing = Ringing(world.clock.now_ms())
    await takes(world, News(ringing, call_id=call.call_id, provider_call_id="leg-3"))
    assert (await world.call(call.call_id)).provider_call_id == "leg-3"
    assert "callId" in await world.outcome(asked)
    assert await world.story() == ["initiated", "ringing"]


async def test_a_straggler_of_a_failed_call_is_told_to_hang_up(world: World) -> None:
    world.carrier.faults[Dial] = CarrierError(Problem("carrierUnavailable", "It is lost."))
    problem = await world.outcome(world.converse())
    assert isinstance(problem, Problem)
    call_id = problem.data["callId"]
    before = await world.story()
    answered = Answered(world.clock.now_ms())
    await takes(world, News(answered, call_id=call_id, provider_call_id="leg-3"))
    assert world.carrier.done(Hangup) == 1
    assert await world.story() == before
    assert (await world.call(call_id)).end_reason is EndReason.FAILED


async def test_the_end_of_a_straggler_needs_no_hang_up(world: World) -> None:
    world.carrier.faults[Dial] = CarrierError(Problem("carrierUnavailable", "It is lost."))
    problem = await world.outcome(world.converse())
    assert isinstance(problem, Problem)
    ended = LegEnded(world.clock.now_ms(), EndReason.BUSY)
    call_id = problem.data["callId"]
    await takes(world, News(ended, call_id=call_id, provider_call_id="leg-3"))
    assert world.carrier.done(Hangup) == 0


# -- repeats --------------------------------------------------------------------------------------


async def test_a_repeated_key_changes_nothing(world: World) -> None:
    call_id = await world.talking()
    news = News(Heard(world.clock.now_ms(), "Hello."), call_id=call_id, key="k1")
    for _ in range(3):
        await takes(world, news)
    assert (await world.story(call_id)).count("speech") == 1
    await world.restart()
    await takes(world, news)
    assert (await world.story(call_id)).count("speech") == 1


async def test_repeats_at_the_same_time_wait_for_the_first_and_count_once(world: World) -> None:
    call_id = await world.talking()
    news = News(Heard(world.clock.now_ms(), "Hello."), call_id=call_id, key="k1")
    world.store.hold()
    asked = [world.do(world.inbound.take(news)) for _ in range(3)]
    await world.idle()
    assert not any(task.done() for task in asked), "none is acknowledged before it is on disk"
    world.store.release()
    await world.idle()
    assert all(task.done() for task in asked)
    assert (await world.story(call_id)).count("speech") == 1


async def test_news_that_cannot_be_stored_are_not_acknowledged_and_not_applied_twice(
    world: World,
) -> None:
    call_id = await world.talking()
    news = News(Heard(world.clock.now_ms(), "Hello."), call_id=call_id, key="k1")
    world.store.failing = True
    for _ in range(3):
        refused = world.do(world.inbound.take(news))
        assert await world.refusal(refused) == "storeUnavailable"
    world.store.failing = False
    await world.passes(2_000)
    await takes(world, news)
    assert (await world.story(call_id)).count("speech") == 1


async def test_a_rejection_that_cannot_be_stored_is_tried_again_as_a_whole(world: World) -> None:
    world.store.failing = True
    refused = world.do(world.inbound.take(world.incoming(key="k1")))
    assert await world.refusal(refused) == "storeUnavailable"
    world.store.failing = False
    await takes(world, world.incoming(key="k1"))
    await world.passes(2_000)
    assert await world.story() == ["rejected"]


# -- partial words --------------------------------------------------------------------------------


async def test_partial_words_are_live_only_and_at_most_five_a_second(world: World) -> None:
    call_id = await world.talking()
    before = await world.events()
    heard: list[str] = []
    world.journal.listen(lambda: None, lambda event: heard.append(event.body))
    for number in range(40):
        await takes(world, News(None, partial=f"word {number}", call_id=call_id))
        await world.passes(50)
    assert len(heard) == 10
    assert "seq" not in heard[0]
    assert await world.events() == before
