"""A JSONL log: lines of events as `tail` prints them, or of call records, ours or the old plugin's.

The old plugin wrote the whole record on every change, and kept the latency of the last turn in its
metadata.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.call.model import Turn
from sidecar.errors import HostError, Problem

LINE_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_OLD_NAMES = {"lastTurnLatencyMs": "total", "lastTurnListenWaitMs": "listenWait"}


def parse_line(line: str) -> dict[str, Any] | None:
    """An event or a record; None for a line that is neither."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    event = isinstance(value.get("type"), str) and _is_number(value.get("at"))
    return value if event or "callId" in value else None


def is_event(entry: Mapping[str, Any]) -> bool:
    return "type" in entry and "at" in entry


def read_turns(path: str) -> list[Turn]:
    """Every turn that the log tells of, oldest first, each once; raises `HostError`."""
    turns: dict[tuple[str, Any], Turn] = {}
    with LogFile(path) as log:
        for line in log.lines():
            entry = parse_line(line)
            if entry is not None:
                turns |= _turns_of(entry)
    return list(turns.values())


class LogFile:
    """Whole lines of a file that may still grow, be cut, or be replaced by a new one."""

    def __init__(self, path: str) -> None:
        """Raises `HostError`."""
        self._path = path
        self._rest = b""
        self._open()

    def __enter__(self) -> "LogFile":
        return self

    def __exit__(self, *ending: object) -> None:
        self._file.close()

    def lines(self) -> Iterator[str]:
        """What has come since the last time. An unfinished last line waits for its end; one that
        only lacks its line end is whole."""
        while chunk := self._file.read(_CHUNK_BYTES):
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            if len(self._rest) > LINE_BYTES:
                self._rest = b""
            for line in whole:
                if line.strip():
                    yield line.decode("utf-8", "replace")
        rest = self._rest.decode("utf-8", "replace")
        if rest and parse_line(rest) is not None:
            self._rest = b""
            yield rest

    def refresh(self) -> None:
        """Look whether the file was cut or replaced, and begin it anew."""
        try:
            there = os.stat(self._path)
        except OSError:
            # Between two files of a rotation there is none.
            return
        here = os.fstat(self._file.fileno())
        if there.st_ino != here.st_ino or here.st_size < self._file.tell():
            self._file.close()
            self._rest = b""
            self._open()

    def _open(self) -> None:
        try:
            self._file = open(self._path, "rb")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            text = f"The file {self._path} cannot be read; check that it exists and may be read."
            raise HostError(Problem("invalidParams", text, data={"field": "file"})) from error


def _turns_of(entry: Mapping[str, Any]) -> dict[tuple[str, Any], Turn]:
    """By a key that is the same when the same turn is told of again."""
    call_id = str(entry.get("callId", ""))
    if is_event(entry):
        if entry["type"] != "call.turn":
            return {}
        seq = entry.get("seq")
        key = (call_id, seq if _is_number(seq) else entry["at"])
        return {key: Turn(0, int(entry["at"]), _figures(entry.get("latency")))}
    turns = entry.get("turns")
    if isinstance(turns, list):
        return {
            (call_id, turn.get("index")): Turn(
                int(turn["index"]), int(turn["startedAt"]), _figures(turn.get("latency"))
            )
            for turn in turns
            if isinstance(turn, dict)
            and _is_number(turn.get("index"))
            and _is_number(turn.get("startedAt"))
        }
    return _old_turn(call_id, entry.get("metadata"))


def _old_turn(call_id: str, metadata: object) -> dict[tuple[str, Any], Turn]:
    if not isinstance(metadata, Mapping):
        return {}
    figures = _figures({_OLD_NAMES.get(name, ""): value for name, value in metadata.items()})
    if not figures:
        return {}
    at = metadata.get("lastTurnCompletedAt")
    which = metadata.get("turnCount", at)
    key = (call_id, which if _is_number(which) else tuple(sorted(figures.items())))
    return {key: Turn(0, int(at) if isinstance(at, int) else 0, figures)}


def _figures(latency: object) -> dict[str, int]:
    members = latency.items() if isinstance(latency, Mapping) else ()
    return {str(name): round(value) for name, value in members if name and _is_number(value)}


def _is_number(value: object) -> bool:
    """A time, a count or a length of time; nothing that a log tells of is as large as this."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53
