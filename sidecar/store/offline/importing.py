"""The history of the old in-process plugin: its `calls.jsonl`, read once into the store.

Each line of such a file is a whole record; a later line about the same call replaces the earlier
ones. What is imported is history: no call of it is open afterwards, and it makes no events.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from sidecar.call.model import Call, Direction, EndReason, Line, Mode, Speaker, State
from sidecar.errors import HostError, Problem
from sidecar.store.opening import open_store, refused
from sidecar.store.rows import dump_call
from sidecar.store.writing import Ledger

_PROVIDERS = frozenset({"twilio", "telnyx", "plivo", "mock"})
_PER_TRANSACTION = 500
_PROBLEMS_MAX = 100
_LINE_MAX = 16 * 1024 * 1024
_LATEST_MS = 2**53


@dataclass(frozen=True, slots=True)
class ImportResult:
    """`imported` calls are new in the store, `skipped` ones were there already. `bad_lines` could
    not be read; `problems` says why, by line number, for the first of them."""

    imported: int
    skipped: int
    bad_lines: int
    problems: Sequence[str]


class _Unreadable(ValueError):
    """A line that is no call; the text completes "line 7 ..."."""


def import_jsonl(store_path: str, source: str) -> ImportResult:
    """Bring the calls of the file `source` into the store, which a sidecar may be using.

    Raises `HostError` when `source` cannot be read, `StoreError` when the store cannot be used.
    """
    calls, bad_lines, problems = _read(source)
    with closing(open_store(store_path)) as db:
        try:
            imported = _store(db, list(calls.values()))
        except sqlite3.Error as error:
            raise refused(store_path, error) from error
    return ImportResult(imported, len(calls) - imported, bad_lines, problems)


def parse_record(record: object) -> Call:
    """One record of the old format as an ended call; raises `ValueError` saying what is wrong."""
    if not isinstance(record, Mapping):
        raise _Unreadable("is not a JSON object")
    transcript = tuple(_parse_lines(record.get("transcript")))
    answered = _time(record, "answeredAt")
    started = _first(_time(record, "startedAt"), answered, _said_at(transcript, 0))
    if started is None:
        raise _Unreadable("has no startedAt")
    ended = _first(_time(record, "endedAt"), _said_at(transcript, -1), answered, started)
    direction = _direction(record)
    from_number, to_number = _text(record, "from"), _text(record, "to")
    other_party = to_number if direction is Direction.OUTBOUND else from_number
    metadata = record.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else None
    return Call(
        call_id=_required(record, "callId"),
        provider=_provider(record),
        direction=direction,
        mode=_mode(direction, metadata),
        state=State.ENDED,
        from_number=from_number,
        to_number=to_number,
        session_key=_text(record, "sessionKey") or _session_key(other_party),
        started_at_ms=started,
        provider_call_id=_text(record, "providerCallId") or None,
        answered_at_ms=answered,
        ended_at_ms=ended,
        end_reason=_end_reason(record),
        transcript=transcript,
        metadata=metadata,
        announced=True,
    )


# -- the file -------------------------------------------------------------------------------------


def _read(source: str) -> tuple[dict[str, Call], int, list[str]]:
    """The newest record of every call, in the order the calls first appear; and the bad lines."""
    calls: dict[str, Call] = {}
    bad_lines = 0
    problems: list[str] = []
    try:
        with open(source, "rb") as file:
            for number, line in _lines(file):
                try:
                    call = _parse_line(line)
                    calls[call.call_id] = call
                except _Unreadable as error:
                    bad_lines += 1
                    if len(problems) < _PROBLEMS_MAX:
                        problems.append(f"line {number} {error}")
    except OSError as error:
        text = f"The file {source} cannot be read; check that it exists and may be read."
        raise HostError(Problem("invalidParams", text, data={"field": "path"})) from error
    return calls, bad_lines, problems


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank. Of an over-long one only the beginning is given, which is
    not JSON."""
    number = 0
    while line := file.readline(_LINE_MAX):
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(_LINE_MAX)
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield number, line


def _parse_line(line: bytes) -> Call:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("is not JSON") from error
    return parse_record(record)


def _store(db: sqlite3.Connection, calls: Sequence[Call]) -> int:
    """Insert the calls that the store does not have; how many those were."""
    ledger = Ledger(db)
    imported = 0
    for at in range(0, len(calls), _PER_TRANSACTION):
        ledger.begin()
        try:
            for call in calls[at : at + _PER_TRANSACTION]:
                if not ledger.has_call(call.call_id):
                    ledger.put_call(call, dump_call(call))
                    imported += 1
            ledger.commit()
        except sqlite3.Error:
            ledger.rollback()
            raise
    return imported


# -- one record -----------------------------------------------------------------------------------


def _parse_lines(items: object) -> Iterator[Line]:
    """The final lines of a transcript; what is not one is left out."""
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping) or item.get("isFinal") is False:
            continue
        at = _time(item, "timestamp")
        speaker, text = item.get("speaker"), item.get("text")
        if at is not None and speaker in ("bot", "user") and isinstance(text, str):
            yield Line(at, Speaker(speaker), text, item.get("interrupted") is True)


def _said_at(transcript: Sequence[Line], index: int) -> int | None:
    return transcript[index].timestamp_ms if transcript else None


def _first(*times: int | None) -> int | None:
    return next((time for time in times if time is not None), None)


def _time(record: Mapping[str, Any], name: str) -> int | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value < _LATEST_MS else None


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value.strip() if isinstance(value, str) else ""


def _required(record: Mapping[str, Any], name: str) -> str:
    value = _text(record, name)
    if not value:
        raise _Unreadable(f"has no {name}")
    return value


def _provider(record: Mapping[str, Any]) -> str:
    provider = _required(record, "provider")
    if provider not in _PROVIDERS:
        raise _Unreadable("has a provider that is not known")
    return provider


def _direction(record: Mapping[str, Any]) -> Direction:
    direction = _required(record, "direction")
    if direction not in ("inbound", "outbound"):
        raise _Unreadable("has a direction that is neither inbound nor outbound")
    return Direction(direction)


def _mode(direction: Direction, metadata: Mapping[str, Any] | None) -> Mode:
    """The old plugin kept the mode of an outbound call in its metadata."""
    if direction is Direction.OUTBOUND and metadata and metadata.get("mode") == "notify":
        return Mode.NOTIFY
    return Mode.CONVERSATION


def _end_reason(record: Mapping[str, Any]) -> EndReason:
    """A call that never ended, or ended in a way we have no name for, is an error by now."""
    for name in ("endReason", "state"):
        value = _text(record, name)
        if value in set(EndReason):
            return EndReason(value)
    return EndReason.ERROR


def _session_key(other_party: str) -> str:
    return "voice:" + "".join(char for char in other_party if char in "0123456789")
