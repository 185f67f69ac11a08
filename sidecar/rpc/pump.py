"""The event stream of one connection: a cursor over the journal, a filter, and when to wait.

Events are pulled, never buffered: what a reader has not room for stays in the journal. Their text
was made when they were committed and is passed on as it is.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from sidecar.engine.journal import Journal
from sidecar.errors import StoreError
from sidecar.ports import Clock, JournalEvent
from sidecar.rpc.outgoing import Outgoing

HIGH_WATER_BYTES = 1024 * 1024
LOW_WATER_BYTES = 256 * 1024
STALL_S = 10.0
STORE_RETRY_MS = 1_000
KEPT_PARTIALS = 32

_HEAD = b'{"jsonrpc":"2.0","method":"voicecall.event","params":'
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked of its stream in `initialize`. None in a filter means all."""

    enabled: bool = True
    since: int | None = None
    types: frozenset[str] | None = None
    call_ids: frozenset[str] | None = None


def line_of(event: JournalEvent) -> bytes:
    """The whole notification."""
    return _HEAD + event.body.encode("ascii") + b"}"


class Pump:
    """Moves events from the journal to the outgoing queue, in order, as fast as the reader reads.

    `cut` ends a connection whose reader has stalled while it caught up; None where events simply
    wait (stdio). A reader that was up to date is not paced: the queue's own limit cuts it.
    """

    def __init__(
        self, outgoing: Outgoing, clock: Clock, cut: Callable[[], None] | None = None
    ) -> None:
        self._outgoing = outgoing
        self._clock = clock
        self._cut = cut
        self._wish = Wish()
        self._first_cursor = 0
        self._cursor = 0
        self._outbox: tuple[int, int] | None = None
        self._paused = False
        self._live = True
        self._held: set[str] = set()
        self._changes = 0
        self._partials: deque[tuple[int, JournalEvent]] = deque(maxlen=KEPT_PARTIALS)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._journal: Journal | None = None

    # -- what the connection tells it -----------------------------------------------------------

    def pause(self) -> None:
        """Stop delivery; `go_on` or `restart` ends that."""
        self._paused = True

    def go_on(self) -> None:
        self._paused = False
        self._wake.set()

    def restart(self, wish: Wish) -> None:
        """Begin again where the client wishes: after `since`, else with the ended calls nobody
        acknowledged and then what has not been sent yet."""
        self._wish = wish
        self._changes += 1
        self._live = False
        self._outbox = None
        if wish.since is not None:
            self._cursor = wish.since
        elif wish.enabled:
            # What was sent on this connection before its handshake is not sent a second time.
            self._outbox = (0, self._first_cursor)
        self.go_on()

    def subscribe(self, types: frozenset[str] | None, call_ids: frozenset[str] | None) -> None:
        """Replace the filter; a connection that had no events has them from this moment on."""
        if not self._wish.enabled and self._journal is not None:
            self._cursor = self._journal.last_seq
        self._wish = Wish(True, self._wish.since, types, call_ids)
        self._wake.set()

    def hold(self, call_id: str) -> None:
        self._held.add(call_id)

    def release(self, call_id: str) -> None:
        self._held.discard(call_id)
        self._wake.set()

    async def caught_up(self) -> None:
        """Wait until everything journalled so far has been queued."""
        await self._idle.wait()

    # -- the stream -----------------------------------------------------------------------------

    def open(self, journal: Journal) -> None:
        """Take the present end of the journal as the beginning of the stream."""
        self._journal = journal
        self._first_cursor = self._cursor = journal.last_seq

    async def run(self) -> None:
        """Deliver until cancelled; the journal is open."""
        assert self._journal is not None
        forget = self._journal.listen(self._advanced, self._partial)
        try:
            while True:
                await self._step(self._journal)
        finally:
            forget()
            self._idle.set()

    def _advanced(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def _step(self, journal: Journal) -> None:
        self._wake.clear()
        if self._paused:
            await self._wake.wait()
        elif not self._wish.enabled or self._is_at_the_end(journal):
            self._idle.set()
            await self._wake.wait()
        elif await self._has_room():
            try:
                blocked = await self._deliver(journal)
            except StoreError as error:
                _log.warning("events.unreadable", kind=error.problem.kind)
                await self._clock.sleep_until(self._clock.now_ms() + STORE_RETRY_MS)
                return
            if blocked:
                await self._wake.wait()
            else:
                # Recent events come from memory without a wait, and others want the loop too.
                await asyncio.sleep(0)  # noqa: TID251 - yields, lets no time pass

    def _is_at_the_end(self, journal: Journal) -> bool:
        if self._outbox is not None or self._cursor < journal.last_seq:
            return False
        self._live = True
        self._flush_partials()
        return True

    async def _has_room(self) -> bool:
        """Wait for the reader where it is paced; False when the stream changed meanwhile."""
        outgoing = self._outgoing
        if outgoing.size <= HIGH_WATER_BYTES or (self._live and self._cut is not None):
            return True
        changes, written = self._changes, outgoing.written_bytes
        try:
            async with asyncio.timeout(STALL_S if self._cut is not None else None):
                await outgoing.below(LOW_WATER_BYTES)
        except TimeoutError:
            if self._cut is not None and outgoing.written_bytes == written:
                self._cut()
        return changes == self._changes and outgoing.size <= HIGH_WATER_BYTES

    async def _deliver(self, journal: Journal) -> bool:
        """Queue the next stretch; True when it ends at a call whose answer is not out yet."""
        changes = self._changes
        if self._outbox is not None:
            since, until = self._outbox
            events = await journal.outbox(until, since) if until else ()
            if changes == self._changes and not self._paused:
                self._outbox = (events[-1].seq, until) if events else None
                self._queue(events)
            return False
        end = journal.last_seq
        events = await journal.read(self._cursor)
        if changes != self._changes or self._paused:
            return False
        if not events:
            # Pruned away since they were committed; without this step it would ask for ever.
            self._cursor = end
            return False
        count = self._until_held(events)
        self._queue(events[:count])
        if count:
            self._cursor = events[count - 1].seq
        return count < len(events)

    def _until_held(self, events: Sequence[JournalEvent]) -> int:
        if self._held:
            for position, event in enumerate(events):
                if event.call_id in self._held:
                    return position
        return len(events)

    def _queue(self, events: Sequence[JournalEvent]) -> None:
        for event in events:
            self._flush_partials(before=event.seq)
            if self._wants(event):
                self._outgoing.put(line_of(event))

    def _wants(self, event: JournalEvent) -> bool:
        types, call_ids = self._wish.types, self._wish.call_ids
        if types is not None and event.type not in types:
            return False
        return call_ids is None or event.call_id is None or event.call_id in call_ids

    # -- partial speech: live only, dropped first -------------------------------------------------

    def _partial(self, event: JournalEvent) -> None:
        """Keep it behind the events that were committed before it."""
        if not self._wish.enabled or self._paused or self._journal is None or self._held:
            return
        self._partials.append((self._journal.last_seq, event))
        if self._outbox is None and self._cursor >= self._journal.last_seq:
            self._flush_partials()

    def _flush_partials(self, before: int | None = None) -> None:
        while self._partials and (before is None or self._partials[0][0] < before):
            _, event = self._partials.popleft()
            if self._wants(event):
                self._outgoing.put_if_idle(line_of(event))
