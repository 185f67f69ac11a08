"""One timer for all calls."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sidecar.engine.alarm import Alarm
from tests.support.clock import START_MS, ManualClock


class Bell:
    """An alarm that runs, and what it rang for."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.alarm = Alarm(self.clock)
        self.rang: list[tuple[str, int]] = []
        self.next: dict[str, int] = {}

    async def note(self, call_id: str) -> None:
        self.rang.append((call_id, self.clock.now_ms() - START_MS))
        if call_id in self.next:
            self.set(call_id, self.next.pop(call_id))

    async def passes(self, duration_ms: int) -> None:
        until_ms = self.clock.now_ms() + duration_ms
        await settle()
        while (at_ms := self.clock.next_ms()) is not None and at_ms <= until_ms:
            self.clock.set(at_ms)
            await settle()
        self.clock.set(until_ms)
        await settle()

    def set(self, call_id: str, after_ms: int | None) -> None:
        self.alarm.set(call_id, None if after_ms is None else START_MS + after_ms)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def bell() -> AsyncIterator[Bell]:
    bell = Bell()
    running = asyncio.get_running_loop().create_task(bell.alarm.run(bell.note))
    await settle()
    yield bell
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_each_call_is_given_once_at_its_time(bell: Bell) -> None:
    bell.set("a", 300)
    bell.set("b", 100)
    await bell.passes(1_000)
    assert bell.rang == [("b", 100), ("a", 300)]


async def test_an_earlier_deadline_wakes_a_sleeping_alarm(bell: Bell) -> None:
    bell.set("a", 300)
    await bell.passes(50)
    bell.set("b", 100)
    await bell.passes(100)
    assert bell.rang == [("b", 100)]


async def test_a_new_deadline_replaces_the_old_one(bell: Bell) -> None:
    bell.set("a", 100)
    bell.set("a", 300)
    bell.set("b", 100)
    bell.set("b", None)
    await bell.passes(1_000)
    assert bell.rang == [("a", 300)]


async def test_a_deadline_set_while_others_are_served_is_not_missed(bell: Bell) -> None:
    bell.next = {"a": 200, "b": 300}
    bell.set("a", 100)
    bell.set("b", 100)
    await bell.passes(1_000)
    assert bell.rang == [("a", 100), ("b", 100), ("a", 200), ("b", 300)]


async def test_a_deadline_that_is_past_already_is_served_at_once(bell: Bell) -> None:
    bell.set("a", -500)
    await bell.passes(0)
    assert bell.rang == [("a", 0)]


async def test_the_same_deadline_after_it_was_served_counts_again(bell: Bell) -> None:
    bell.set("a", 100)
    await bell.passes(100)
    bell.set("a", 100)
    await bell.passes(0)
    assert len(bell.rang) == 2
