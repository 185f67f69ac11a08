"""The queue of what one connection has to write."""

import asyncio

from sidecar.rpc.outgoing import DISPENSABLE_BYTES, LIMIT_BYTES, Outgoing
from tests.support.rpc import WAIT_S, settle


def begun(terminator: bytes = b"") -> Outgoing:
    outgoing = Outgoing(terminator)
    outgoing.begin()
    return outgoing


async def test_messages_come_out_in_order_and_are_counted_until_written() -> None:
    outgoing = begun(b"\n")
    outgoing.put(b"one")
    outgoing.put(b"two")
    assert outgoing.size == 8
    assert outgoing.take() == [b"one\n", b"two\n"]
    assert outgoing.size == 8
    outgoing.wrote(8)
    assert (outgoing.size, outgoing.written_bytes) == (0, 8)


async def test_whoever_writes_is_told_once_per_turn_of_the_loop() -> None:
    outgoing, told = begun(), []
    outgoing.on_data = lambda: told.append(outgoing.take())
    outgoing.put(b"one")
    outgoing.put(b"two")
    await settle()
    outgoing.put(b"three")
    await settle()
    assert told == [[b"one", b"two"], [b"three"]]


async def test_until_it_begins_only_what_is_urgent_comes_out() -> None:
    outgoing = Outgoing()
    outgoing.put(b"later")
    outgoing.put(b"pong", at_once=True)
    assert outgoing.take() == [b"pong"]
    outgoing.begin(b"ready")
    outgoing.put(b"last")
    assert outgoing.take() == [b"ready", b"later", b"last"]


async def test_going_over_the_limit_is_told_once() -> None:
    outgoing, told = begun(), []
    outgoing.on_over = lambda: told.append(outgoing.size)
    for _ in range(6):
        outgoing.put(b"x" * (LIMIT_BYTES // 4))
    assert len(told) == 1
    assert outgoing.over


async def test_one_message_over_the_limit_is_nobodys_slowness() -> None:
    outgoing, told = begun(), []
    outgoing.on_over = lambda: told.append(outgoing.size)
    outgoing.put(b"x" * (2 * LIMIT_BYTES))
    outgoing.put(b"y")
    assert told == []
    outgoing.put(b"x" * LIMIT_BYTES)
    assert told


async def test_what_may_be_lost_is_lost_first() -> None:
    outgoing = begun()
    assert outgoing.put_if_idle(b"a")
    outgoing.put(b"x" * DISPENSABLE_BYTES)
    assert not outgoing.put_if_idle(b"b")


async def test_waiting_ends_when_enough_is_written_or_nothing_more_will_be() -> None:
    outgoing = begun()
    outgoing.put(b"x" * 100)
    half, all_ = asyncio.ensure_future(outgoing.below(50)), asyncio.ensure_future(outgoing.flush())
    given_up = asyncio.ensure_future(outgoing.below(10))
    await settle()
    given_up.cancel()
    await asyncio.wait([given_up])
    outgoing.wrote(50)
    await asyncio.wait_for(half, WAIT_S)
    assert not all_.done()
    outgoing.close()
    await asyncio.wait_for(all_, WAIT_S)


async def test_after_closing_nothing_is_taken_or_counted() -> None:
    outgoing, told = begun(), []
    outgoing.on_close = lambda: told.append(True)
    outgoing.put(b"x")
    outgoing.close()
    outgoing.close()
    outgoing.put(b"y")
    outgoing.wrote(1)
    assert (outgoing.take(), outgoing.size, told) == ([], 0, [True])
    assert not outgoing.put_if_idle(b"z")
