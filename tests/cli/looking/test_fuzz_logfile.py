"""A log that anybody may have written to: every line is an event, a record or nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.cli.looking.logfile import parse_line, read_turns
from tests.support.fuzz import FUZZ, as_bytes, changed, documents

NAMES = ["type", "at", "callId", "turns", "metadata", "call", "seq", "total", "listenWait"]
GOOD = [
    json.dumps({"type": "call.speech", "at": 1, "callId": "c", "seq": 3}),
    json.dumps({"callId": "c", "metadata": {"lastTurnLatencyMs": 9, "turnCount": 1}}),
    json.dumps({"callId": "c", "turns": [{"total": 3, "listenWait": 1}]}),
]
LINES = changed(GOOD) | documents(NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@FUZZ
@given(LINES)
def test_any_line_is_an_event_a_record_or_nothing(line: str) -> None:
    entry = parse_line(line)
    assert entry is None or "callId" in entry or {"type", "at"} <= set(entry)


@FUZZ
@given(st.lists(LINES, max_size=6))
@example([json.dumps({"callId": ["c"], "turns": 1})])
@example([json.dumps({"type": "call.turn", "at": 1, "seq": [1], "latency": {"total": 1}})])
@example([json.dumps({"callId": "c", "metadata": {"lastTurnLatencyMs": 1e400}})])
def test_the_turns_of_any_log_can_be_read(folder: Path, lines: list[str]) -> None:
    log = folder / "calls.jsonl"
    log.write_bytes(b"\n".join(as_bytes(line) for line in lines))
    for turn in read_turns(str(log)):
        assert turn is not None
