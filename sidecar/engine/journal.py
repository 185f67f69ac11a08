"""The tail of the event journal: recent events in memory, older ones from the store, and the
moment to look again. Who reads how far is the reader's own business; nothing is queued here."""

from collections import deque
from collections.abc import Callable, Sequence

from sidecar.ports import JournalEvent, Store

KEPT_EVENTS = 2_000
KEPT_BYTES = 4 * 1024 * 1024

OnAdvance = Callable[[], None]
OnPartial = Callable[[JournalEvent], None]


class Journal:
    """Gives events to any number of readers, each at its own pace."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: deque[JournalEvent] = deque()
        self._recent_bytes = 0
        self._last_seq = 0
        self._listeners: dict[int, tuple[OnAdvance, OnPartial]] = {}
        self._next_listener = 0

    async def start(self) -> None:
        """Open the store with this journal as the listener of its events."""
        await self._store.start(self._extend)
        self._last_seq = self._store.last_seq

    @property
    def stream_id(self) -> str:
        return self._store.stream_id

    @property
    def first_seq(self) -> int:
        return self._store.first_seq

    @property
    def last_seq(self) -> int:
        return self._last_seq

    @property
    def acked_seq(self) -> int:
        return self._store.acked_seq

    async def read(
        self, since: int, limit: int = 500, max_bytes: int = 524_288
    ) -> Sequence[JournalEvent]:
        """Events with `seq > since`, oldest first, at most `limit`, stopping before `max_bytes`
        but with at least one event when there is one."""
        if since >= self._last_seq:
            return ()
        if not self._recent or since + 1 < self._recent[0].seq:
            return await self._store.events(since, limit, max_bytes)
        start = since + 1 - self._recent[0].seq
        chosen: list[JournalEvent] = []
        size = 0
        for position in range(start, min(start + limit, len(self._recent))):
            event = self._recent[position]
            size += len(event.body)
            if chosen and size > max_bytes:
                break
            chosen.append(event)
        return chosen

    async def outbox(
        self, until_seq: int, since: int = 0, limit: int = 500
    ) -> Sequence[JournalEvent]:
        """`call.ended` events that nobody acknowledged, up to and including `until_seq`."""
        return await self._store.outbox(until_seq, since, limit)

    async def ack(self, seq: int) -> None:
        await self._store.ack(seq)

    def listen(self, on_advance: OnAdvance, on_partial: OnPartial) -> Callable[[], None]:
        """Call `on_advance` whenever `last_seq` grew and `on_partial` with each live-only event;
        gives the function that ends this."""
        number = self._next_listener
        self._next_listener += 1
        self._listeners[number] = (on_advance, on_partial)
        return lambda: self._forget(number)

    def partial(self, event: JournalEvent) -> None:
        """Hand a live-only event (`call.partial`) to whoever listens now."""
        for _, on_partial in tuple(self._listeners.values()):
            on_partial(event)

    def _forget(self, number: int) -> None:
        self._listeners.pop(number, None)

    def _extend(self, events: Sequence[JournalEvent]) -> None:
        if not events:
            return
        for event in events:
            self._recent.append(event)
            self._recent_bytes += len(event.body)
        while len(self._recent) > KEPT_EVENTS or (
            self._recent_bytes > KEPT_BYTES and len(self._recent) > 1
        ):
            self._recent_bytes -= len(self._recent.popleft().body)
        self._last_seq = events[-1].seq
        for on_advance, _ in tuple(self._listeners.values()):
            on_advance()
