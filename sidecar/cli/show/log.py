"""Events and records of a log, one line each."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from sidecar.cli.show.text import clean, moment, state_style, time_of_day

_ID_SHOWN = 8
_STYLES = {
    "call.speaking": "cyan",
    "call.speech": "magenta",
    "call.partial": "dim",
    "call.warning": "yellow",
    "call.error": "red",
    "call.rejected": "yellow",
    "call.ended": "bold",
}
_ENVELOPE = frozenset({"seq", "at", "type", "callId", "isFinal", "utteranceId", "call"})


def event_line(event: Mapping[str, Any]) -> Text:
    """Time, call, type, and what the event holds besides."""
    kind = str(event["type"])
    line = Text(overflow="fold")
    line.append(f"{event.get('seq', ''):>6}  ", "dim")
    line.append(time_of_day(int(event["at"])) + "  ", "dim")
    line.append(clean(event.get("callId", ""))[:_ID_SHOWN].ljust(_ID_SHOWN) + "  ", "dim")
    line.append(clean(kind).ljust(16), _STYLES.get(kind, ""))
    for name, value in event.items():
        if name not in _ENVELOPE:
            line.append(f"  {clean(name)} ", "dim")
            line.append(_shown(value), _value_style(kind, name, value))
    return line


def record_line(record: Mapping[str, Any]) -> Text:
    """One call record, such as a line of an old calls.jsonl."""
    state = str(record.get("endReason") or record.get("state") or "")
    started = record.get("startedAt")
    line = Text(overflow="fold")
    line.append(moment(int(started)) if isinstance(started, int | float) else "", "dim")
    line.append(f"  {clean(record.get('callId', ''))}  ", "dim")
    line.append(f"{clean(record.get('from') or '')} → {clean(record.get('to') or '')}  ")
    line.append(clean(state), state_style(state))
    return line


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(name)} {_shown(member)}" for name, member in value.items())
    if isinstance(value, str):
        return f"“{clean(value)}”" if " " in value else clean(value)
    return clean(value)


def _value_style(kind: str, name: str, value: object) -> str:
    return state_style(str(value)) if (kind, name) == ("call.ended", "reason") else ""
