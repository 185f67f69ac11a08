"""The mock line behind the Carrier port."""

import hmac
import ipaddress
import json
import uuid
from collections.abc import Sequence

from sidecar.call.effects import (
    Answer,
    CarrierEffect,
    Clear,
    Dial,
    Hangup,
    Listen,
    Poll,
    Say,
    SendDigits,
    Transfer,
)
from sidecar.call.events import (
    Dialed,
    DigitsSent,
    Event,
    LegAlive,
    LegEnded,
    TransferDone,
)
from sidecar.call.model import Call, EndReason, State
from sidecar.errors import CarrierError, Problem
from sidecar.ports import (
    Check,
    Clock,
    HttpAnswer,
    HttpRequest,
    InboundLeg,
    LegSearch,
    LegStatus,
    News,
    Report,
)
from sidecar.providers.mock.line import Line, LineSettings
from sidecar.providers.mock.wire import event_list, parse_events

DIGIT_MS = 200
DIGIT_PAUSES_MS = {"w": 500, "W": 1_000}


class MockCarrier:
    """A carrier in memory: one `Line` per call, gone with the process."""

    name = "mock"
    renders: frozenset[type] = frozenset()
    signature_headers: tuple[frozenset[str], ...] = (frozenset({"authorization"}),)

    def __init__(
        self, settings: LineSettings, our_number: str, rpc_token: str, clock: Clock
    ) -> None:
        self._settings = settings
        self._our_number = our_number
        self._rpc_token = rpc_token
        self._clock = clock
        self._lines: dict[str, Line] = {}
        self._report: Report | None = None

    async def start(self, report: Report) -> None:
        self._report = report

    async def close(self) -> None:
        for line in list(self._lines.values()):
            await line.drop()
        self._lines.clear()

    def cannot_dial(self) -> Problem | None:
        return None

    # -- webhooks ---------------------------------------------------------------------------------

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        """Loopback peers with the RPC token as bearer (security.md, "Signatures")."""
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self._rpc_token}"
        same = hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
        if not same or not _is_loopback(request.peer):
            raise CarrierError(
                Problem("carrierRejected", "The mock webhook needs the RPC token, from loopback.")
            )

    def replay_key(self, request: HttpRequest) -> str | None:
        return None

    def parse(self, request: HttpRequest, now_ms: int) -> Sequence[News]:
        return parse_events(request.body, now_ms, self._our_number)

    def document(
        self,
        call: Call | None,
        request: HttpRequest,
        refused: str | None = None,
        say: str | None = None,
    ) -> HttpAnswer:
        if call is not None and call.is_over:
            self._lines.pop(call.call_id, None)
        return HttpAnswer(body=json.dumps({"accepted": len(event_list(request.body))}))

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        """Nobody else is on this line: a call that is turned away is simply not there."""

    # -- effects ----------------------------------------------------------------------------------

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        match effect:
            case Dial():
                return self._dial(call)
            case Answer():
                self._open(call).take()
            case Hangup():
                return await self._hang_up(call)
            case Poll():
                return self._poll(call)
            case Clear() if call.call_id not in self._lines:
                # The line went and took the sound along; there is nothing left to stop.
                return ()
            case _:
                line = self._lines.get(call.call_id)
                if line is None:
                    raise CarrierError(
                        Problem("carrierRejected", "The mock line of this call is gone.")
                    )
                return self._on_line(line, call, effect)
        return ()

    def _on_line(self, line: Line, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        match effect:
            case Say(utterance):
                line.play(utterance)
            case Clear():
                line.clear()
            case Listen(_, awaited):
                # Nobody hangs up on a bot that is thinking about its answer.
                idle = call.state is State.LISTENING and call.reply is None
                line.listen(awaited=awaited, may_hang_up=idle)
            case SendDigits(digits, None):
                line.later(_digits_ms(digits), DigitsSent)
            case SendDigits(_, request_id):
                return (DigitsSent(self._clock.now_ms(), request_id),)
            case Transfer():
                line.later(self._settings.answer_ms, TransferDone)
            case _:
                raise TypeError(type(effect).__name__)
        return ()

    def _dial(self, call: Call) -> Sequence[Event]:
        self._open(call).dial()
        return (Dialed(self._clock.now_ms(), f"mock-{uuid.uuid4()}"),)

    def _open(self, call: Call) -> Line:
        call_id = call.call_id

        async def tell(event: Event) -> None:
            if self._report is not None and call_id in self._lines:
                if isinstance(event, LegEnded | TransferDone):
                    del self._lines[call_id]
                await self._report(call_id, event)

        line = Line(self._settings, self._clock, tell)
        self._lines[call_id] = line
        return line

    async def _hang_up(self, call: Call) -> Sequence[Event]:
        line = self._lines.pop(call.call_id, None)
        cut = await line.drop() if line is not None else None
        ended = LegEnded(self._clock.now_ms())
        return (cut, ended) if cut is not None else (ended,)

    def _poll(self, call: Call) -> Sequence[Event]:
        now_ms = self._clock.now_ms()
        if call.call_id in self._lines:
            return (LegAlive(now_ms),)
        return (LegEnded(now_ms, EndReason.ERROR),)

    # -- after a restart --------------------------------------------------------------------------

    async def leg_status(self, call: Call) -> LegStatus:
        """Lines end with the process that simulated them."""
        alive = call.call_id in self._lines
        return LegStatus(alive, None if alive else EndReason.ERROR)

    async def find_leg(self, call: Call) -> LegSearch:
        return LegSearch(certain=True)

    def checks(self) -> Sequence[Check]:
        return (
            Check(
                "provider.mock",
                "ok",
                "The mock line is in use: calls are simulated and no telephone rings.",
                key="provider",
            ),
        )


def _digits_ms(digits: str) -> int:
    return sum(DIGIT_PAUSES_MS.get(digit, DIGIT_MS) for digit in digits)


def _is_loopback(peer: str) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
