"""Calls as a table, and one call as a panel."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sidecar.cli.show.talk import AGENT, PERSON
from sidecar.cli.show.text import (
    arrow,
    clean,
    length,
    moment,
    other_party,
    state_style,
    talk_length,
)

Record = Mapping[str, Any]

_WIDE = 96
"""Columns that a table with whole ids needs."""


def table(calls: Sequence[Record], width: int, more: bool = False) -> RenderableType:
    """In the order they come. `more` tells that older ones were left out. An id is what is copied
    into the next command, so on a narrow terminal it has a line of its own."""
    wide = width >= _WIDE
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("Started", no_wrap=True, style="dim")
    grid.add_column("With", no_wrap=True)
    grid.add_column("State", no_wrap=True)
    grid.add_column("Length", no_wrap=True, justify="right")
    if wide:
        grid.add_column("Call", no_wrap=True, style="dim")
    parts: list[RenderableType] = [grid] if wide else []
    for call in calls:
        row, call_id = _row(call, wide), clean(call["callId"])
        if wide:
            grid.add_row(*row, call_id)
        else:
            parts += [Text("  ").join(row), Text(f"  {call_id}", "dim")]
    count = f"{len(calls)} call" + ("" if len(calls) == 1 else "s")
    return Group(*parts, Text(f"{count}; older ones with --limit" if more else count, "dim"))


def _row(call: Record, wide: bool) -> list[Text]:
    state = str(call["state"])
    started = moment(call["startedAt"])
    return [
        Text(started if wide else started.partition(" ")[2]),
        Text(f"{arrow(call)} {other_party(call)}"),
        Text(clean(state), state_style(state)),
        Text(talk_length(call)),
    ]


def panel(call: Record) -> RenderableType:
    """Everything about one call that a person asks for."""
    state = str(call["state"])
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("state", Text(clean(state), f"bold {state_style(state)}"))
    for name, value in _facts(call):
        facts.add_row(name, value)
    parts: list[RenderableType] = [facts]
    if call["transcript"]:
        parts += [Text(), _talk(call["transcript"])]
    title = f"{arrow(call)} {other_party(call)}"
    return Panel(Group(*parts), title=Text(title, "bold"), title_align="left", padding=(0, 1))


def _facts(call: Record) -> list[tuple[str, str]]:
    answered = call.get("answeredAt")
    rows = [
        ("call", clean(call["callId"])),
        ("carrier's id", clean(call.get("providerCallId") or "")),
        ("carrier", clean(call["provider"])),
        ("mode", f"{clean(call['mode'])}, {clean(call['direction'])}"),
        ("from, to", f"{clean(call['from'])} → {clean(call['to'])}"),
        ("started", moment(call["startedAt"])),
        ("rang for", length(answered - call["startedAt"]) if answered else ""),
        ("talked for", talk_length(call)),
        ("keys", clean(call["dtmf"])),
        ("machine", clean(call.get("machine") or "")),
        ("session", clean(call["sessionKey"])),
    ]
    return [(name, value) for name, value in rows if value]


def _talk(lines: Sequence[Record]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        text = Text(clean(line["text"]))
        if line.get("interrupted"):
            text.append("  (interrupted)", "yellow")
        if not line["isFinal"]:
            text.append("  …", "dim")
        bot = line["speaker"] == "bot"
        who = Text(AGENT, "bold cyan") if bot else Text(PERSON, "bold magenta")
        grid.add_row(who, text)
    return grid
