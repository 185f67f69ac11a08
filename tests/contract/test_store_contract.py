"""What every store must do with calls, history, keys, pairings and retention."""

from dataclasses import replace

import pytest

from sidecar.call.model import Direction, EndReason, State
from sidecar.errors import HostError
from sidecar.ports import (
    HistoryQuery,
    Intent,
    Pairing,
    SeenKey,
    Store,
    Write,
)
from tests.contract.conftest import Open
from tests.store.samples import (
    OURS,
    THEIRS,
    a_call,
    an_ended_call,
    an_event,
    events,
    ids,
    said,
    seqs,
    timed,
)

pytestmark = pytest.mark.timeout(10)

# -- calls ----------------------------------------------------------------------------------------


async def test_a_call_comes_back_as_it_was_committed(reopen: Open) -> None:
    store, _ = await reopen()
    call = a_call(
        transcript=said("hello", "there"),
        turns=timed(5, 6),
        metadata={"nested": [1, None, {"deep": "\ud800"}], "large": 2**70},
    )
    await store.commit(Write(call))
    assert await store.get("c1") == call
    assert await store.find("p-c1") == call
    store, _ = await reopen()
    assert await store.get("c1") == call


async def test_an_unknown_call_is_none(store: Store) -> None:
    assert await store.get("nobody") is None
    assert await store.find("nobody") is None


async def test_a_call_is_found_by_the_id_its_carrier_changed_to(store: Store) -> None:
    await store.commit(Write(a_call(provider_call_id="request")))
    changed = a_call(provider_call_id="call")
    await store.commit(Write(changed))
    assert await store.find("call") == changed
    assert await store.find("request") is None


async def test_transcript_and_turns_grow_line_by_line(reopen: Open) -> None:
    store, _ = await reopen()
    texts = [f"line {number}" for number in range(20)]
    for count in range(21):
        await store.commit(Write(a_call(transcript=said(*texts[:count]))))
    store, _ = await reopen()
    for count in range(21):
        grown = a_call(transcript=said(*texts), turns=timed(*range(count)))
        await store.commit(Write(grown))
    assert await store.get("c1") == grown


async def test_a_newest_line_or_turn_that_changed_is_written_again(store: Store) -> None:
    await store.commit(Write(a_call(transcript=said("one", "two"), turns=timed(1, 2))))
    changed = a_call(transcript=said("one", "2"), turns=timed(1))
    await store.commit(Write(changed))
    assert await store.get("c1") == changed


async def test_open_calls_are_the_unended_and_those_whose_hang_up_is_due(reopen: Open) -> None:
    store, _ = await reopen()
    await store.commit(Write(a_call("live")))
    await store.commit(Write(a_call("over")))
    await store.commit(Write(an_ended_call("over")))
    due = an_ended_call("due", hangup_due=True)
    await store.commit(Write(due))
    store, _ = await reopen()
    assert list(await store.open_calls()) == [a_call("live"), due]
    await store.commit(Write(replace(due, hangup_due=False)))
    assert ids(await store.open_calls()) == ["live"]


async def test_a_write_is_committed_with_all_its_parts(reopen: Open) -> None:
    store, _ = await reopen()
    key, intent = SeenKey("k", 100, "answer"), Intent("i", "digest", "c1", 100)
    await store.commit(Write(a_call(), [an_event()], [key], [intent]))
    store, _ = await reopen()
    assert await store.get("c1") == a_call()
    assert seqs(await store.events(0, 10, 10_000)) == [1]
    assert await store.seen("k", 99) == key
    assert await store.intent("i", 99) == intent


async def test_dialled_since_counts_outbound_calls_by_their_start(store: Store) -> None:
    await store.commit(Write(a_call("early", 999)))
    await store.commit(Write(a_call("here", 1_000)))
    await store.commit(Write(an_ended_call("elsewhere", 1_001, to_number="+15550000009")))
    await store.commit(Write(a_call("inbound", 1_002, direction=Direction.INBOUND)))
    assert await store.dialled_since(1_000) == 2
    assert await store.dialled_since(1_000, THEIRS) == 1
    assert await store.dialled_since(2_000) == 0


async def test_the_newest_turns_come_first(store: Store) -> None:
    await store.commit(Write(a_call("new", 2_000, turns=timed(3, 4))))
    await store.commit(Write(a_call("old", 1_000, turns=timed(1, 2))))
    await store.commit(Write(a_call("none", 3_000)))
    assert [turn.latency["total"] for turn in await store.turns(10)] == [4, 3, 2, 1]
    assert [turn.latency["total"] for turn in await store.turns(3)] == [4, 3, 2]


# -- history --------------------------------------------------------------------------------------


async def test_history_is_newest_first_and_ends_without_a_cursor(store: Store) -> None:
    for call_id, at_ms in (("b", 2), ("a", 1), ("c", 3)):
        await store.commit(Write(an_ended_call(call_id, at_ms)))
    page = await store.history(HistoryQuery())
    assert ids(page.calls) == ["c", "b", "a"]
    assert page.next_cursor is None


async def test_paging_sees_every_call_once_while_new_ones_come_in(store: Store) -> None:
    for number in range(7):
        # Two calls each have the same start.
        await store.commit(Write(an_ended_call(str(number), number // 2)))
    found: list[str] = []
    page = await store.history(HistoryQuery(limit=2))
    while True:
        found += ids(page.calls)
        if page.next_cursor is None:
            break
        await store.commit(Write(an_ended_call(f"late {len(found)}", 1_000)))
        page = await store.history(HistoryQuery(limit=2, before=page.next_cursor))
    assert found == ["6", "5", "4", "3", "2", "1", "0"]


async def test_a_last_page_that_is_full_has_no_cursor(store: Store) -> None:
    await store.commit(Write(an_ended_call()))
    assert (await store.history(HistoryQuery(limit=1))).next_cursor is None


async def test_history_filters_by_number_direction_and_state(store: Store) -> None:
    calls = [
        an_ended_call("done", 1),
        an_ended_call("busy", 2, EndReason.BUSY),
        a_call("speaking", 3, state=State.SPEAKING),
        a_call("ending", 4, state=State.ENDING, before_ending=State.SPEAKING),
        an_ended_call("in", 5, direction=Direction.INBOUND, from_number=THEIRS, to_number=OURS),
    ]
    for call in calls:
        await store.commit(Write(call))

    async def found(**wanted: str) -> list[str]:
        return ids((await store.history(HistoryQuery(**wanted))).calls)  # type: ignore[arg-type]

    assert await found(state="completed") == ["in", "done"]
    assert await found(state="busy") == ["busy"]
    assert await found(state="speaking") == ["ending", "speaking"]
    assert await found(state="ending") == []
    assert await found(direction="inbound") == ["in"]
    assert await found(from_number=THEIRS) == ["in"]
    assert await found(to_number=THEIRS, state="completed") == ["done"]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1-", "1-2-3", "9" * 30 + "-1", "\ud800", "¹-1"])
async def test_a_cursor_nobody_gave_is_an_invalid_param(store: Store, cursor: str) -> None:
    with pytest.raises(HostError) as caught:
        await store.history(HistoryQuery(before=cursor))
    problem = caught.value.problem
    assert problem.kind == "invalidParams"
    assert problem.data["field"] == "before"
    assert problem.data["errors"][0]["field"] == "before"


# -- keys and pairings ----------------------------------------------------------------------------


async def test_keys_are_known_until_they_expire(store: Store) -> None:
    await store.commit(Write(seen=[SeenKey("k", 10, "x")], intents=[Intent("i", "d", "c", 10)]))
    assert await store.seen("k", 9) == SeenKey("k", 10, "x")
    assert await store.seen("k", 10) is None
    assert await store.seen("other", 9) is None
    assert await store.intent("i", 9) == Intent("i", "d", "c", 10)
    assert await store.intent("i", 10) is None
    assert await store.intent("other", 9) is None


async def test_an_intent_gets_its_answer_later(store: Store) -> None:
    await store.commit(Write(intents=[Intent("i", "d", "c", 10)]))
    await store.commit(Write(intents=[Intent("i", "d", "c", 10, '{"callId":"c"}')]))
    assert await store.intent("i", 9) == Intent("i", "d", "c", 10, '{"callId":"c"}')


async def test_an_approved_code_pairs_its_number_for_good(reopen: Open) -> None:
    store, _ = await reopen()
    await store.put_pairing(Pairing("123456", THEIRS, 100, 5))
    assert list(await store.pairings(50)) == [Pairing("123456", THEIRS, 100, 5)]
    assert await store.approve_pairing("000000", 50) is None
    assert not await store.is_paired(THEIRS)
    assert await store.approve_pairing("123456", 50) == THEIRS
    assert await store.approve_pairing("123456", 50) is None
    store, _ = await reopen()
    await store.prune(10**15, 10**15)
    assert await store.is_paired(THEIRS)
    assert list(await store.pairings(50)) == []


async def test_a_code_expires_and_a_number_has_one_code(store: Store) -> None:
    await store.put_pairing(Pairing("111111", THEIRS, 100, 5))
    await store.put_pairing(Pairing("222222", THEIRS, 200, 6))
    assert [pairing.code for pairing in await store.pairings(50)] == ["222222"]
    assert await store.approve_pairing("111111", 50) is None
    assert await store.approve_pairing("222222", 200) is None
    assert list(await store.pairings(200)) == []


# -- retention ------------------------------------------------------------------------------------


async def test_pruning_takes_old_ended_calls_and_leaves_open_ones(store: Store) -> None:
    for number in range(450):
        await store.commit(Write(an_ended_call(str(number), number, transcript=said("x"))))
    await store.commit(Write(a_call("open", 1)))
    await store.commit(Write(an_ended_call("long", 1, ended_at_ms=2_000)))
    await store.prune(1_000, 0)
    assert sorted(ids((await store.history(HistoryQuery(limit=500))).calls)) == ["long", "open"]


async def test_pruning_keeps_ended_events_that_nobody_acknowledged(store: Store) -> None:
    await store.commit(events("call.ended", "call.dtmf", "call.ended", at_ms=5))
    await store.ack(1)
    await store.commit(events("call.dtmf", at_ms=50))
    await store.prune(10, 0)
    assert seqs(await store.events(0, 10, 10_000)) == [3, 4]
    assert store.first_seq == 3


async def test_a_seq_is_not_used_again_when_everything_was_pruned(reopen: Open) -> None:
    store, _ = await reopen()
    await store.commit(events(*["call.dtmf"] * 450))
    await store.prune(10, 0)
    assert list(await store.events(0, 10, 10_000)) == []
    assert (store.first_seq, store.last_seq) == (451, 450)
    store, _ = await reopen()
    assert (store.first_seq, store.last_seq) == (451, 450)
    assert seqs(await store.commit(events("call.dtmf"))) == [451]


async def test_pruning_nothing_keeps_everything(store: Store) -> None:
    key, intent = SeenKey("k", 100), Intent("i", "d", "c", 100)
    await store.commit(Write(an_ended_call(), [an_event()], [key], [intent]))
    await store.put_pairing(Pairing("123456", THEIRS, 100, 5))
    await store.prune(0, 50)
    assert await store.get("c1") is not None
    assert store.first_seq == 1
    assert await store.seen("k", 50) == key
    assert await store.intent("i", 50) == intent
    assert len(await store.pairings(50)) == 1
    await store.prune(0, 100)
    assert await store.seen("k", 50) is None
    assert await store.intent("i", 50) is None
    assert list(await store.pairings(50)) == []
