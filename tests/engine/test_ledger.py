"""While the store is away: requests are taken back, running calls go on and end, once."""

from sidecar.call.effects import Dial, Hangup
from sidecar.call.events import Heard, LegEnded
from sidecar.call.model import EndReason
from sidecar.engine.ledger import Ledger
from sidecar.errors import Problem, StoreError
from sidecar.ports import NewEvent, Write
from tests.support.world import World


async def test_a_wish_for_a_call_is_refused_and_nothing_is_dialled(world: World) -> None:
    world.store.failing = True
    assert await world.refusal(world.dial()) == "storeUnavailable"
    assert world.engine.open_calls == []
    assert world.carrier.done(Dial) == 0
    world.store.failing = False
    await world.passes(5_000)
    assert await world.events() == []


async def test_an_inbound_call_is_not_taken(world: World) -> None:
    world.settings = world.settings.__class__(inbound_policy="open")
    await world.restart()
    world.store.failing = True
    assert await world.refusal(world.do(world.inbound.take(world.incoming()))) == "storeUnavailable"
    assert world.engine.open_calls == []


async def test_what_is_asked_of_a_running_call_is_refused_and_taken_back(world: World) -> None:
    call_id = await world.talking()
    before = await world.call(call_id)
    world.store.failing = True
    assert await world.refusal(world.speak(call_id, "Hello?")) == "storeUnavailable"
    assert await world.refusal(world.prompt(call_id)) == "storeUnavailable"
    await world.idle()
    assert await world.call(call_id) == before
    world.store.failing = False
    await world.passes(5_000)
    assert await world.said(call_id) == ["Hello there."]
    again = world.prompt(call_id)
    await world.passes(3_000)
    await world.happens(call_id, Heard, "Yes, I am here.")
    assert await world.outcome(again) == {"success": True, "transcript": "Yes, I am here."}


async def test_a_running_call_goes_on_and_what_happened_is_told_later(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    await world.happens(call_id, Heard, "Can you hear me?")
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    assert world.engine.open_calls == []
    before = await world.story(call_id)
    assert "ended" not in before
    world.store.failing = False
    await world.passes(2_000)
    assert (await world.story(call_id))[len(before) :] == ["speech", "warning", "ended"]
    (warning,) = await world.events(call_id, "call.warning")
    assert warning["code"] == "storeUnavailable"
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_USER
    assert list(world.engine._roster) == []


async def test_ending_is_done_though_it_cannot_be_stored(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    assert await world.refusal(world.end(call_id)) == "storeUnavailable"
    assert world.carrier.done(Hangup) == 1
    assert world.engine.open_calls == []
    world.store.failing = False
    await world.passes(2_000)
    assert (await world.story(call_id)).count("ended") == 1
    assert (await world.call(call_id)).end_reason is EndReason.HANGUP_BOT


async def test_a_call_ends_by_its_timers_while_the_store_is_away(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    await world.passes(400_000)
    assert world.engine.open_calls == []
    world.store.failing = False
    await world.passes(2_000)
    ended = await world.events(call_id, "call.ended")
    assert [event["reason"] for event in ended] == ["timeout"]
    assert (await world.story(call_id))[-1] == "ended"


async def test_a_new_call_that_moved_before_its_write_failed_is_not_dialled(world: World) -> None:
    world.store.hold()
    asked = world.dial()
    await world.idle()
    world.agent.come()
    await world.idle()
    world.store.failing = True
    world.store.release()
    assert await world.refusal(asked) == "storeUnavailable"
    world.store.failing = False
    await world.passes(2_000)
    assert world.carrier.done(Dial) == 0
    assert world.engine.open_calls == []
    assert (await world.story()).count("ended") == 1


async def test_closing_while_the_backlog_is_written_writes_nothing_twice(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    world.store.failing = False
    world.store.hold()
    await world.passes(1_000)
    closing = world.do(world.engine.close())
    await world.idle()
    world.store.release()
    await world.idle()
    assert closing.done()
    assert (await world.story(call_id)).count("ended") == 1


async def test_the_rest_is_written_when_the_engine_closes(world: World) -> None:
    call_id = await world.talking()
    world.store.failing = True
    await world.happens(call_id, LegEnded, EndReason.HANGUP_USER)
    world.store.failing = False
    await world.restart()
    assert (await world.story(call_id)).count("ended") == 1


# -- the ledger alone -----------------------------------------------------------------------------


def a_ledger(world: World) -> Ledger:
    return Ledger(world.store, world.clock, lambda call_id: None, lambda: None)


def a_write(number: int, what: object = "x") -> Write:
    return Write(events=(NewEvent(number, f"call.{number}", None, {"what": what}),))


async def committed(world: World, ledger: Ledger, write: Write) -> bool:
    try:
        await ledger.commit(write)
    except StoreError:
        return False
    return True


async def test_what_comes_later_waits_behind_what_failed(world: World) -> None:
    ledger = a_ledger(world)
    world.store.failing = True
    assert not await committed(world, ledger, a_write(1))
    world.store.failing = False
    assert not await committed(world, ledger, a_write(2))
    assert ledger.waiting == 2
    await ledger.retry()
    assert ledger.waiting == 0
    assert await committed(world, ledger, a_write(3))
    assert await world.story() == ["1", "2", "3"]


async def test_a_write_that_no_store_takes_does_not_stand_in_the_way(world: World) -> None:
    ledger = a_ledger(world)
    assert not await committed(world, ledger, a_write(1, object()))
    assert ledger.waiting == 0
    world.store.failing = True
    assert not await committed(world, ledger, a_write(2, object()))
    assert not await committed(world, ledger, a_write(3))
    world.store.failing = False
    await ledger.retry()
    assert await world.story() == ["3"]


async def test_what_was_taken_back_is_not_written(world: World) -> None:
    ledger = a_ledger(world)
    world.store.failing = True
    write = a_write(1)
    assert not await committed(world, ledger, write)
    ledger.forget(write)
    world.store.failing = False
    await ledger.retry()
    assert await world.events() == []


async def test_the_backlog_is_bounded(world: World) -> None:
    ledger = a_ledger(world)
    world.store.failing = True
    for number in range(10_050):
        assert not await committed(world, ledger, a_write(number))
    assert ledger.waiting == 10_000


async def test_a_problem_of_the_store_is_what_the_host_is_told(world: World) -> None:
    world.store.failing = True
    problem = await world.outcome(world.dial())
    assert isinstance(problem, Problem)
    assert problem.retryable
