"""Every door to the outside, as small Protocols and the values that pass through them.

The rooms (carriers, store, tunnel, speech, the host's agent) implement these; the engine knows
nothing else of them. `app` introduces them to each other.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sidecar.call.effects import CarrierEffect
from sidecar.call.events import CarrierEvent, Event
from sidecar.call.model import Call, EndReason, Turn
from sidecar.errors import Problem

# -- time -----------------------------------------------------------------------------------------


class Clock(Protocol):
    """The only source of time above the core. `now_ms` never jumps: it is the wall clock at start
    plus monotonic time since."""

    def now_ms(self) -> int: ...

    def wall_ms(self) -> int:
        """The wall clock as it is now, for comparison with other people's timestamps."""
        ...

    async def sleep_until(self, at_ms: int) -> None: ...


# -- readiness ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check:
    """One readiness check of `voicecall.setup`. `status` is `ok`, `warn` or `fail`."""

    id: str
    status: str
    message: str
    key: str | None = None
    fix: str | None = None


# -- the carrier ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A webhook as it arrived: `url` is the path and query as received, `body` raw. Header names
    are lower-case; a repeated header keeps its first value."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    peer: str
    public_url: str = ""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    status: int = 200
    body: str = ""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class InboundLeg:
    """A call from outside that no record knows yet, as the carrier described it."""

    provider_call_id: str
    from_number: str
    to_number: str
    outbound: bool = False
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class News:
    """One thing a carrier reported. It is about `call_id` when the carrier gave our id back, else
    about `provider_call_id`. `key` is what a repetition of it would bear too. `leg` describes the
    call when it may be a new one. `event` is None when the news is only that the leg exists.
    `partial` holds words that are not final yet."""

    event: CarrierEvent | None
    partial: str | None = None
    key: str | None = None
    call_id: str | None = None
    provider_call_id: str | None = None
    leg: InboundLeg | None = None


@dataclass(frozen=True, slots=True)
class LegStatus:
    """What the carrier says of a leg when asked. `reason` is set when it is over."""

    alive: bool
    reason: EndReason | None = None


@dataclass(frozen=True, slots=True)
class LegSearch:
    """Where a call is whose create answer was lost. `certain` with no id: it was never created."""

    provider_call_id: str | None = None
    certain: bool = False


Report = Callable[[str, Event], Awaitable[object]]
"""How a carrier with news of its own accord (the mock line) or a result that comes later tells the
engine: `await report(call_id, event)`."""


class Carrier(Protocol):
    """One phone company (or the mock line).

    `renders` holds the effect types that the answer to a webhook already carries out; the engine
    drops those when an event arrived by webhook. `signature_headers` are the lower-case names of
    the headers without which a webhook is refused before its body is read: alternatives, each a set
    that must all be there; none means that no header is needed. Every method raises only
    `CarrierError`.
    """

    name: str
    renders: frozenset[type]
    signature_headers: tuple[frozenset[str], ...]

    async def start(self, report: Report) -> None: ...

    async def close(self) -> None: ...

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        """Check the signature; raises when it is not the carrier's."""
        ...

    def replay_key(self, request: HttpRequest) -> str | None:
        """What a repetition of this (verified) request would bear too; None when its news carry
        keys of their own."""
        ...

    def parse(self, request: HttpRequest, now_ms: int) -> Sequence[News]: ...

    def document(
        self,
        call: Call | None,
        request: HttpRequest,
        *,
        refused: str | None = None,
        say: str | None = None,
    ) -> HttpAnswer:
        """The answer to a webhook, a view of the call after it was reduced. `refused` is the reason
        why an inbound call was turned away, `say` what its caller hears once before that."""
        ...

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        """Carry out one effect; what is known at once of its outcome comes back as events."""
        ...

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        """Turn an inbound call away (`disabled`, `allowlist`, `pairing`, `capacity`), saying `say`
        once first when it is given. Carriers that do so in their webhook answer do nothing here."""
        ...

    async def leg_status(self, call: Call) -> LegStatus: ...

    async def find_leg(self, call: Call) -> LegSearch:
        """Look for a call whose create answer was lost."""
        ...

    def checks(self) -> Sequence[Check]:
        """What the carrier needs in its console or account, for `voicecall.setup`."""
        ...


# -- the store ------------------------------------------------------------------------------------


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


# -- the host's agent -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    text: str | None = None
    end_call: bool = False


class AgentGone(Exception):
    """The client that was asked for a reply disconnected before it answered."""


class AgentFailed(Exception):
    """The client answered with an error or with something malformed."""


class Agents(Protocol):
    """The connected clients that offered to answer `agent.respond`; the newest is asked."""

    @property
    def available(self) -> bool: ...

    def on_change(self, listener: Callable[[], None]) -> None:
        """`listener` is called when `available` may have changed."""
        ...

    async def respond(
        self, params: Mapping[str, Any], on_delta: Callable[[str], None]
    ) -> AgentAnswer:
        """Ask for one reply; raises `AgentGone` or `AgentFailed`. Cancelling this coroutine tells
        the client to stop."""
        ...


# -- the public address ---------------------------------------------------------------------------


class Tunnel(Protocol):
    """A public address for a local port.

    `problem` is what is wrong with it now, for `voicecall.setup`; None when it stands or is still
    being set up.
    """

    name: str

    @property
    def problem(self) -> Problem | None: ...

    def on_change(self, listener: Callable[[str | None], None]) -> None:
        """`listener` gets the public webhook URL when it appears or changes, None when it is
        lost."""
        ...

    async def up(self, port: int) -> str:
        """The public webhook URL for the listener on `port`, once it is known; afterwards it is
        kept up. Raises `TunnelError` when trying again cannot help. Cancelling this stops the
        waiting only; calling it again waits again."""
        ...

    async def down(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters and gauges by name, as `sidecar.stats` shows them."""

    values: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + by
