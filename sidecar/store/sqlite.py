"""`SqliteStore`: the store port on one SQLite file, for the event loop.

Writes go to the writer's thread, reads to two threads with connections of their own, so that a read
never waits for a flush and a key look-up never waits for a page of history. What is written and
read is in `writing` and `queries`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from sidecar.call.model import Call, Turn
from sidecar.errors import Problem, StoreError
from sidecar.ports import (
    HistoryPage,
    HistoryQuery,
    Intent,
    JournalEvent,
    Pairing,
    SeenKey,
    Write,
)
from sidecar.store import queries
from sidecar.store.keys import KeyFilter
from sidecar.store.opening import connect, open_store, refused, unavailable
from sidecar.store.queries import clean
from sidecar.store.rows import RowError
from sidecar.store.writer import Done, Job, Work, Writer
from sidecar.store.writing import Counters, prepare

_T = TypeVar("_T")


class _Lane:
    """A reading thread and its connection."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._db = connect(path)
        self._db.execute("PRAGMA query_only = ON")
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"store-{name}")

    def read(self, query: Callable[..., _T], *values: object) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, self._run, query, values)

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._db.close()

    def _run(self, query: Callable[..., _T], values: Sequence[object]) -> _T:
        try:
            return query(self._db, *values)
        except sqlite3.Error as error:
            raise refused(self._path, error) from error
        except RowError as error:
            raise unavailable(self._path, "holds a row that cannot be read") from error


class SqliteStore:
    """One file, one owner. Missing folders are made, and the file is for its owner only."""

    def __init__(self, path: str, *, repair: bool = False) -> None:
        self.stream_id = ""
        self.first_seq = 1
        self.last_seq = 0
        self.acked_seq = 0
        self._path = path
        self._repair = repair
        self._writer: Writer | None = None
        self._lanes: tuple[_Lane, _Lane] | None = None
        self._keys = KeyFilter()
        # Keys that came while a new filter is made from the file, which may not have them yet.
        self._keys_meanwhile: list[str] | None = None

    async def start(self, on_events: Callable[[Sequence[JournalEvent]], None]) -> None:
        """Open or make the file. Raises `StoreError` naming it when it cannot be used."""
        loop = asyncio.get_running_loop()
        opened = asyncio.to_thread(_open, self._path, self._repair)
        db, counters, self._lanes, self._keys = await opened
        self._take(counters)

        def on_done(done: Done) -> None:
            # A loop that has ended has nobody left who waits; the write itself is on disk.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, done, on_events)

        self._writer = Writer(db, self._path, on_done)
        self._writer.start()

    async def close(self) -> None:
        """Write what was handed in, tidy the file and let go of it. May be called again."""
        writer, lanes = self._writer, self._lanes
        self._writer = self._lanes = None
        for lane in lanes or ():
            await asyncio.to_thread(lane.close)
        if writer is not None:
            writer.stop()
            await asyncio.to_thread(writer.join)

    # -- calls and the journal --------------------------------------------------------------------

    async def commit(self, write: Write) -> Sequence[JournalEvent]:
        """What was handed in is written even when the caller stops waiting for it."""
        try:
            prepared = prepare(write)
        except (TypeError, ValueError, RecursionError) as error:
            message = "A call or an event holds something that cannot be stored."
            raise StoreError(Problem("internalError", message)) from error
        for key in write.seen:
            self._note(clean(key.key))
        events: Sequence[JournalEvent] = await self._write(lambda ledger: ledger.write(prepared))
        return events

    async def get(self, call_id: str) -> Call | None:
        return await self._look_up(queries.get, call_id)

    async def find(self, provider_call_id: str) -> Call | None:
        return await self._look_up(queries.find, provider_call_id)

    async def open_calls(self) -> Sequence[Call]:
        return await self._search(queries.open_calls)

    async def history(self, query: HistoryQuery) -> HistoryPage:
        """Raises `HostError` for a cursor that no answer gave."""
        return await self._search(queries.history, query)

    async def turns(self, last: int) -> Sequence[Turn]:
        return await self._search(queries.turns, last)

    async def events(
        self, since: int, limit: int, max_bytes: int, call_id: str | None = None
    ) -> Sequence[JournalEvent]:
        return await self._search(queries.events, since, limit, max_bytes, call_id)

    async def outbox(self, until_seq: int, since: int, limit: int) -> Sequence[JournalEvent]:
        return await self._search(queries.outbox, until_seq, since, limit)

    async def ack(self, seq: int) -> None:
        await self._write(lambda ledger: ledger.ack(seq))

    # -- keys and policy --------------------------------------------------------------------------

    async def seen(self, key: str, now_ms: int) -> SeenKey | None:
        if not self._keys.admits(clean(key)):
            return None
        return await self._look_up(queries.seen, key, now_ms)

    async def intent(self, key: str, now_ms: int) -> Intent | None:
        return await self._look_up(queries.intent, key, now_ms)

    async def dialled_since(self, since_ms: int, to_number: str | None = None) -> int:
        return await self._look_up(queries.dialled_since, since_ms, to_number)

    async def pairings(self, now_ms: int) -> Sequence[Pairing]:
        return await self._look_up(queries.pairings, now_ms)

    async def put_pairing(self, pairing: Pairing) -> None:
        await self._write(lambda ledger: ledger.put_pairing(pairing))

    async def approve_pairing(self, code: str, now_ms: int) -> str | None:
        number: str | None = await self._write(lambda ledger: ledger.approve_pairing(code, now_ms))
        return number

    async def is_paired(self, number: str) -> bool:
        return await self._look_up(queries.is_paired, number)

    async def prune(self, before_ms: int, now_ms: int) -> None:
        """In small transactions, between which other writes get their turn."""
        steps: tuple[Work, ...] = (
            lambda ledger: ledger.prune_calls(before_ms),
            lambda ledger: ledger.prune_events(before_ms),
            lambda ledger: ledger.prune_keys(now_ms),
        )
        for step in steps:
            while await self._write(step):
                pass
        if self._keys.crowded:
            await self._renew_keys()

    # -- inside -----------------------------------------------------------------------------------

    def _note(self, key: str) -> None:
        self._keys.add(key)
        if self._keys_meanwhile is not None:
            self._keys_meanwhile.append(key)

    async def _renew_keys(self) -> None:
        """Begin anew with the keys that are still in the file. What was handed to the writer before
        is in the file by then, because the reading waits behind an empty write."""
        self._keys_meanwhile = []
        try:
            await self._write(lambda ledger: None)
            keys = await self._search(lambda db: KeyFilter(queries.seen_keys(db)))
            for key in self._keys_meanwhile:
                keys.add(key)
            self._keys = keys
        finally:
            self._keys_meanwhile = None

    async def _write(self, work: Work) -> Any:
        """Hand `work` to the writer. No wait comes before that, so the order is the callers'."""
        if self._writer is None:
            raise unavailable(self._path, "is closed")
        ticket: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.put(Job(work, ticket))
        return await ticket

    async def _look_up(self, query: Callable[..., _T], *values: object) -> _T:
        """A short read that a webhook may wait for."""
        if self._lanes is None:
            raise unavailable(self._path, "is closed")
        return await self._lanes[0].read(query, *values)

    async def _search(self, query: Callable[..., _T], *values: object) -> _T:
        """A read that may take its time."""
        if self._lanes is None:
            raise unavailable(self._path, "is closed")
        return await self._lanes[1].read(query, *values)

    def _settle(self, done: Done, on_events: Callable[[Sequence[JournalEvent]], None]) -> None:
        if done.counters is not None:
            self._take(done.counters)
        try:
            if done.events:
                on_events(done.events)
        finally:
            for ticket, result, error in done.results:
                assert isinstance(ticket, asyncio.Future)  # `_write` puts nothing else in
                if ticket.done():
                    continue
                if error is None:
                    ticket.set_result(result)
                else:
                    ticket.set_exception(error)

    def _take(self, counters: Counters) -> None:
        self.stream_id = counters.stream_id
        self.first_seq = counters.first_seq
        self.last_seq = counters.last_seq
        self.acked_seq = counters.acked_seq


_Opened: TypeAlias = tuple[sqlite3.Connection, Counters, tuple[_Lane, _Lane], KeyFilter]


def _open(path: str, repair: bool) -> _Opened:
    db = open_store(path, repair)
    try:
        counters = Counters(*queries.counters(db))
        keys = KeyFilter(queries.seen_keys(db))
        return db, counters, (_Lane(path, "look-up"), _Lane(path, "search")), keys
    except sqlite3.Error as error:
        db.close()
        raise refused(path, error) from error
