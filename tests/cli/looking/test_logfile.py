"""A JSONL log: events or records, ours or the old plugin's."""

import json
from pathlib import Path

import pytest

from sidecar.cli.looking.logfile import LogFile, parse_line, read_turns
from sidecar.errors import HostError


@pytest.mark.parametrize("line", ["", "nonsense", "3", "[]", "{}", '{"type": "x"}', "[" * 100_000])
def test_a_line_that_is_neither_event_nor_record_is_nothing(line: str) -> None:
    assert parse_line(line) is None


def _turns(path: Path, *entries: object) -> list[tuple[int, dict[str, int]]]:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return [(turn.started_at_ms, dict(turn.latency)) for turn in read_turns(str(path))]


def test_turns_of_our_records_are_those_of_the_newest_one(tmp_path: Path) -> None:
    turn = {"index": 0, "startedAt": 5, "latency": {"total": 100, "odd": "x"}}
    later = {"index": 1, "startedAt": 9, "latency": {"total": 200}}
    assert _turns(
        tmp_path / "log",
        {"callId": "a", "turns": [turn]},
        {"callId": "a", "turns": [turn, later, "odd", {"index": None}]},
    ) == [(5, {"total": 100}), (9, {"total": 200})]


def test_turns_of_old_records_are_told_apart_by_count_time_or_value(tmp_path: Path) -> None:
    def old(**metadata: object) -> dict[str, object]:
        return {"callId": "a", "metadata": metadata}

    turns = _turns(
        tmp_path / "log",
        old(lastTurnLatencyMs=100, lastTurnCompletedAt=7),
        old(lastTurnLatencyMs=100, lastTurnCompletedAt=7),
        old(lastTurnLatencyMs=100),
        old(lastTurnLatencyMs="slow"),
        old(other=1),
        {"callId": "a", "metadata": None},
    )
    assert turns == [(7, {"total": 100}), (0, {"total": 100})]


def test_turns_of_events_come_from_the_event_that_tells_them(tmp_path: Path) -> None:
    turn = {"type": "call.turn", "at": 5, "seq": 1, "callId": "a", "latency": {"total": 100}}
    ended = {"type": "call.ended", "at": 6, "seq": 2, "callId": "a", "call": {"turns": [{}]}}
    assert _turns(tmp_path / "log", turn, turn, ended) == [(5, {"total": 100})]


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"callId": "a"}\n\n{"callId')
    with LogFile(str(path)) as log:
        assert list(log.lines()) == ['{"callId": "a"}']
        with path.open("ab") as file:
            file.write(b'": "b"}')
        assert list(log.lines()) == ['{"callId": "b"}']
        with path.open("ab") as file:
            file.write(b"\n")
        assert list(log.lines()) == []


def test_a_line_without_end_is_not_kept_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (17 << 20) + b"\n" + b'{"callId": "a"}\n')
    with LogFile(str(path)) as log:
        assert [parse_line(line) for line in log.lines()][-1] == {"callId": "a"}


def test_a_file_that_was_cut_or_is_away_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"callId": "a"}\n{"callId": "b"}\n')
    with LogFile(str(path)) as log:
        assert len(list(log.lines())) == 2
        path.write_text('{"callId": "c"}\n')
        log.refresh()
        assert list(log.lines()) == ['{"callId": "c"}']
        path.unlink()
        log.refresh()
        assert list(log.lines()) == []


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be read"):
        LogFile(str(tmp_path / "none"))
