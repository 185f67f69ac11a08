"""Time, and the counters of what happened in it."""

from dataclasses import dataclass, field
from typing import Protocol


class Clock(Protocol):
    """The only source of time above the core. `now_ms` never jumps: it is the wall clock at start
    plus monotonic time since."""

    def now_ms(self) -> int: ...

    def wall_ms(self) -> int:
        """The wall clock as it is now, for comparison with other people's timestamps."""
        ...

    async def sleep_until(self, at_ms: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters and gauges by name, as `sidecar.stats` shows them."""

    values: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + by
