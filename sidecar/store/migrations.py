"""The tables, version by version. What is read from and written to them is elsewhere.

`PRAGMA user_version` of the file says how many steps it has taken. A step, once released, is never
changed; a new layout is a new step at the end.
"""

import sqlite3
import uuid

_FIRST = (
    """CREATE TABLE calls (
        call_no INTEGER PRIMARY KEY,
        call_id TEXT NOT NULL UNIQUE,
        provider_call_id TEXT,
        state TEXT NOT NULL,
        direction TEXT NOT NULL,
        from_number TEXT NOT NULL,
        to_number TEXT NOT NULL,
        started_at_ms INTEGER NOT NULL,
        ended_at_ms INTEGER,
        open INTEGER NOT NULL,
        format INTEGER NOT NULL,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX calls_by_provider_id ON calls (provider_call_id)"
    " WHERE provider_call_id IS NOT NULL",
    "CREATE INDEX calls_by_time ON calls (started_at_ms)",
    "CREATE INDEX calls_by_from ON calls (from_number, started_at_ms)",
    "CREATE INDEX calls_by_to ON calls (to_number, started_at_ms)",
    "CREATE INDEX calls_by_state ON calls (state, started_at_ms)",
    "CREATE INDEX calls_open ON calls (call_no) WHERE open = 1",
    """CREATE TABLE lines (
        call_no INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (call_no, idx)
    ) WITHOUT ROWID""",
    """CREATE TABLE turns (
        call_no INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (call_no, idx)
    ) WITHOUT ROWID""",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        type TEXT NOT NULL,
        call_id TEXT,
        body TEXT NOT NULL
    )""",
    "CREATE INDEX events_by_time ON events (at_ms)",
    "CREATE INDEX events_by_call ON events (call_id) WHERE call_id IS NOT NULL",
    "CREATE INDEX events_outbox ON events (seq) WHERE type = 'call.ended'",
    """CREATE TABLE seen (
        key TEXT PRIMARY KEY,
        until_ms INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX seen_by_end ON seen (until_ms)",
    """CREATE TABLE intents (
        key TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        call_id TEXT NOT NULL,
        until_ms INTEGER NOT NULL,
        answer TEXT
    ) WITHOUT ROWID""",
    "CREATE INDEX intents_by_end ON intents (until_ms)",
    """CREATE TABLE pairings (
        code TEXT PRIMARY KEY,
        number TEXT NOT NULL UNIQUE,
        until_ms INTEGER NOT NULL,
        called_at_ms INTEGER NOT NULL
    )""",
    "CREATE TABLE paired (number TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta (name, value) VALUES ('acked_seq', 0), ('first_seq', 1)",
)

_STEPS = (_FIRST,)

VERSION = len(_STEPS)


def version_of(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to `VERSION`, all steps in one transaction; a crash leaves it as it was."""
    db.execute("BEGIN IMMEDIATE")
    version = version_of(db)
    for step in _STEPS[version:]:
        for statement in step:
            db.execute(statement)
    db.execute(
        "INSERT INTO meta (name, value) VALUES ('stream_id', ?) ON CONFLICT DO NOTHING",
        (str(uuid.uuid4()),),
    )
    if version != VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
