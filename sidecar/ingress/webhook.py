"""One webhook, in the order of work of the contract: a place, the signature, the replay check, the
events, the answer.

It knows HTTP as plain values only; sockets, routes and headers on the wire are in `server`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from sidecar.call.model import Call
from sidecar.engine.desk.inbound import Inbound, Refused, Taken
from sidecar.errors import CarrierError, SidecarError
from sidecar.ingress.limits import Places, Refusal
from sidecar.ingress.replay import Outcome, Replays
from sidecar.ingress.trust.verify import Signatures
from sidecar.ports import Carrier, Clock, Counters, HttpAnswer, HttpRequest

log = structlog.get_logger()

ReadBody = Callable[[], Awaitable[bytes]]

MALFORMED = HttpAnswer(400, '{"error":"malformedRequest"}')


class Webhooks:
    """Turns requests on the webhook path into news for the engine."""

    def __init__(
        self,
        carrier: Carrier,
        inbound: Inbound,
        signatures: Signatures,
        places: Places,
        replays: Replays,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._carrier = carrier
        self._inbound = inbound
        self._signatures = signatures
        self._places = places
        self._replays = replays
        self._clock = clock
        self._counters = counters

    async def answer(self, head: HttpRequest, source: str, read_body: ReadBody) -> HttpAnswer:
        """`head` is the request without its body, which is read only when its headers will do.
        Raises `Refusal`."""
        async with self._places.hold(source):
            request = await self._verified(head, read_body)
        try:
            return await self._once(request)
        except SidecarError as error:
            # The carrier retries; what was applied meanwhile is recognised by its keys.
            self._counters.count("webhook.unavailable")
            log.warning("webhook.unavailable", kind=error.problem.kind, reason=str(error))
            raise Refusal(503, "unavailable") from error

    async def _verified(self, head: HttpRequest, read_body: ReadBody) -> HttpRequest:
        self._signatures.require_headers(head)
        body = await read_body()
        return await self._signatures.verified(replace(head, body=body))

    async def _once(self, request: HttpRequest) -> HttpAnswer:
        try:
            key = self._carrier.replay_key(request)
        except CarrierError as error:
            return self._malformed(error).answer
        if key is None:
            return (await self._take(request)).answer
        return await self._replays.once(key, lambda: self._take(request))

    async def _take(self, request: HttpRequest) -> Outcome:
        try:
            news = self._carrier.parse(request, self._clock.now_ms())
        except CarrierError as error:
            return self._malformed(error)
        if not news:
            self._counters.count("webhook.no_news")
        taken: Taken = None
        for piece in news:
            taken = await self._inbound.take(piece, self._carrier.renders) or taken
        self._counters.count("webhook.accepted")
        return Outcome(self._document(taken, request))

    def _document(self, taken: Taken, request: HttpRequest) -> HttpAnswer:
        if isinstance(taken, Refused):
            return self._carrier.document(None, request, refused=taken.reason, say=taken.say)
        call: Call | None = taken
        return self._carrier.document(call, request)

    def _malformed(self, error: CarrierError) -> Outcome:
        """Repetitions get this answer from memory, so it is logged once."""
        self._counters.count("webhook.malformed")
        log.warning("webhook.malformed", provider=self._carrier.name, reason=str(error))
        return Outcome(MALFORMED, durable=False)
