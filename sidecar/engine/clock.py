"""The system's clock behind the Clock port: the only place that reads time or sleeps."""

import asyncio
import time


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
