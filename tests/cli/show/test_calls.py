"""Calls as a table, and one call as a panel."""

import io
from typing import Any

from rich.console import Console, RenderableType

from sidecar.cli.show.calls import panel, table

CALL: dict[str, Any] = {
    "callId": "01234567-89ab-cdef-0123-456789abcdef",
    "provider": "mock",
    "direction": "inbound",
    "mode": "conversation",
    "state": "speaking",
    "from": "+15550001111",
    "to": "+15550002222",
    "sessionKey": "voice:15550001111",
    "startedAt": 1_700_000_000_000,
    "answeredAt": 1_700_000_002_000,
    "dtmf": "12",
    "machine": "human",
    "transcript": [
        {"speaker": "bot", "text": "Hello, this", "isFinal": True, "interrupted": True},
        {"speaker": "user", "text": "Stop", "isFinal": True},
        {"speaker": "bot", "text": "As you wish", "isFinal": False},
    ],
}


def _shown(what: RenderableType, width: int = 100) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(what)
    return written.getvalue()


def test_the_id_is_whole_at_any_width() -> None:
    for width in (50, 96, 200):
        assert CALL["callId"] in _shown(table([CALL], width), width)


def test_a_table_tells_that_there_is_more() -> None:
    assert "2 calls; older ones with --limit" in _shown(table([CALL, CALL], 100, more=True))


def test_inbound_calls_point_the_other_way() -> None:
    assert "← +15550001111" in _shown(table([CALL], 100))


def test_a_panel_holds_the_talk_as_it_was_heard() -> None:
    text = _shown(panel(CALL))
    for part in ("Hello, this  (interrupted)", "Person", "As you wish  …", "human", "0:02"):
        assert part in text


def test_a_panel_of_a_call_without_words_has_no_talk() -> None:
    text = _shown(panel({**CALL, "transcript": [], "answeredAt": None, "dtmf": ""}))
    assert "rang for" not in text
    assert "keys" not in text
