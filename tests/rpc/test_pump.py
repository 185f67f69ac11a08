"""The event stream of a connection, seen by its client."""

import asyncio
from typing import Any

import pytest

from sidecar.errors import Problem, StoreError
from sidecar.rpc.outgoing import Outgoing
from sidecar.rpc.pump import HIGH_WATER_BYTES, Pump, Wish
from tests.support.rpc import Bench, DirectClient, MemoryStore, settle

CLIENT = {"protocolVersion": 1, "client": {"name": "t", "version": "1"}}


def initialize(client: DirectClient, events: Any = None) -> None:
    capabilities = {} if events is None else {"events": events}
    client.request("init", "initialize", CLIENT | {"capabilities": capabilities})


async def seqs(client: DirectClient, count: int) -> list[int]:
    return [(await client.event())["seq"] for _ in range(count)]


async def test_without_a_handshake_events_are_live_from_the_connection_on(bench: Bench) -> None:
    await bench.open()
    await bench.happen("call.ended")
    client = DirectClient(bench)
    ready = await client.ready()
    assert ready["params"]["lastSeq"] == 1
    await bench.happen("call.ringing", state="x")
    assert await client.event() == {
        "seq": 2,
        "at": bench.clock.now_ms(),
        "type": "call.ringing",
        "callId": "call-1",
        "state": "x",
    }


async def test_since_gives_everything_after_it_then_live_events(bench: Bench) -> None:
    await bench.open()
    for _ in range(4):
        await bench.happen("call.active")
    client = DirectClient(bench)
    await client.ready()
    initialize(client, {"since": 1})
    answer = await client.next()
    assert answer["result"]["lastSeq"] == 4
    await bench.happen("call.active")
    assert await seqs(client, 4) == [2, 3, 4, 5]


async def test_since_restarts_the_stream_after_the_answer(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    await bench.happen("call.active")
    assert await seqs(client, 1) == [1]
    await bench.happen("call.active")
    initialize(client, {"since": 0})
    await bench.happen("call.active")
    assert (await client.next())["id"] == "init"
    assert await seqs(client, 3) == [1, 2, 3]


async def test_since_reaches_back_into_the_store(bench: Bench) -> None:
    await bench.open()
    for _ in range(2_600):
        await bench.happen("call.active")
    client = DirectClient(bench)
    await client.ready()
    initialize(client, {"since": 0})
    await client.next()
    assert await seqs(client, 2_600) == list(range(1, 2_601))


async def test_without_since_the_ended_calls_nobody_acknowledged_come_first(bench: Bench) -> None:
    await bench.open()
    for type_ in ("call.ended", "call.active", "call.ended", "call.ended"):
        await bench.happen(type_)
    await bench.store.ack(1)
    client = DirectClient(bench)
    await client.ready()
    initialize(client)
    await client.next()
    await bench.happen("call.active")
    assert await seqs(client, 3) == [3, 4, 5]


async def test_what_was_sent_live_before_the_handshake_is_not_sent_again(bench: Bench) -> None:
    await bench.open()
    await bench.happen("call.ended")
    client = DirectClient(bench)
    await client.ready()
    await bench.happen("call.ended")
    assert await seqs(client, 1) == [2]
    initialize(client, {"types": ["call.ended"]})
    await client.next()
    await bench.happen("call.ended")
    assert await seqs(client, 2) == [1, 3]


async def test_another_stream_is_told_of_ended_calls_and_of_what_comes(bench: Bench) -> None:
    await bench.open()
    for type_ in ("call.active", "call.ended"):
        await bench.happen(type_)
    client = DirectClient(bench)
    await client.ready()
    initialize(client, {"since": 1, "streamId": "of yesterday"})
    await client.next()
    await bench.happen("call.active")
    assert await seqs(client, 2) == [2, 3]


async def test_a_since_of_the_future_gives_what_comes(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    initialize(client, {"since": 1_000})
    await client.next()
    await bench.happen("call.active")
    assert await seqs(client, 1) == [1]


async def test_events_false_means_none_until_they_are_subscribed_to(bench: Bench) -> None:
    await bench.open()
    await bench.happen("call.ended")
    client = DirectClient(bench)
    await client.ready()
    initialize(client, False)
    await client.next()
    await bench.happen("call.active")
    bench.partial("he")
    await settle()
    await client.nothing_more()
    client.request(1, "events.subscribe", {})
    assert (await client.next())["result"] == {}
    await bench.happen("call.active")
    assert await seqs(client, 1) == [3]


async def test_a_filter_chooses_by_type_and_by_call(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    initialize(client, {"types": ["call.speech", "sidecar.draining"], "callIds": ["a"]})
    await client.next()
    await bench.happen("call.speech", "a")
    await bench.happen("call.speech", "b")
    await bench.happen("call.active", "a")
    await bench.happen("sidecar.draining", None)
    assert await seqs(client, 2) == [1, 4]


async def test_subscribe_replaces_the_whole_filter(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    client.request(1, "events.subscribe", {"types": ["call.speech"]})
    assert (await client.next())["result"] == {}
    await bench.happen("call.active", "a")
    await bench.happen("call.speech", "b")
    assert await seqs(client, 1) == [2]
    client.request(2, "events.subscribe", {"callIds": ["a"]})
    await client.next()
    await bench.happen("call.active", "a")
    await bench.happen("call.speech", "b")
    await bench.happen("pairing.requested", None)
    assert await seqs(client, 2) == [3, 5]
    client.request(3, "events.subscribe")
    await client.next()
    await bench.happen("call.speech", "b")
    assert await seqs(client, 1) == [6]


async def test_subscribe_refuses_what_it_does_not_know(client: DirectClient) -> None:
    client.request(1, "events.subscribe", {"type": ["call.speech"]})
    message = await client.next()
    assert message["error"]["data"]["errors"][0]["field"] == "type"


async def test_the_answer_to_initiate_is_written_before_the_first_event_of_its_call(
    bench: Bench,
) -> None:
    await bench.open()
    creator, other = DirectClient(bench), DirectClient(bench)
    await creator.ready()
    await other.ready()
    await bench.happen("call.active", "earlier")
    creator.request(1, "create", {"callId": "new"})
    assert (await creator.event())["callId"] == "earlier"
    assert [(await other.event())["callId"] for _ in range(2)] == ["earlier", "new"]
    await bench.happen("call.active", "earlier")
    bench.partial("x", "new")
    await settle()
    await creator.nothing_more()
    bench.release.set()
    assert (await creator.next())["id"] == 1
    assert [(await creator.event())["callId"] for _ in range(2)] == ["new", "earlier"]


async def test_a_cancelled_initiate_lets_the_events_go(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    client.request(1, "create", {"callId": "new"})
    async with asyncio.timeout(5):
        while bench.journal.last_seq == 0:
            await asyncio.sleep(0)
    client.notify("$/cancelRequest", {"id": 1})
    assert (await client.next())["error"]["data"]["kind"] == "cancelled"
    assert await seqs(client, 1) == [1]


# -- partial speech -------------------------------------------------------------------------------


async def test_partial_speech_is_live_in_order_and_without_seq(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    await settle()
    bench.partial("he")
    await bench.happen("call.listening")
    bench.partial("hello")
    await bench.happen("call.speech")
    bench.partial("other")
    got = [await client.event() for _ in range(5)]
    assert [event.get("transcript", event["type"]) for event in got] == [
        "he",
        "call.listening",
        "hello",
        "call.speech",
        "other",
    ]
    assert "seq" not in got[0]


async def test_partial_speech_is_filtered_and_dropped_first(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    client.outgoing.put(b'"' + b"x" * 70_000 + b'"')
    bench.partial("lost")
    await bench.happen("call.speech")
    assert isinstance(await client.next(), str)
    assert (await client.event())["type"] == "call.speech"
    client.request(1, "events.subscribe", {"types": ["call.speech"]})
    await client.next()
    bench.partial("not wanted")
    await client.nothing_more()


# -- slow readers and a sick store ----------------------------------------------------------------


async def test_events_stay_in_the_journal_while_the_parent_does_not_read(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    for _ in range(100):
        await bench.happen("call.speech", transcript="x" * 100_000)
        await settle(3)
    assert client.outgoing.size < 2 * HIGH_WATER_BYTES
    client.request(1, "sidecar.ping")
    assert await seqs(client, 1) == [1]
    got = [await client.next() for _ in range(100)]
    assert [m["params"]["seq"] for m in got if "params" in m] == list(range(2, 101))


async def test_a_reader_that_was_up_to_date_is_cut_when_too_much_is_unread(bench: Bench) -> None:
    await bench.open()
    outgoing, cuts = Outgoing(), []
    outgoing.on_over = lambda: cuts.append(True)
    connection = bench.server.connect(outgoing, cut=lambda: cuts.append(False))
    await settle()
    for _ in range(60):
        await bench.happen("call.speech", transcript="x" * 100_000)
        await settle(3)
    assert cuts == [True]
    await bench.server.disconnect(connection)


async def test_a_reader_that_catches_up_is_paced_and_not_cut(bench: Bench) -> None:
    await bench.open()
    for _ in range(100):
        await bench.happen("call.speech", transcript="x" * 100_000)
    outgoing, cuts = Outgoing(), []
    outgoing.on_over = lambda: cuts.append(True)
    pump = Pump(outgoing, bench.clock, lambda: cuts.append(False))
    outgoing.begin()
    pump.open(bench.journal)
    pump.restart(Wish(since=0))
    running = asyncio.ensure_future(pump.run())
    await settle()
    assert outgoing.size < 2 * HIGH_WATER_BYTES
    got = 0
    async with asyncio.timeout(5):
        while got < 100:
            taken = outgoing.take()
            got += len(taken)
            outgoing.wrote(sum(map(len, taken)))
            await asyncio.sleep(0)
    assert cuts == []
    running.cancel()
    await asyncio.wait([running])


async def test_a_reader_that_stalls_while_it_catches_up_is_cut(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.rpc.pump.STALL_S", 0.01)
    await bench.open()
    for _ in range(30):
        await bench.happen("call.speech", transcript="x" * 100_000)
    outgoing, cut = Outgoing(), asyncio.Event()
    pump = Pump(outgoing, bench.clock, cut.set)
    outgoing.begin()
    pump.open(bench.journal)
    pump.restart(Wish(since=0))
    running = asyncio.ensure_future(pump.run())
    async with asyncio.timeout(5):
        await cut.wait()
    running.cancel()
    await asyncio.wait([running])


class _SickStore(MemoryStore):
    """Fails to read while `sick`."""

    sick = True

    async def outbox(self, until_seq: int, since: int, limit: int) -> Any:
        if self.sick:
            raise StoreError(Problem("storeUnavailable", "The store cannot be read."))
        return await super().outbox(until_seq, since, limit)


async def test_a_store_that_cannot_be_read_is_asked_again() -> None:
    store = _SickStore()
    bench = Bench(store)
    await bench.open()
    await bench.happen("call.ended")
    client = DirectClient(bench)
    await client.ready()
    initialize(client)
    await client.next()
    await settle()
    store.sick = False
    bench.clock.advance(1_000)
    assert await seqs(client, 1) == [1]
    await bench.server.finish(0)
