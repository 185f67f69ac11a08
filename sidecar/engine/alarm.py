"""The one timer of the program: sleeps until the earliest deadline of all calls."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable

from sidecar.engine.clock import wait_until
from sidecar.ports import Clock

OnDue = Callable[[str], Awaitable[None]]


class Alarm:
    """Deadlines by call. Setting a new one replaces the old one of the same call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._changed = asyncio.Event()

    def set(self, call_id: str, at_ms: int | None) -> None:
        """Wake for this call at `at_ms`; None means never."""
        if at_ms is None:
            self._due.pop(call_id, None)
            return
        if self._due.get(call_id) == at_ms:
            return
        self._due[call_id] = at_ms
        heapq.heappush(self._heap, (at_ms, call_id))
        if self._heap[0][0] == at_ms:
            self._changed.set()

    def next_ms(self) -> int | None:
        """The earliest deadline that still stands."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_ms: int) -> list[str]:
        """Calls whose deadline has come; each is given once."""
        due = []
        while (at_ms := self.next_ms()) is not None and at_ms <= now_ms:
            _, call_id = heapq.heappop(self._heap)
            del self._due[call_id]
            due.append(call_id)
        return due

    async def run(self, on_due: OnDue) -> None:
        """Runs as long as the engine."""
        while True:
            self._changed.clear()
            at_ms = self.next_ms()
            if at_ms is None:
                await self._changed.wait()
            elif at_ms > self._clock.now_ms():
                await wait_until(self._clock, at_ms, self._changed.wait())
            for call_id in self.take_due(self._clock.now_ms()):
                await on_due(call_id)
