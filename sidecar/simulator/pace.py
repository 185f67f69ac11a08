"""Time inside a simulation: at real pace, faster or slower, or virtual.

With `speed` 0 time is virtual: it stands still while a request is under way and otherwise jumps
from one waiting moment to the next, so that everything happens in its order and as fast as it can.
"""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from sidecar.ports import Clock
from sidecar.tasks import TaskSet

QUIET_TURNS = 50


class Pace:
    """The simulation's own time, in ms since the epoch."""

    def __init__(self, clock: Clock, speed: float = 1.0) -> None:
        self.speed = speed
        self._clock = clock
        self._begun_ms = clock.now_ms()
        self._virtual_ms = self._begun_ms
        self._waiting: list[tuple[int, int]] = []
        self._tickets = itertools.count()
        self._held = 0
        self._moves = 0

    def now_ms(self) -> int:
        if self.speed == 0:
            return self._virtual_ms
        return self._begun_ms + int((self._clock.now_ms() - self._begun_ms) * self.speed)

    async def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""
        due_ms = self.now_ms() + math.ceil(max(0.0, seconds) * 1_000)
        if self.speed == 0:
            await self._jump_to(due_ms)
            return
        real_ms = math.ceil((due_ms - self._begun_ms) / self.speed)
        await self._clock.sleep_until(self._begun_ms + real_ms)

    async def real_sleep(self, seconds: float) -> None:
        """Let real time pass: for what a client's own time-outs are measured against."""
        await self._clock.sleep_until(self._clock.now_ms() + math.ceil(seconds * 1_000))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Virtual time stands still meanwhile."""
        self._held += 1
        self._moves += 1
        try:
            yield
        finally:
            self._held -= 1
            self._moves += 1

    async def _jump_to(self, due_ms: int) -> None:
        ticket = (due_ms, next(self._tickets))
        heapq.heappush(self._waiting, ticket)
        self._moves += 1
        try:
            while not (self._waiting[0] == ticket and await self._is_quiet()):
                await self._clock.sleep_until(self._clock.now_ms())
        finally:
            self._moves += 1
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
        self._virtual_ms = max(self._virtual_ms, due_ms)

    async def _is_quiet(self) -> bool:
        """Whether everything that the last moment set off has come to rest, so that time may jump:
        nothing is held, and for some turns of the loop nobody began or ended to wait."""
        before = self._moves
        for _ in range(QUIET_TURNS):
            await self._clock.sleep_until(0)
            if self._held or self._moves != before:
                return False
        return True


class News:
    """Tells those who wait that something changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is true; looked at now and after every change."""
        while not true():
            await self._changed.wait()


async def race(*works: Coroutine[Any, Any, Any]) -> int:
    """Do all of it until one is done; gives its place. The others are cancelled."""
    tasks = TaskSet()
    running = [tasks.spawn(work, "simulator.race") for work in works]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        place = next(place for place, task in enumerate(running) if task.done())
        running[place].result()
        return place
    finally:
        await tasks.close()
