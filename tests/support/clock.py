"""A clock that a test sets by hand: everything that is due then runs, and nothing else."""

import asyncio
import heapq
import itertools

START_MS = 1_700_000_000_000


class ManualClock:
    """Implements `ports.Clock`. Sleepers wake in the order of their times."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._number = itertools.count()

    def now_ms(self) -> int:
        return self._now_ms

    def wall_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms <= self._now_ms:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at_ms, next(self._number), woken))
        await woken

    def next_ms(self) -> int | None:
        """When the next sleeper wakes."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def set(self, now_ms: int) -> None:
        """It is `now_ms` now; who slept until then wakes."""
        self._now_ms = max(now_ms, self._now_ms)
        while (at_ms := self.next_ms()) is not None and at_ms <= self._now_ms:
            _, _, woken = heapq.heappop(self._sleepers)
            woken.set_result(None)
