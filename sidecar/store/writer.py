"""The one thread that writes: jobs in the order they came, many of them in one transaction.

While one transaction is being flushed to disk the next jobs gather, so a flush is shared by all who
wait. What a job does to the tables is in `writing`; who waits for it is in `sqlite`.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from sidecar.errors import Problem, StoreError
from sidecar.ports import JournalEvent
from sidecar.store.opening import code_of, refused
from sidecar.store.writing import Counters, Ledger

_log = structlog.get_logger()

GROUP_MAX = 256
"""Jobs in one transaction at the most, so that the first of them does not wait long."""

Work: TypeAlias = Callable[[Ledger], Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to be done in a transaction; `ticket` tells whose it is."""

    work: Work
    ticket: object


@dataclass(frozen=True, slots=True)
class Done:
    """A transaction that ended: what each job gave or why it failed, and what became durable.
    `counters` is None when nothing did."""

    results: Sequence[tuple[object, Any, StoreError | None]]
    events: Sequence[JournalEvent]
    counters: Counters | None


class Writer:
    """Owns the writing connection. `on_done` is called on the writing thread."""

    def __init__(self, db: sqlite3.Connection, path: str, on_done: Callable[[Done], None]) -> None:
        self._db = db
        self._path = path
        self._on_done = on_done
        self._ledger = Ledger(db)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # A daemon, so that a process that fails before `close` still ends; what was committed is
        # on disk, and nobody was told of anything else.
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        """Let the thread finish what it was given and end."""
        self._jobs.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch, stopping = self._gather()
            if batch:
                self._perform(batch)
        self._settle_file()

    def _gather(self) -> tuple[list[Job], bool]:
        """Everything that waits, at least one; and whether the end was among it."""
        batch: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == GROUP_MAX:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _perform(self, batch: Sequence[Job]) -> None:
        done = self._attempt(batch)
        if len(batch) == 1 or all(error is None for _, _, error in done.results):
            self._on_done(done)
            return
        # Somebody's write spoilt the transaction; each alone tells whose it was.
        for job in batch:
            self._on_done(self._attempt([job]))

    def _attempt(self, batch: Sequence[Job]) -> Done:
        """All jobs in one transaction; none of them took effect when it failed."""
        ledger = self._ledger
        try:
            ledger.begin()
            results = [(job.ticket, job.work(ledger), None) for job in batch]
            events = ledger.commit()
            return Done(results, events, ledger.counters)
        except sqlite3.Error as error:
            failure = refused(self._path, error)
            cause: BaseException = error
        # The root of the writing thread: it must outlive whatever one write holds, because every
        # call's writes go through it.
        except Exception as error:
            failure = StoreError(Problem("internalError", "A write to the store is not possible."))
            cause = error
            _log.error("store.write_impossible", error_type=type(error).__name__)
        failure.__cause__ = cause
        self._roll_back()
        return Done([(job.ticket, None, failure) for job in batch], (), None)

    def _roll_back(self) -> None:
        try:
            self._ledger.rollback()
        except sqlite3.Error as error:
            # The connection has ended the transaction by itself; the next one reads what it left.
            _log.warning("store.rollback_failed", code=code_of(error))

    def _settle_file(self) -> None:
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            # The log beside the file holds everything; the next start reads it.
            _log.warning("store.checkpoint_failed", code=code_of(error))
        self._db.close()
