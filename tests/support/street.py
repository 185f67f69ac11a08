"""A sidecar's inside behind a real listener: store, engine and a carrier that signs its webhooks
with HMAC over the public URL and the body."""

import asyncio
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from sidecar.call.effects import Answer, CarrierEffect
from sidecar.call.events import Answered, CarrierEvent, DigitsHeard, Event, LegEnded
from sidecar.call.model import Call
from sidecar.config import Config
from sidecar.engine.clock import SystemClock
from sidecar.engine.desk.inbound import Inbound
from sidecar.engine.engine import Engine
from sidecar.engine.journal import Journal
from sidecar.engine.settings import Settings
from sidecar.errors import CarrierError, Problem
from sidecar.ingress.limits import Limits
from sidecar.ingress.server import Listener
from sidecar.ports import (
    AgentAnswer,
    AgentGone,
    Check,
    Clock,
    Counters,
    HttpAnswer,
    HttpRequest,
    InboundLeg,
    LegSearch,
    LegStatus,
    News,
    Report,
    Store,
)
from sidecar.store.sqlite import SqliteStore

SECRET = b"line-secret"
SIGNATURE = "x-line-signature"
OUR_NUMBER = "+15550000000"
CALLER = "+15551112222"


def sign(url: str, body: bytes) -> str:
    return hmac.new(SECRET, url.encode() + b"|" + body, hashlib.sha256).hexdigest()


def event(type: str, leg: str = "leg-1", **members: Any) -> dict[str, Any]:
    return {"type": type, "leg": leg, **members}


def body_of(*events: Mapping[str, Any]) -> bytes:
    return json.dumps({"events": list(events)}).encode()


class SignedCarrier:
    """A document carrier: its answers name the call, its state, and a fresh capability each."""

    name = "signed"
    renders: frozenset[type] = frozenset({Answer})
    signature_headers: tuple[frozenset[str], ...] = (
        frozenset({SIGNATURE}),
        frozenset({"x-line-signature-v2", "x-line-nonce"}),
    )

    def __init__(self) -> None:
        self.verified = 0
        self.documents = 0
        self.performed: list[CarrierEffect] = []
        self.refused: list[str] = []
        self.hold: asyncio.Event | None = None

    async def start(self, report: Report) -> None: ...

    async def close(self) -> None: ...

    def cannot_dial(self) -> Problem | None:
        return None

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        self.verified += 1
        given = request.headers.get(SIGNATURE, "")
        if not hmac.compare_digest(given, sign(request.public_url, request.body)):
            raise CarrierError(Problem("carrierRejected", "The signature is wrong."))

    def replay_key(self, request: HttpRequest) -> str | None:
        return request.headers.get(SIGNATURE)

    def parse(self, request: HttpRequest, now_ms: int) -> Sequence[News]:
        try:
            events = json.loads(request.body)["events"]
            return [news for each in events if (news := self._news(each, now_ms)) is not None]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CarrierError(Problem("carrierRejected", "The body is no list.")) from error

    def _news(self, each: Mapping[str, Any], now_ms: int) -> News | None:
        happened: CarrierEvent | None = None
        match each["type"]:
            case "answered":
                happened = Answered(now_ms)
            case "digits":
                happened = DigitsHeard(now_ms, str(each["digits"]))
            case "ended":
                happened = LegEnded(now_ms)
            case "incoming":
                pass
            case _:
                return None
        leg = None
        if each["type"] == "incoming":
            leg = InboundLeg(each["leg"], each.get("from", CALLER), OUR_NUMBER)
        return News(
            happened, key=each.get("id"), provider_call_id=each["leg"], leg=leg, call_id=None
        )

    def document(
        self,
        call: Call | None,
        request: HttpRequest,
        *,
        refused: str | None = None,
        say: str | None = None,
    ) -> HttpAnswer:
        self.documents += 1
        if refused is not None:
            return HttpAnswer(body=f"<Reject reason='{refused}' say='{say or ''}'/>")
        if call is None:
            return HttpAnswer(204)
        state = call.state.value
        return HttpAnswer(200, f"<Call state='{state}' n='{uuid.uuid4()}'/>", "text/xml")

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        self.performed.append(effect)
        return ()

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        self.refused.append(reason)

    async def leg_status(self, call: Call) -> LegStatus:
        return LegStatus(True)

    async def find_leg(self, call: Call) -> LegSearch:
        return LegSearch()

    def checks(self) -> Sequence[Check]:
        return ()


class NoAgents:
    available = False

    def on_change(self, listener: Callable[[], None]) -> None: ...

    async def respond(
        self, params: Mapping[str, Any], on_delta: Callable[[str], None]
    ) -> AgentAnswer:
        raise AgentGone


class Street:
    """Everything between a carrier's socket and the store, on 127.0.0.1."""

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | None = None,
        *,
        limits: Limits | None = None,
        carrier: SignedCarrier | None = None,
        clock: Clock | None = None,
        store: Store | None = None,
        policy: str = "open",
    ) -> None:
        members = dict(config or {})
        members["serve"] = {"port": 0, **members.get("serve", {})}
        self.config = Config.model_validate(members)
        self.carrier = carrier or SignedCarrier()
        self.clock = clock or SystemClock()
        self.store = store or SqliteStore(str(folder / "calls.db"))
        self.counters = Counters()
        self.journal = Journal(self.store)
        self.engine = Engine(
            self.store,
            self.journal,
            self.clock,
            self.carrier,
            NoAgents(),
            lambda call: {"callId": call.call_id, "state": call.state.value},
            self.counters,
        )
        settings = Settings(provider="mock", inbound_policy=policy, max_calls=1_000_000)
        numbers = itertools.count(1)
        self.inbound = Inbound(self.engine, settings, lambda: f"call-{next(numbers)}")
        self.listener = Listener(
            self.config,
            self.carrier,
            self.inbound,
            self.store,
            self.clock,
            self.counters,
            limits=limits or Limits(linger_ms=100),
        )
        self.port = 0
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Street":
        await self.journal.start()
        self.engine.start()
        self.port = await self.listener.start()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=5)
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self.session is not None:
            await self.session.close()
        await self.listener.close()
        await self.engine.close()
        await self.store.close()

    @property
    def path(self) -> str:
        return self.config.serve.path

    def url(self, path: str | None = None) -> str:
        return f"http://127.0.0.1:{self.port}{self.path if path is None else path}"

    async def request(
        self, method: str, path: str | None = None, **options: Any
    ) -> tuple[int, str, Mapping[str, str]]:
        assert self.session is not None
        async with self.session.request(method, self.url(path), **options) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(
        self,
        body: bytes,
        *,
        path: str | None = None,
        signed_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        signature: str | None = None,
    ) -> tuple[int, str]:
        """A webhook, signed over `signed_url` or over the URL it is sent to."""
        given = signature or sign(signed_url or self.url(path), body)
        status, text, _ = await self.request(
            "POST", path, data=body, headers={SIGNATURE: given, **(headers or {})}
        )
        return status, text

    async def types(self) -> list[str]:
        """The types of everything in the journal, in order."""
        found = await self.store.events(0, 100_000, 100_000_000)
        return [each.type for each in found]

    async def raw(self, data: bytes, *, half_close: bool = False) -> bytes:
        """Send bytes as they are; gives everything until the listener closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            await writer.drain()
            if half_close:
                writer.write_eof()
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()


class SetClock:
    """A clock that stands where it was set; who sleeps on it waits for ever."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def wall_ms(self) -> int:
        return self.at_ms

    async def sleep_until(self, at_ms: int) -> None:
        await asyncio.Event().wait()
