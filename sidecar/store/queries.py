"""Everything that is read from the file, as plain functions over a connection.

The store runs them on its reading threads, `StoreReader` in another process. Nothing here writes.
"""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

import structlog

from sidecar.call.model import Call, Line, Turn
from sidecar.errors import HostError, Problem
from sidecar.ports import HistoryPage, HistoryQuery, Intent, JournalEvent, Pairing, SeenKey
from sidecar.store.rows import RowError, load, load_call

_log = structlog.get_logger()

_Row = tuple[object, ...]
_Part = TypeVar("_Part", Line, Turn)
_CURSOR = re.compile(r"(-?[0-9]{1,18})-([0-9]{1,18})", re.ASCII)

_CALL = "SELECT call_no, call_id, format, record, started_at_ms FROM calls"
_EVENT = "SELECT seq, at_ms, type, call_id, body FROM events"


def clean(text: str) -> str:
    """Text as SQLite can hold it: lone surrogates, which anybody may send, become `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


# -- calls ----------------------------------------------------------------------------------------


def get(db: sqlite3.Connection, call_id: str) -> Call | None:
    return _one(db, f"{_CALL} WHERE call_id = ?", (clean(call_id),))


def find(db: sqlite3.Connection, provider_call_id: str) -> Call | None:
    where = "WHERE provider_call_id = ? ORDER BY call_no DESC LIMIT 1"
    return _one(db, f"{_CALL} {where}", (clean(provider_call_id),))


def open_calls(db: sqlite3.Connection) -> Sequence[Call]:
    with _moment(db):
        rows = db.execute(f"{_CALL} WHERE open = 1 ORDER BY call_no").fetchall()
        return _calls(db, rows)


def history(db: sqlite3.Connection, query: HistoryQuery) -> HistoryPage:
    """Newest first. The cursor names the last call given, so calls that come in between change
    nothing for who pages on."""
    wanted = {
        "from_number = ?": query.from_number,
        "to_number = ?": query.to_number,
        "state = ?": query.state,
        "direction = ?": query.direction,
    }
    terms = [term for term, value in wanted.items() if value is not None]
    values: list[object] = [clean(value) for value in wanted.values() if value is not None]
    if query.before is not None:
        terms.append("(started_at_ms, call_no) < (?, ?)")
        values += _parse_cursor(query.before)
    where = f"WHERE {' AND '.join(terms)} " if terms else ""
    order = "ORDER BY started_at_ms DESC, call_no DESC LIMIT ?"
    with _moment(db):
        rows = db.execute(f"{_CALL} {where}{order}", (*values, query.limit + 1)).fetchall()
        page = rows[: query.limit]
        calls = _calls(db, page)
    more = len(rows) > query.limit and page
    return HistoryPage(calls, f"{page[-1][4]}-{page[-1][0]}" if more else None)


def turns(db: sqlite3.Connection, last: int) -> Sequence[Turn]:
    # CROSS JOIN keeps the order of the loops: newest calls first, until enough turns were found.
    rows = db.execute(
        "SELECT turns.json FROM calls CROSS JOIN turns ON turns.call_no = calls.call_no"
        " ORDER BY calls.started_at_ms DESC, calls.call_no DESC, turns.idx DESC LIMIT ?",
        (last,),
    )
    return [load(Turn, text) for (text,) in rows]


def dialled_since(db: sqlite3.Connection, since_ms: int, to_number: str | None) -> int:
    sql = "SELECT count(*) FROM calls WHERE started_at_ms >= ? AND direction = 'outbound'"
    values: tuple[object, ...] = (since_ms,)
    if to_number is not None:
        sql += " AND to_number = ?"
        values += (clean(to_number),)
    return int(db.execute(sql, values).fetchone()[0])


def stored_lines(db: sqlite3.Connection, call_no: int) -> tuple[Line, ...]:
    return _parts(db, "lines", Line, call_no)


def stored_turns(db: sqlite3.Connection, call_no: int) -> tuple[Turn, ...]:
    return _parts(db, "turns", Turn, call_no)


def _parts(
    db: sqlite3.Connection, table: str, kind: type[_Part], call_no: int
) -> tuple[_Part, ...]:
    sql = f"SELECT json FROM {table} WHERE call_no = ? ORDER BY idx"
    return tuple(load(kind, text) for (text,) in db.execute(sql, (call_no,)))


def _one(db: sqlite3.Connection, sql: str, values: _Row) -> Call | None:
    with _moment(db):
        calls = _calls(db, db.execute(sql, values).fetchall())
    return calls[0] if calls else None


def _calls(db: sqlite3.Connection, rows: Sequence[tuple[int, str, int, str, int]]) -> list[Call]:
    calls = []
    for call_no, call_id, written_format, record, _ in rows:
        try:
            lines, its_turns = stored_lines(db, call_no), stored_turns(db, call_no)
            calls.append(load_call(record, written_format, lines, its_turns))
        except RowError:
            # One unreadable record must not take the others with it.
            _log.error("call.unreadable", call_id=call_id)
    return calls


@contextmanager
def _moment(db: sqlite3.Connection) -> Iterator[None]:
    """All statements inside see the file as it was at one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def _parse_cursor(text: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(text)
    if match is None:
        what = "is not a cursor; give the nextCursor of an earlier answer"
        data = {"field": "before", "errors": [{"field": "before", "problem": what}]}
        raise HostError(Problem("invalidParams", f"before {what}.", data=data))
    return int(match[1]), int(match[2])


# -- the journal ----------------------------------------------------------------------------------


def events(
    db: sqlite3.Connection, since: int, limit: int, max_bytes: int, call_id: str | None
) -> Sequence[JournalEvent]:
    sql = f"{_EVENT} WHERE seq > ?"
    values: list[object] = [since]
    if call_id is not None:
        # The plus keeps SQLite on the index of the call, whose rows are in seq order as well.
        sql = f"{_EVENT} WHERE +seq > ? AND call_id = ?"
        values.append(clean(call_id))
    found: list[JournalEvent] = []
    size = 0
    with closing(db.execute(f"{sql} ORDER BY seq LIMIT ?", (*values, limit))) as rows:
        for row in rows:
            event = JournalEvent(*row)
            size += len(event.body)
            if found and size > max_bytes:
                break
            found.append(event)
    return found


def newest_events(db: sqlite3.Connection, last: int, call_id: str | None) -> Sequence[JournalEvent]:
    """The last so many, oldest first."""
    where = "" if call_id is None else "WHERE call_id = ? "
    values = () if call_id is None else (clean(call_id),)
    rows = db.execute(f"{_EVENT} {where}ORDER BY seq DESC LIMIT ?", (*values, last)).fetchall()
    return [JournalEvent(*row) for row in reversed(rows)]


def outbox(
    db: sqlite3.Connection, until_seq: int, since: int, limit: int
) -> Sequence[JournalEvent]:
    rows = db.execute(
        f"{_EVENT} WHERE type = 'call.ended' AND seq > ? AND seq <= ?"
        " AND seq > (SELECT value FROM meta WHERE name = 'acked_seq') ORDER BY seq LIMIT ?",
        (since, until_seq, limit),
    )
    return [JournalEvent(*row) for row in rows.fetchall()]


def counters(db: sqlite3.Connection) -> tuple[str, int, int, int]:
    """Stream id, first, last and acknowledged seq. Events below the first may have been pruned;
    numbers are not used again even when all of them were."""
    meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
    newest = db.execute("SELECT max(seq) FROM events").fetchone()[0] or 0
    first = int(meta["first_seq"])
    return str(meta["stream_id"]), first, max(newest, first - 1), int(meta["acked_seq"])


# -- keys and pairings ----------------------------------------------------------------------------


def seen(db: sqlite3.Connection, key: str, now_ms: int) -> SeenKey | None:
    row = db.execute(
        "SELECT until_ms, answer FROM seen WHERE key = ? AND until_ms > ?", (clean(key), now_ms)
    ).fetchone()
    return None if row is None else SeenKey(key, *row)


def seen_keys(db: sqlite3.Connection) -> Iterator[str]:
    """Every replay key in the file, expired ones included."""
    return (key for (key,) in db.execute("SELECT key FROM seen"))


def intent(db: sqlite3.Connection, key: str, now_ms: int) -> Intent | None:
    row = db.execute(
        "SELECT digest, call_id, until_ms, answer FROM intents WHERE key = ? AND until_ms > ?",
        (clean(key), now_ms),
    ).fetchone()
    return None if row is None else Intent(key, *row)


def pairings(db: sqlite3.Connection, now_ms: int) -> Sequence[Pairing]:
    rows = db.execute(
        "SELECT code, number, until_ms, called_at_ms FROM pairings WHERE until_ms > ?"
        " ORDER BY until_ms",
        (now_ms,),
    )
    return [Pairing(*row) for row in rows.fetchall()]


def is_paired(db: sqlite3.Connection, number: str) -> bool:
    sql = "SELECT 1 FROM paired WHERE number = ?"
    return db.execute(sql, (clean(number),)).fetchone() is not None
