"""The system's clock behind the Clock port: the only place that reads time or sleeps. And waiting
by any Clock for something to happen, but not longer than until some moment."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from sidecar.ports import Clock


class SystemClock:
    """Wall time at the start plus monotonic time since, so that a corrected wall clock neither
    fires nor delays a timer."""

    def __init__(self) -> None:
        self._wall_ns = time.time_ns()
        self._started_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return (self._wall_ns + time.monotonic_ns() - self._started_ns) // 1_000_000

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        # asyncio's timer counts in monotonic seconds too; a millisecond more than asked keeps a
        # deadline from being looked at just before it has come.
        await asyncio.sleep(max(0, at_ms - self.now_ms() + 1) / 1_000)  # noqa: TID251 (is the Clock)


async def wait_until(clock: Clock, at_ms: int, happening: Coroutine[Any, Any, Any]) -> bool:
    """True when `happening` ended before the clock showed `at_ms`."""
    sleeping = asyncio.ensure_future(clock.sleep_until(at_ms))
    waiting = asyncio.ensure_future(happening)
    try:
        await asyncio.wait((sleeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        return waiting.done()
    finally:
        for task in (sleeping, waiting):
            task.cancel()
        await asyncio.gather(sleeping, waiting, return_exceptions=True)
