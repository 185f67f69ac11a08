"""What one write does to the tables, inside a transaction that somebody else opens and ends.

`Ledger` also keeps the counters of the journal and, per open call, what is already on disk, so that
a write costs the same however long the call has become. Threads and grouping are in `writer`.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.call.model import Call, Line, State, Turn
from sidecar.ports import Intent, JournalEvent, NewEvent, Pairing, SeenKey, Write
from sidecar.store import queries
from sidecar.store.queries import clean
from sidecar.store.rows import FORMAT, RowError, dump, dump_call, dump_event, event_body

PRUNE_CHUNK = 200
"""Rows per transaction when old ones are deleted, so that no write waits long behind it."""

_SEEN_MAX = 200_000
"""Replay keys beyond this number go, those that end soonest first."""

_COLUMNS = (
    "provider_call_id",
    "state",
    "direction",
    "from_number",
    "to_number",
    "started_at_ms",
    "ended_at_ms",
    "open",
)
_Columns = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Counters:
    """The state of the journal after a transaction."""

    stream_id: str
    first_seq: int
    last_seq: int
    acked_seq: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A `Write` with its texts made, which needs no transaction and no `seq`."""

    call: Call | None
    record: str
    events: Sequence[tuple[NewEvent, str]]
    seen: Sequence[SeenKey]
    intents: Sequence[Intent]


@dataclass(slots=True)
class _Stored:
    """What is on disk of an open call."""

    call_no: int
    columns: _Columns
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...]


def prepare(write: Write) -> Prepared:
    """Make the texts; raises `TypeError` or `ValueError` when something cannot be stored."""
    return Prepared(
        write.call,
        "" if write.call is None else dump_call(write.call),
        [(event, dump_event(event)) for event in write.events],
        write.seen,
        write.intents,
    )


def wire_state(call: Call) -> str:
    """The state by the contract's names, as history filters by it."""
    if call.state is State.ENDED and call.end_reason is not None:
        return call.end_reason.value
    if call.state is State.ENDING and call.before_ending is not None:
        return call.before_ending.value
    return call.state.value


class Ledger:
    """The tables as one connection writes them. `begin` and then `commit` or `rollback`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._stored: dict[str, _Stored] = {}
        self._events: list[JournalEvent] = []
        self._fresh = False
        self.counters = Counters("", 1, 0, 0)

    def begin(self) -> None:
        self._events = []
        self._db.execute("BEGIN IMMEDIATE")
        if not self._fresh:
            self.counters = Counters(*queries.counters(self._db))
            self._fresh = True

    def commit(self) -> Sequence[JournalEvent]:
        """The events that became durable, in order."""
        self._db.execute("COMMIT")
        return self._events

    def rollback(self) -> None:
        """Forget the transaction and everything remembered; the file is asked again."""
        self._fresh = False
        self._stored.clear()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # -- writes -----------------------------------------------------------------------------------

    def write(self, write: Prepared) -> Sequence[JournalEvent]:
        if write.call is not None:
            self.put_call(write.call, write.record)
        journalled = [self._journal(event, rest) for event, rest in write.events]
        for key in write.seen:
            self._put_seen(key)
        for intent in write.intents:
            self._put_intent(intent)
        return journalled

    def has_call(self, call_id: str) -> bool:
        sql = "SELECT 1 FROM calls WHERE call_id = ?"
        return self._db.execute(sql, (clean(call_id),)).fetchone() is not None

    def put_call(self, call: Call, record: str) -> None:
        is_open = not call.is_over or call.hangup_due
        columns = _columns(call, is_open)
        stored = self._stored.get(call.call_id) or self._recall(call.call_id)
        if stored is None:
            stored = self._insert(call.call_id, columns, record)
        elif stored.columns == columns:
            sql = "UPDATE calls SET record = ?, format = ? WHERE call_no = ?"
            self._db.execute(sql, (record, FORMAT, stored.call_no))
        else:
            names = ", ".join(f"{name} = ?" for name in _COLUMNS)
            sql = f"UPDATE calls SET record = ?, format = ?, {names} WHERE call_no = ?"
            self._db.execute(sql, (record, FORMAT, *columns, stored.call_no))
        self._append("lines", stored.call_no, stored.lines, call.transcript)
        self._append("turns", stored.call_no, stored.turns, call.turns)
        if is_open:
            kept = _Stored(stored.call_no, columns, call.transcript, call.turns)
            self._stored[call.call_id] = kept
        else:
            self._stored.pop(call.call_id, None)

    def ack(self, seq: int) -> None:
        counters = self.counters
        acked = max(counters.acked_seq, min(seq, counters.last_seq))
        if acked != counters.acked_seq:
            self._set_meta("acked_seq", acked)
            self.counters = Counters(
                counters.stream_id, counters.first_seq, counters.last_seq, acked
            )

    def put_pairing(self, pairing: Pairing) -> None:
        """One code per number: a new one takes the place of the old."""
        self._db.execute(
            "INSERT OR REPLACE INTO pairings (code, number, until_ms, called_at_ms)"
            " VALUES (?, ?, ?, ?)",
            (pairing.code, clean(pairing.number), pairing.until_ms, pairing.called_at_ms),
        )

    def approve_pairing(self, code: str, now_ms: int) -> str | None:
        row = self._db.execute(
            "SELECT number FROM pairings WHERE code = ? AND until_ms > ?", (clean(code), now_ms)
        ).fetchone()
        if row is None:
            return None
        number = str(row[0])
        sql = "INSERT INTO paired (number, since_ms) VALUES (?, ?) ON CONFLICT DO NOTHING"
        self._db.execute(sql, (number, now_ms))
        self._db.execute("DELETE FROM pairings WHERE number = ?", (number,))
        return number

    # -- retention --------------------------------------------------------------------------------

    def prune_calls(self, before_ms: int) -> int:
        """Delete some ended calls from before; how many."""
        rows = self._db.execute(
            "SELECT call_no FROM calls WHERE started_at_ms < ? AND open = 0 AND ended_at_ms < ?"
            " ORDER BY started_at_ms LIMIT ?",
            (before_ms, before_ms, PRUNE_CHUNK),
        ).fetchall()
        for table in ("lines", "turns", "calls"):
            self._db.executemany(f"DELETE FROM {table} WHERE call_no = ?", rows)
        return len(rows)

    def prune_events(self, before_ms: int) -> int:
        """Delete some events from before that nobody needs any more; how many."""
        rows = self._db.execute(
            "SELECT seq FROM events WHERE at_ms < ? AND (type <> 'call.ended' OR seq <= ?)"
            " ORDER BY at_ms LIMIT ?",
            (before_ms, self.counters.acked_seq, PRUNE_CHUNK),
        ).fetchall()
        if rows:
            self._db.executemany("DELETE FROM events WHERE seq = ?", rows)
            counters = self.counters
            first = max(counters.first_seq, max(seq for (seq,) in rows) + 1)
            self._set_meta("first_seq", first)
            self.counters = Counters(
                counters.stream_id, first, counters.last_seq, counters.acked_seq
            )
        return len(rows)

    def prune_keys(self, now_ms: int) -> int:
        """Delete some expired keys and codes, and replay keys beyond the bound; how many."""
        deleted = 0
        for table, key in (("seen", "key"), ("intents", "key"), ("pairings", "code")):
            deleted += self._db.execute(
                f"DELETE FROM {table} WHERE {key} IN"
                f" (SELECT {key} FROM {table} WHERE until_ms <= ? LIMIT ?)",
                (now_ms, PRUNE_CHUNK),
            ).rowcount
        if deleted == 0:
            count = int(self._db.execute("SELECT count(*) FROM seen").fetchone()[0])
            deleted = self._db.execute(
                "DELETE FROM seen WHERE key IN (SELECT key FROM seen ORDER BY until_ms LIMIT ?)",
                (min(PRUNE_CHUNK, max(0, count - _SEEN_MAX)),),
            ).rowcount
        return deleted

    # -- inside -----------------------------------------------------------------------------------

    def _recall(self, call_id: str) -> _Stored | None:
        """What the file has of a call that is not remembered."""
        row = self._db.execute(
            f"SELECT call_no, {', '.join(_COLUMNS)} FROM calls WHERE call_id = ?",
            (clean(call_id),),
        ).fetchone()
        if row is None:
            return None
        call_no, *columns = row
        try:
            lines = queries.stored_lines(self._db, call_no)
            turns = queries.stored_turns(self._db, call_no)
        except RowError:
            # Nothing in common with what is stored: all of it is written anew.
            lines, turns = (), ()
        return _Stored(call_no, tuple(columns), lines, turns)

    def _insert(self, call_id: str, columns: _Columns, record: str) -> _Stored:
        marks = ", ".join("?" * (len(_COLUMNS) + 3))
        cursor = self._db.execute(
            f"INSERT INTO calls (call_id, record, format, {', '.join(_COLUMNS)}) VALUES ({marks})",
            (clean(call_id), record, FORMAT, *columns),
        )
        assert cursor.lastrowid is not None  # an INSERT that did not raise has a row
        return _Stored(cursor.lastrowid, columns, (), ())

    def _append(
        self,
        table: str,
        call_no: int,
        stored: tuple[Line, ...] | tuple[Turn, ...],
        wanted: tuple[Line, ...] | tuple[Turn, ...],
    ) -> None:
        """Write what `wanted` has beyond `stored`. The end is compared, so that the newest item
        may still have changed."""
        same = min(len(stored), len(wanted))
        while same and stored[same - 1] != wanted[same - 1]:
            same -= 1
        if same < len(stored):
            sql = f"DELETE FROM {table} WHERE call_no = ? AND idx >= ?"
            self._db.execute(sql, (call_no, same))
        if same < len(wanted):
            self._db.executemany(
                f"INSERT OR REPLACE INTO {table} (call_no, idx, json) VALUES (?, ?, ?)",
                [(call_no, idx, dump(wanted[idx])) for idx in range(same, len(wanted))],
            )

    def _journal(self, event: NewEvent, rest: str) -> JournalEvent:
        counters = self.counters
        seq = counters.last_seq + 1
        entry = JournalEvent(seq, event.at_ms, event.type, event.call_id, event_body(seq, rest))
        self._db.execute(
            "INSERT INTO events (seq, at_ms, type, call_id, body) VALUES (?, ?, ?, ?, ?)",
            (seq, entry.at_ms, entry.type, entry.call_id and clean(entry.call_id), entry.body),
        )
        self.counters = Counters(counters.stream_id, counters.first_seq, seq, counters.acked_seq)
        self._events.append(entry)
        return entry

    def _put_seen(self, key: SeenKey) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO seen (key, until_ms, answer) VALUES (?, ?, ?)",
            (clean(key.key), key.until_ms, clean(key.answer)),
        )

    def _put_intent(self, intent: Intent) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO intents (key, digest, call_id, until_ms, answer)"
            " VALUES (?, ?, ?, ?, ?)",
            (
                clean(intent.key),
                intent.digest,
                intent.call_id,
                intent.until_ms,
                None if intent.answer is None else clean(intent.answer),
            ),
        )

    def _set_meta(self, name: str, value: int) -> None:
        self._db.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))


def _columns(call: Call, is_open: bool) -> _Columns:
    provider_call_id = call.provider_call_id
    ended = call.ended_at_ms
    if ended is None and not is_open:
        ended = call.started_at_ms
    return (
        None if provider_call_id is None else clean(provider_call_id),
        wire_state(call),
        call.direction.value,
        clean(call.from_number),
        clean(call.to_number),
        call.started_at_ms,
        ended,
        int(is_open),
    )
