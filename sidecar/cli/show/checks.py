"""Readiness checks, and what was done, as lines with a sign in front."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sidecar.cli.show.text import clean

_SIGNS = {"ok": ("✓", "bold green"), "warn": ("!", "bold yellow"), "fail": ("✗", "bold red")}


def done(text: str) -> RenderableType:
    return Text.assemble(_SIGNS["ok"], " ", text)


def readiness(result: Mapping[str, Any]) -> RenderableType:
    """Every check with its sign, and how to mend it."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in result["checks"]:
        sign, style = _SIGNS[check["status"]]
        grid.add_row(Text(sign, style), Text(clean(check["message"])))
        if check.get("fix"):
            grid.add_row("", Text(f"→ {clean(check['fix'])}", "dim"))
    return Group(Text(f"Provider: {result['provider']}", "bold"), grid, Text(), _summary(result))


def _summary(result: Mapping[str, Any]) -> Text:
    counts = dict.fromkeys(_SIGNS, 0)
    for check in result["checks"]:
        counts[check["status"]] += 1
    told = f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed"
    if not result["ok"]:
        return Text.assemble(("Not ready", "bold red"), f": {told}.")
    return Text.assemble(("Ready", "bold green"), f": {told}.")


def problems(lines: Sequence[str]) -> RenderableType:
    return Group(*(Text.assemble(_SIGNS["warn"], " ", clean(line)) for line in lines))
