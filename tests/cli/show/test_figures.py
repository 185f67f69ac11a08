"""Latency as a table and a histogram."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from sidecar.call.model import Turn
from sidecar.cli.show.figures import latency
from sidecar.rpc.methods.reading import latency_report


def _shown(totals: Sequence[int], width: int = 100) -> str:
    turns = [Turn(number, 0, {"total": total}) for number, total in enumerate(totals)]
    written = io.StringIO()
    Console(file=written, width=width).print(latency(latency_report(turns), totals))
    return written.getvalue()


def test_nothing_measured_is_said_so() -> None:
    assert "No turn has been measured yet." in _shown([])


def test_large_numbers_are_readable_and_missing_ones_are_dashes() -> None:
    text = _shown([12_500, 900])
    assert "12,500" in text
    assert "–" in text


@pytest.mark.parametrize(
    "totals", [[0], [250, 260, 900], list(range(0, 60_000, 777)), [1, 10_000_000], [5_000] * 300]
)
def test_the_histogram_holds_every_turn_in_few_lines(totals: list[int]) -> None:
    lines = _shown(totals).partition("Turn latency\n")[2].splitlines()
    counts = [line.split()[-1].replace(",", "") for line in lines if "█" in line]
    assert sum(map(int, counts)) == len(totals)
    assert 1 <= len(lines) <= 13
    assert max(line.count("█") for line in lines) == 40


def test_figures_without_turn_latency_have_no_histogram() -> None:
    turns = [Turn(0, 0, {"listenWait": 12})]
    written = io.StringIO()
    Console(file=written, width=100).print(latency(latency_report(turns), []))
    assert "█" not in written.getvalue()
