"""The durable state of one sidecar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sidecar.call.model import Call, Turn


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """One committed event. `body` is the JSON text of the notification's whole `params`, ASCII,
    with `seq`, `at`, `type` and `callId` in it."""

    seq: int
    at_ms: int
    type: str
    call_id: str | None
    body: str


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A replay key with the answer that was given, and until when it is kept."""

    key: str
    until_ms: int
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """An idempotency key bound to a call: the digest of the params it came with, the call, and the
    answer once it is known (JSON text)."""

    key: str
    digest: str
    call_id: str
    until_ms: int
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be journalled; the store gives it its `seq`."""

    at_ms: int
    type: str
    call_id: str | None
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """What is committed together or not at all."""

    call: Call | None = None
    events: Sequence[NewEvent] = ()
    seen: Sequence[SeenKey] = ()
    intents: Sequence[Intent] = ()


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Newest first. `from_number` and `to_number` match exactly; `state` is a wire name."""

    limit: int = 50
    before: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    state: str | None = None
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    calls: Sequence[Call]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Pairing:
    """A code that was read to an unknown caller. `called_at_ms`: when we last answered them."""

    code: str
    number: str
    until_ms: int
    called_at_ms: int


class Store(Protocol):
    """The durable state of one sidecar. Every method raises only `StoreError`, whose problem kind
    is `storeUnavailable` while running.

    `commit` returns when the write is on disk; writes are committed in the order of the calls to
    `commit`, and `seq` grows by one per event in that order. The listener given to `start` gets
    every committed event in order, on the event loop, before the `commit` that wrote it returns.
    """

    stream_id: str
    first_seq: int
    last_seq: int
    acked_seq: int

    async def start(self, on_events: Callable[[Sequence[JournalEvent]], None]) -> None: ...

    async def close(self) -> None: ...

    async def commit(self, write: Write) -> Sequence[JournalEvent]: ...

    async def get(self, call_id: str) -> Call | None: ...

    async def find(self, provider_call_id: str) -> Call | None: ...

    async def open_calls(self) -> Sequence[Call]:
        """Calls that are not over, and ended ones whose hang-up is not confirmed yet."""
        ...

    async def history(self, query: HistoryQuery) -> HistoryPage: ...

    async def turns(self, last: int) -> Sequence[Turn]:
        """The turns of the newest calls, at most `last` of them, newest first."""
        ...

    async def events(
        self, since: int, limit: int, max_bytes: int, call_id: str | None = None
    ) -> Sequence[JournalEvent]:
        """Events after `since`, oldest first; stops at `limit` or before `max_bytes` are passed,
        but gives at least one when there is one."""
        ...

    async def outbox(self, until_seq: int, since: int, limit: int) -> Sequence[JournalEvent]:
        """`call.ended` events nobody acknowledged, with `since < seq <= until_seq`."""
        ...

    async def ack(self, seq: int) -> None: ...

    async def seen(self, key: str, now_ms: int) -> SeenKey | None: ...

    async def intent(self, key: str, now_ms: int) -> Intent | None: ...

    async def dialled_since(self, since_ms: int, to_number: str | None = None) -> int:
        """How many outbound calls were placed since then, in total or to one number."""
        ...

    async def pairings(self, now_ms: int) -> Sequence[Pairing]: ...

    async def put_pairing(self, pairing: Pairing) -> None: ...

    async def approve_pairing(self, code: str, now_ms: int) -> str | None:
        """Make the code's number a paired one; gives the number, or None for an unknown code."""
        ...

    async def is_paired(self, number: str) -> bool: ...

    async def prune(self, before_ms: int, now_ms: int) -> None:
        """Delete ended calls and events older than `before_ms` and expired keys and codes;
        unacknowledged `call.ended` events stay."""
        ...
