"""Places and their lines."""

import asyncio
from pathlib import Path

import pytest

from sidecar.ingress.limits import Limits, Places, Refusal
from tests.support.street import SIGNATURE, Street

pytestmark = pytest.mark.timeout(20)


class Visitor:
    """Holds a place until told to leave."""

    def __init__(self, places: Places, source: str) -> None:
        self.inside = asyncio.Event()
        self.leave = asyncio.Event()
        self.task = asyncio.create_task(self._visit(places, source))

    async def _visit(self, places: Places, source: str) -> None:
        async with places.hold(source):
            self.inside.set()
            await self.leave.wait()

    async def go(self) -> None:
        self.leave.set()
        await self.task


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_source_has_so_many_places_and_no_more() -> None:
    places = Places(Limits(in_flight=10, in_flight_per_source=2))
    visitors = [Visitor(places, "a") for _ in range(3)]
    other = Visitor(places, "b")
    await _settle()
    assert [each.inside.is_set() for each in visitors] == [True, True, False]
    assert other.inside.is_set()
    await visitors[0].go()
    await _settle()
    assert visitors[2].inside.is_set()
    for each in (visitors[1], visitors[2], other):
        await each.go()
    assert (places.taken, places.waiting) == (0, 0)


async def test_all_together_have_so_many_places_and_lines_take_turns() -> None:
    places = Places(Limits(in_flight=1, in_flight_per_source=1))
    first = Visitor(places, "a")
    await _settle()
    greedy = [Visitor(places, "a") for _ in range(3)]
    await _settle()
    modest = Visitor(places, "b")
    await _settle()
    await first.go()
    await _settle()
    order = []
    while any(not each.task.done() for each in (*greedy, modest)):
        for name, each in (*(("a", one) for one in greedy), ("b", modest)):
            if each.inside.is_set() and not each.task.done():
                order.append(name)
                await each.go()
                await _settle()
                break
    assert order.index("b") <= 1
    assert sorted(order) == ["a", "a", "a", "b"]
    assert places.taken == 0


async def test_who_waits_too_long_is_sent_away() -> None:
    places = Places(Limits(in_flight=1, place_wait_ms=10))
    holder = Visitor(places, "a")
    await _settle()
    with pytest.raises(Refusal) as refused:
        async with asyncio.timeout(5), places.hold("b"):
            pass
    assert refused.value.status == 429
    await holder.go()
    assert (places.taken, places.waiting) == (0, 0)


async def test_the_lines_are_bounded() -> None:
    places = Places(Limits(in_flight=1, waiting=1))
    holder = Visitor(places, "a")
    await _settle()
    waiter = Visitor(places, "b")
    await _settle()
    with pytest.raises(Refusal) as refused:
        async with asyncio.timeout(5), places.hold("c"):
            pass
    assert refused.value.status == 429
    await holder.go()
    await waiter.go()


async def test_who_goes_away_while_waiting_leaves_no_trace() -> None:
    places = Places(Limits(in_flight=1))
    holder = Visitor(places, "a")
    await _settle()
    waiters = [Visitor(places, "b") for _ in range(2)]
    await _settle()
    waiters[0].task.cancel()
    await _settle()
    await holder.go()
    await _settle()
    assert waiters[1].inside.is_set()
    await waiters[1].go()
    assert (places.taken, places.waiting) == (0, 0)


async def test_a_place_that_comes_to_somebody_who_just_left_goes_to_the_next() -> None:
    places = Places(Limits(in_flight=1))
    held = places.hold("a")
    await held.__aenter__()
    waiters = [Visitor(places, "b") for _ in range(2)]
    await _settle()
    # Both in one turn of the loop: the place is handed over, and its taker goes away.
    await held.__aexit__(None, None, None)
    waiters[0].task.cancel()
    await _settle()
    assert not waiters[0].inside.is_set()
    assert waiters[1].inside.is_set()
    await waiters[1].go()
    assert (places.taken, places.waiting) == (0, 0)


async def test_a_slow_body_keeps_its_place_and_a_verified_request_does_not(
    tmp_path: Path,
) -> None:
    limits = Limits(in_flight_per_source=2, place_wait_ms=30, linger_ms=10)
    async with Street(tmp_path, limits=limits) as street:
        head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n"
        slow = head.encode() + b"Content-Length: 10\r\n\r\n"
        writers = []
        for _ in range(2):
            _, writer = await asyncio.open_connection("127.0.0.1", street.port)
            writer.write(slow)
            writers.append(writer)
        async with asyncio.timeout(5):
            while street.listener.busy < 2:
                await asyncio.sleep(0)
        assert (await street.post(b"{}"))[0] == 429
        assert (await street.request("GET", "/healthz"))[0] == 200
        for writer in writers:
            writer.close()
        async with asyncio.timeout(5):
            while street.listener.busy:
                await asyncio.sleep(0)
        assert (await street.post(b"{}"))[0] == 400


async def test_behind_a_trusted_proxy_each_client_has_places_of_its_own(tmp_path: Path) -> None:
    limits = Limits(in_flight_per_source=1, place_wait_ms=30, linger_ms=10)
    config = {"webhookSecurity": {"trustedProxyIPs": ["127.0.0.1"]}}
    async with Street(tmp_path, config, limits=limits) as street:
        head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", street.port)
        writer.write(head.encode() + b"X-Forwarded-For: 203.0.113.1\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(5):
            while street.listener.busy < 1:
                await asyncio.sleep(0)
        same = {"X-Forwarded-For": "203.0.113.1"}
        other = {"X-Forwarded-For": "203.0.113.2"}
        assert (await street.post(b"{}", headers=same))[0] == 429
        assert (await street.post(b"{}", headers=other))[0] == 400
        writer.close()
