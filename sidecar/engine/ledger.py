"""The engine's way to the store: nothing that was decided is lost while the store is away.

A write that fails is kept, in order, and written when the store works again; until then every later
write waits behind it, so that the journal keeps the order in which things happened.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from sidecar.call.model import Call
from sidecar.errors import Problem, StoreError
from sidecar.ports import Clock, Store, Write
from sidecar.tasks import TaskSet

RETRY_MS = 1_000
KEPT_WRITES = 10_000

UNAVAILABLE = Problem(
    "storeUnavailable",
    "The store cannot be written; free disk space or check the file `store` names.",
    retryable=True,
)

log = structlog.get_logger()


class Ledger:
    """Commits writes in the order they are given."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        now: Callable[[str], Call | None],
        on_back: Callable[[], None],
    ) -> None:
        """`now` gives the call as it is in memory, so that a late write stores its newest state;
        `on_back` is called when everything that waited has been stored."""
        self._on_back = on_back
        self._store = store
        self._clock = clock
        self._now = now
        self._backlog: list[Write] = []
        self._writing: asyncio.Task[None] | None = None
        self._tasks = TaskSet()

    @property
    def waiting(self) -> int:
        """How many writes the store still owes us."""
        return len(self._backlog)

    def holds(self, key: str) -> bool:
        """Whether a replay key waits to be stored."""
        return any(seen.key == key for write in self._backlog for seen in write.seen)

    async def commit(self, write: Write, *, keep: bool = True) -> None:
        """Raises `StoreError` when the write is not on disk; unless `keep` is False it is then kept
        for later, until `forget` takes it back."""
        if self._backlog:
            if keep:
                self.keep(write)
            raise StoreError(UNAVAILABLE)
        try:
            await self._store.commit(write)
        except StoreError as error:
            if error.problem.kind != UNAVAILABLE.kind:
                # No store will ever take this one; it must not stand in the way of the others.
                log.error("store.write_refused", reason=str(error))
            elif keep:
                self.keep(write)
            raise

    def keep(self, write: Write) -> None:
        """Write this when the store is back, behind everything that waits already."""
        if len(self._backlog) >= KEPT_WRITES:
            log.error("store.write_lost", kept=KEPT_WRITES)
            return
        self._backlog.append(write)

    def forget(self, write: Write) -> None:
        """The change of this write was undone; it must not be stored later."""
        self._backlog = [kept for kept in self._backlog if kept is not write]

    async def keep_trying(self) -> None:
        """Runs as long as the engine: writes the backlog when the store is back."""
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
            await self.retry()

    async def retry(self) -> None:
        """Write what waits. One at a time, and cancelling who waits for it does not stop it half
        way: a write that was handed over and not crossed off would be written twice."""
        if not self._backlog:
            return
        if self._writing is None or self._writing.done():
            self._writing = self._tasks.spawn(self._write_backlog(), "backlog")
        await asyncio.shield(self._writing)

    async def _write_backlog(self) -> None:
        while self._backlog:
            write = self._backlog[0]
            if write.call is not None:
                write = replace(write, call=self._now(write.call.call_id) or write.call)
            try:
                await self._store.commit(write)
            except StoreError as error:
                if error.problem.kind == UNAVAILABLE.kind:
                    log.warning("store.unavailable", reason=str(error), waiting=self.waiting)
                    return
                log.error("store.write_refused", reason=str(error))
            self._backlog.pop(0)
        log.info("store.back")
        self._on_back()
