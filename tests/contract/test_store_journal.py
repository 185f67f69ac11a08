"""What every store must do with events: the journal, the outbox, and the edges of writing."""

import asyncio
import json
from dataclasses import replace

import pytest

from sidecar.call.model import Speaker
from sidecar.errors import StoreError
from sidecar.ports import (
    NewEvent,
    SeenKey,
    Store,
    Write,
)
from tests.contract.conftest import Open
from tests.store.samples import (
    a_call,
    an_event,
    events,
    said,
    seqs,
)

pytestmark = pytest.mark.timeout(10)

# -- the journal ----------------------------------------------------------------------------------


async def test_seq_starts_at_one_and_grows_by_one_per_event(store: Store) -> None:
    assert (store.first_seq, store.last_seq, store.acked_seq) == (1, 0, 0)
    first = await store.commit(events("call.initiated", "call.ringing"))
    second = await store.commit(events("call.answered"))
    assert seqs(first) == [1, 2]
    assert seqs(second) == [3]
    assert store.last_seq == 3


async def test_a_body_is_ascii_json_with_seq_at_type_call_and_members(store: Store) -> None:
    event = NewEvent(7, "call.speech", "c1", {"transcript": "Grüße\u2028", "isFinal": True})
    (written,) = await store.commit(Write(events=[event]))
    assert written.body.isascii()
    assert list(json.loads(written.body).items()) == [
        ("seq", 1),
        ("at", 7),
        ("type", "call.speech"),
        ("callId", "c1"),
        ("transcript", "Grüße\u2028"),
        ("isFinal", True),
    ]


async def test_an_event_of_no_call_has_no_call_id(store: Store) -> None:
    (written,) = await store.commit(events("sidecar.draining", call_id=None))
    assert json.loads(written.body) == {"seq": 1, "at": 5, "type": "sidecar.draining"}
    assert written.call_id is None
    assert list(await store.events(0, 10, 10_000)) == [written]


async def test_the_listener_has_heard_an_event_before_its_commit_returns(reopen: Open) -> None:
    store, announced = await reopen()
    written = await store.commit(events("call.initiated", "call.ringing"))
    assert announced == list(written)


async def test_concurrent_commits_are_written_in_the_order_they_were_made(reopen: Open) -> None:
    store, announced = await reopen()
    writes = [events("call.dtmf", call_id=str(number)) for number in range(500)]
    answers = await asyncio.gather(*(store.commit(write) for write in writes))
    assert [event.call_id for (event,) in answers] == [str(number) for number in range(500)]
    assert seqs(announced) == list(range(1, 501))
    assert seqs(await store.events(0, 1_000, 1 << 20)) == list(range(1, 501))


async def test_a_write_whose_caller_went_away_is_still_written(store: Store) -> None:
    task = asyncio.ensure_future(store.commit(events("call.dtmf")))
    await asyncio.wait({task}, timeout=0)
    task.cancel()
    await store.commit(events("call.ended"))
    assert seqs(await store.events(0, 10, 10_000)) == [1, 2]


async def test_replay_gives_what_comes_after_since_oldest_first(store: Store) -> None:
    await store.commit(events(*["call.dtmf"] * 5))
    assert seqs(await store.events(2, 2, 10_000)) == [3, 4]
    assert seqs(await store.events(5, 2, 10_000)) == []


async def test_replay_stops_before_the_bytes_are_passed_but_gives_one(store: Store) -> None:
    await store.commit(events(*["call.dtmf"] * 5))
    size = len((await store.events(0, 1, 10_000))[0].body)
    assert seqs(await store.events(0, 10, 2 * size)) == [1, 2]
    assert seqs(await store.events(0, 10, 2 * size - 1)) == [1]
    assert seqs(await store.events(0, 10, 1)) == [1]


async def test_replay_of_one_call_leaves_the_others_out(store: Store) -> None:
    for call_id in ("a", "b", "a"):
        await store.commit(events("call.dtmf", call_id=call_id))
    assert seqs(await store.events(0, 10, 10_000, "a")) == [1, 3]
    assert seqs(await store.events(1, 10, 10_000, "a")) == [3]


async def test_the_outbox_holds_ended_events_until_they_are_acknowledged(reopen: Open) -> None:
    store, _ = await reopen()
    await store.commit(events("call.ended", "call.dtmf", "call.ended", "call.ended"))
    assert seqs(await store.outbox(4, 0, 10)) == [1, 3, 4]
    assert seqs(await store.outbox(3, 1, 10)) == [3]
    assert seqs(await store.outbox(4, 0, 2)) == [1, 3]
    await store.ack(3)
    assert store.acked_seq == 3
    store, _ = await reopen()
    assert store.acked_seq == 3
    assert seqs(await store.outbox(4, 0, 10)) == [4]


async def test_acknowledgement_only_grows_and_never_passes_the_newest_event(store: Store) -> None:
    await store.commit(events(*["call.ended"] * 3))
    await store.ack(2)
    await store.ack(1)
    assert store.acked_seq == 2
    await store.ack(1_000_000)
    assert store.acked_seq == 3
    await store.commit(events("call.ended"))
    assert seqs(await store.outbox(4, 0, 10)) == [4]


async def test_the_journal_goes_on_where_it_was_after_a_restart(reopen: Open) -> None:
    store, _ = await reopen()
    await store.commit(events("call.initiated", "call.ended"))
    stream_id = store.stream_id
    store, announced = await reopen()
    assert (store.stream_id, store.last_seq) == (stream_id, 2)
    assert seqs(await store.commit(events("call.initiated"))) == [3]
    assert seqs(announced) == [3]


# -- the edges ------------------------------------------------------------------------------------


async def test_text_with_lone_surrogates_and_control_characters_is_kept_apart(
    store: Store,
) -> None:
    odd = "\ud800\x00é"
    call = a_call(odd, provider_call_id=odd, from_number=odd, dtmf=odd)
    event = NewEvent(5, "call.error", odd, {"error": odd})
    await store.commit(Write(call, [event], [SeenKey(odd, 9, odd)]))
    assert await store.get(odd) == call
    assert await store.find(odd) == call
    assert await store.seen(odd, 1) is not None
    (found,) = await store.events(0, 10, 10_000, odd)
    assert json.loads(found.body)["error"] == odd


async def test_numbers_that_json_does_not_have_become_null(store: Store) -> None:
    event = NewEvent(5, "call.speech", "c1", {"confidence": float("nan"), "more": [float("inf")]})
    (written,) = await store.commit(Write(events=[event]))
    assert json.loads(written.body)["confidence"] is None
    assert json.loads(written.body)["more"] == [None]


async def test_what_cannot_be_stored_fails_alone_and_uses_no_seq(store: Store) -> None:
    good = store.commit(events("call.dtmf"))
    strange = store.commit(Write(events=[NewEvent(5, "call.dtmf", "c1", {"x": object()})]))
    huge = store.commit(Write(events=[an_event(at_ms=2**80)]))
    also = store.commit(events("call.dtmf"))
    answers = await asyncio.gather(good, strange, huge, also, return_exceptions=True)
    assert isinstance(answers[1], StoreError)
    assert isinstance(answers[2], StoreError)
    assert seqs(await store.events(0, 10, 10_000)) == [1, 2]
    assert store.last_seq == 2


async def test_a_closed_store_refuses_and_can_be_closed_again(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await store.commit(events("call.dtmf"))
    with pytest.raises(StoreError, match="is closed"):
        await store.get("c1")
    with pytest.raises(StoreError, match="is closed"):
        await store.open_calls()


async def test_closing_writes_what_was_handed_in(reopen: Open) -> None:
    store, _ = await reopen()
    tasks = [asyncio.ensure_future(store.commit(events("call.dtmf"))) for _ in range(300)]
    await asyncio.wait(tasks, timeout=0)
    await store.close()
    answers = await asyncio.gather(*tasks)
    assert [seqs(answer) for answer in answers] == [[seq] for seq in range(1, 301)]
    store, _ = await reopen()
    assert store.last_seq == 300


async def test_a_spoken_line_remembers_that_it_was_interrupted(store: Store) -> None:
    (line,) = said("hello")
    call = a_call(transcript=(replace(line, interrupted=True, speaker=Speaker.USER),))
    await store.commit(Write(call))
    assert await store.get("c1") == call
