"""A phone company: what it reports, what it is asked, and what it answers when asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sidecar.call.effects import CarrierEffect
from sidecar.call.events import AudioEvent, CarrierEvent, Event
from sidecar.call.model import Call, EndReason
from sidecar.errors import Problem
from sidecar.ports.readiness import Check


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

    event: CarrierEvent | AudioEvent | None
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

    def cannot_dial(self) -> Problem | None:
        """Why no call can be placed just now, known before anything is asked of the carrier; None
        when one can be tried."""
        ...

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
