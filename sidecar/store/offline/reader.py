"""`StoreReader`: the file as another process may see it, whether a sidecar runs on it or not.

It changes nothing and takes no ownership. A store that does not exist yet
answers like an empty one.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from sidecar.call.model import Call, Turn
from sidecar.errors import StoreError
from sidecar.ports import HistoryPage, HistoryQuery, JournalEvent
from sidecar.store import queries
from sidecar.store.opening import check_version, connect, file_refused, refused, unavailable
from sidecar.store.rows import RowError

_T = TypeVar("_T")


class StoreReader:
    """Opened on the first question; use as a context or `close` it. Raises only `StoreError`, and
    `HostError` for a cursor that no answer gave."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def get(self, call_id: str) -> Call | None:
        return self._ask(None, queries.get, call_id)

    def find(self, provider_call_id: str) -> Call | None:
        return self._ask(None, queries.find, provider_call_id)

    def open_calls(self) -> Sequence[Call]:
        return self._ask((), queries.open_calls)

    def history(self, query: HistoryQuery) -> HistoryPage:
        return self._ask(HistoryPage(()), queries.history, query)

    def turns(self, last: int) -> Sequence[Turn]:
        return self._ask((), queries.turns, last)

    def events(
        self, since: int, limit: int, max_bytes: int, call_id: str | None = None
    ) -> Sequence[JournalEvent]:
        return self._ask((), queries.events, since, limit, max_bytes, call_id)

    def newest_events(self, last: int, call_id: str | None = None) -> Sequence[JournalEvent]:
        """The last so many events, oldest first."""
        return self._ask((), queries.newest_events, last, call_id)

    def last_seq(self) -> int:
        nothing = ("", 1, 0, 0)
        return self._ask(nothing, queries.counters)[2]

    def _ask(self, nothing: _T, query: Callable[..., _T], *values: Any) -> _T:
        """What `query` gives, or `nothing` when there is no store yet."""
        try:
            db = self._opened()
            return nothing if db is None else query(db, *values)
        except sqlite3.Error as error:
            raise refused(self._path, error) from error
        except RowError as error:
            raise unavailable(self._path, "holds a row that cannot be read") from error

    def _opened(self) -> sqlite3.Connection | None:
        if self._db is not None:
            return self._db
        try:
            if os.stat(self._path).st_size == 0:
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_refused(self._path, error) from error
        db = _connect_to_look(self._path)
        try:
            # A sidecar that starts just now may not have made its tables yet.
            version = check_version(db, self._path)
        except (sqlite3.Error, StoreError):
            db.close()
            raise
        if version == 0:
            db.close()
            return None
        self._db = db
        return db


def _connect_to_look(path: str) -> sqlite3.Connection:
    db = connect(path, read_only=True)
    try:
        db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        db.close()
        if os.path.exists(f"{path}-wal"):
            raise
        # In a folder where nothing may be created SQLite cannot open a store that keeps a log
        # beside it, unless it is told that nobody writes; without a log nobody does.
        db = connect(path, immutable=True)
    return db
