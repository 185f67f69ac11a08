"""Getting at the file: connections, what is wrong with a file that cannot be used, setting a
damaged one aside. The tables are in `migrations`; what is in them is not known here."""

import errno
import os
import sqlite3
import time
from pathlib import Path

from sidecar.errors import Problem, StoreError
from sidecar.store import migrations

BUSY_MS = 5_000
"""How long a connection waits for another process, such as an import, to finish its transaction."""

_FULL_CHECK_BYTES = 32 * 1024 * 1024
"""Files up to this size are checked page by page at start, which takes some 50 ms at the most;
larger ones only on repair, or their damage shows when the page is read."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_REASONS = {
    sqlite3.SQLITE_CORRUPT: "is damaged; start with --repair to set it aside and begin a new one",
    sqlite3.SQLITE_NOTADB: "is not a store or is damaged; start with --repair to set it aside and"
    " begin a new one",
    sqlite3.SQLITE_FULL: "cannot be written because the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "cannot be written because it or its folder is read-only;"
    " change its permissions",
    sqlite3.SQLITE_PERM: "cannot be opened for lack of permission; change its permissions",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists and can be written",
    sqlite3.SQLITE_BUSY: "is locked by another process; end that process or try again",
    sqlite3.SQLITE_LOCKED: "is locked by another process; end that process or try again",
    sqlite3.SQLITE_IOERR: "cannot be read or written because the disk failed; check the disk",
}
_PASSING = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR}
)
_SYSTEM_REASONS = {
    errno.ENOSPC: _REASONS[sqlite3.SQLITE_FULL],
    errno.EDQUOT: _REASONS[sqlite3.SQLITE_FULL],
    errno.EROFS: _REASONS[sqlite3.SQLITE_READONLY],
    errno.EACCES: _REASONS[sqlite3.SQLITE_READONLY],
    errno.EPERM: _REASONS[sqlite3.SQLITE_READONLY],
    errno.EISDIR: "is a folder; name a file in it",
    errno.ENOTDIR: "cannot be opened because a part of its path is not a folder; correct the path",
    errno.EEXIST: "cannot be opened because a part of its path is not a folder; correct the path",
}


class Damaged(StoreError):
    """The file is not a database or does not hold together; a repair may set it aside."""


def unavailable(path: str, why: str, retryable: bool = False) -> StoreError:
    """The one shape of this room's errors: the file is named."""
    return StoreError(Problem("storeUnavailable", f"The store {path} {why}.", retryable))


def refused(path: str, error: sqlite3.Error) -> StoreError:
    """What SQLite said, for a person."""
    code = code_of(error)
    why = _REASONS.get(code, "cannot be used as asked")
    problem = Problem("storeUnavailable", f"The store {path} {why}.", code in _PASSING)
    return Damaged(problem) if code in _DAMAGED else StoreError(problem)


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; errors of the Python module itself have none."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def file_refused(path: str, error: OSError) -> StoreError:
    """What the operating system said, for a person."""
    why = _SYSTEM_REASONS.get(error.errno or 0, _REASONS[sqlite3.SQLITE_CANTOPEN])
    return unavailable(path, why)


def open_store(path: str, repair: bool = False) -> sqlite3.Connection:
    """The writing connection to a checked file of the current version, made when there is none.

    With `repair`, a damaged file is set aside and a new one is begun. Raises `StoreError`."""
    _make_file(path)
    try:
        return _open_checked(path, repair)
    except Damaged:
        if not repair:
            raise
    _set_aside(path)
    _make_file(path)
    return _open_checked(path, repair)


def connect(path: str, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, which its owner may hand from thread to thread."""
    address = Path(path).absolute().as_uri()
    if immutable:
        address += "?mode=ro&immutable=1"
    elif read_only:
        address += "?mode=ro"
    db = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return db


def check_version(db: sqlite3.Connection, path: str) -> int:
    """The file's version; refuses one that a newer release or another program wrote."""
    version = migrations.version_of(db)
    if version > migrations.VERSION:
        why = "was written by a newer release; install that release or name another store"
        raise unavailable(path, why)
    if version == 0 and db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise unavailable(path, "belongs to another program; name another store")
    return version


def _make_file(path: str) -> None:
    """Owner-only, before SQLite sees it; the -wal and -shm files beside it inherit its mode."""
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(fd).st_mode & 0o077:
                os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
    except OSError as error:
        raise file_refused(path, error) from error


def _open_checked(path: str, thorough: bool) -> sqlite3.Connection:
    try:
        db = connect(path)
        try:
            _prepare(db, path, thorough)
        except (sqlite3.Error, StoreError):
            db.close()
            raise
    except sqlite3.Error as error:
        raise refused(path, error) from error
    return db


def _prepare(db: sqlite3.Connection, path: str, thorough: bool) -> None:
    check_version(db, path)
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        # Some network disks; there is none to test with.
        raise unavailable(  # pragma: no cover
            path, "is on a disk that cannot hold it; put it on a local disk"
        )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 67108864")
    if thorough or os.path.getsize(path) <= _FULL_CHECK_BYTES:
        finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            why = _REASONS[sqlite3.SQLITE_CORRUPT]
            raise Damaged(Problem("storeUnavailable", f"The store {path} {why}."))
    migrations.migrate(db)


def _set_aside(path: str) -> None:
    # The name only has to tell a person when it happened, so the system's clock will do.
    stem = f"{path}.corrupt-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    aside, number = stem, 1
    while os.path.exists(aside):
        number += 1
        aside = f"{stem}-{number}"
    try:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.rename(path + suffix, aside + suffix)
    except OSError as error:
        raise unavailable(path, "is damaged and could not be set aside") from error
