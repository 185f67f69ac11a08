"""Words, times and durations as a person reads them.

What the far end of a call says is a stranger's text: it reaches a terminal without control
characters, and never as markup.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_CONTROL = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_SECOND_MS, _MINUTE_S = 1_000, 60

ENDED_WELL = frozenset({"completed", "hangup-user", "hangup-bot"})
ENDED_SO_SO = frozenset({"busy", "no-answer", "voicemail", "timeout"})
ENDED_BADLY = frozenset({"error", "failed"})


def clean(text: object) -> str:
    """`text` on one line, without anything that could move the cursor or turn the line around."""
    kept = (" " if char.isspace() else char for char in str(text))
    return "".join(char for char in kept if unicodedata.category(char) not in _CONTROL)


def moment(at_ms: int) -> str:
    """Local date and time."""
    return datetime.fromtimestamp(at_ms / _SECOND_MS).strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / _SECOND_MS).strftime("%H:%M:%S")


def length(duration_ms: int) -> str:
    """`0:07`, `12:05`, `1:02:05`."""
    minutes, seconds = divmod(max(0, duration_ms) // _SECOND_MS, _MINUTE_S)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def talk_length(call: Mapping[str, Any]) -> str:
    """How long somebody was on the line; empty when nobody was, or still is."""
    answered, ended = call.get("answeredAt"), call.get("endedAt")
    return length(ended - answered) if answered and ended else ""


def other_party(call: Mapping[str, Any]) -> str:
    return clean(call["to"] if call["direction"] == "outbound" else call["from"])


def arrow(call: Mapping[str, Any]) -> str:
    return "→" if call["direction"] == "outbound" else "←"


def state_style(state: str) -> str:
    if state in ENDED_WELL:
        return "green"
    if state in ENDED_SO_SO:
        return "yellow"
    return "red" if state in ENDED_BADLY else "cyan"
