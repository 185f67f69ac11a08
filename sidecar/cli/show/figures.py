"""Latency figures as a table and a histogram."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_ROWS = (
    ("turnLatency", "Turn: end of speech to our first sound"),
    ("listenWait", "Wait for the caller's words"),
    ("firstAudio", "Reply's first text to first sound"),
)
_COLUMNS = ("minMs", "p50Ms", "p95Ms", "maxMs", "avgMs")
_STEPS_MS = (50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)
_MOST_BUCKETS = 12
_BAR = 40


def latency(result: Mapping[str, Any], totals_ms: Sequence[int]) -> RenderableType:
    """`totals_ms` are the turns' latencies, for the histogram."""
    if not result["recordsScanned"]:
        return Text("No turn has been measured yet.", "dim")
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("ms")
    for heading in ("turns", "min", "median", "p95", "max", "mean"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for name, label in _ROWS:
        figures = result[name]
        if figures["count"]:
            values = [f"{figures[column]:,}" for column in _COLUMNS]
            grid.add_row(label, f"{figures['count']:,}", *values)
        else:
            grid.add_row(label, "0", *["–"] * len(_COLUMNS), style="dim")
    parts: list[RenderableType] = [grid]
    if totals_ms:
        parts += [Text(), Text("Turn latency", "bold"), _histogram(totals_ms)]
    return Group(*parts)


def _histogram(values_ms: Sequence[int]) -> Table:
    step_ms, first = _step(values_ms)
    counts: dict[int, int] = {}
    for value in values_ms:
        counts[value // step_ms] = counts.get(value // step_ms, 0) + 1
    most = max(counts.values())
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True, style="dim")
    grid.add_column(no_wrap=True, style="cyan", overflow="crop")
    grid.add_column(justify="right", no_wrap=True)
    for bucket in range(first, max(counts) + 1):
        count = counts.get(bucket, 0)
        bar = "█" * -(-count * _BAR // most)
        low_ms = bucket * step_ms
        grid.add_row(f"{low_ms:,}–{low_ms + step_ms:,} ms", bar, f"{count:,}" if count else "")
    return grid


def _step(values_ms: Sequence[int]) -> tuple[int, int]:
    """The width of a bucket, and the number of the first one."""
    low, high = min(values_ms), max(values_ms)
    for step_ms in _STEPS_MS:
        if high // step_ms - low // step_ms < _MOST_BUCKETS:
            return step_ms, low // step_ms
    step_ms = -(-high // _MOST_BUCKETS) + 1
    return step_ms, low // step_ms
