"""Twilio behind the Carrier port.

Twilio runs one document at a time for a call. It gets it as the answer to a callback, or pushed
over REST when something happened in between. Either way it is the view of the call (`twiml`), so
it does not matter which of the two arrives. What was handed over last is remembered, to push
nothing twice and to know what was said when a callback tells that it was.
"""

import secrets
from collections.abc import Callable, Sequence

import structlog

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
    Answered,
    Dialed,
    DigitsSent,
    Event,
    LegAlive,
    LegEnded,
    LineLive,
    Outcome,
    Ringing,
    Spoken,
)
from sidecar.call.model import Call, Origin, State, Utterance
from sidecar.config import Config
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
from sidecar.providers.http import Http
from sidecar.providers.twilio import signature, twiml, wire
from sidecar.providers.twilio.client import Leg, NotInProgress, Repeat, TwilioClient
from sidecar.providers.twilio.dialling import Dialler
from sidecar.providers.twilio.handed import BY_ITSELF, Handed
from sidecar.providers.twilio.wire import Kind, Links
from sidecar.tasks import TaskSet

XML = "text/xml"
PUSH_AGAIN_MS = (500, 1_000, 2_000)
"""Twilio may refuse a new document for a moment, until it has noticed that the call is answered."""

log = structlog.get_logger()


class TwilioCarrier:
    """One Twilio account. `public_url` gives the public webhook URL once there is one."""

    name = "twilio"
    renders: frozenset[type] = frozenset({Answer, Say, Listen, SendDigits, Transfer})
    signature_headers: tuple[frozenset[str], ...] = (frozenset({signature.SIGNATURE_HEADER}),)

    def __init__(
        self,
        config: Config,
        public_url: Callable[[], str | None],
        clock: Clock,
        http: Http | None = None,
    ) -> None:
        token = config.twilio.auth_token
        self._tts_voice = config.tts.openai.voice
        self._language = _language(config)
        self._auth_token = token.get_secret_value() if token is not None else ""
        self._public_url = public_url
        self._seen_url: str | None = None
        self._clock = clock
        self._http = http or Http("Twilio")
        self._client = TwilioClient(config.twilio, self._http, clock)
        self._dialler = Dialler(self._client, clock)
        self._handed = Handed(clock)
        self._pushing: set[str] = set()
        self._tasks = TaskSet()
        self._report: Report | None = None

    async def start(self, report: Report) -> None:
        self._report = report

    async def close(self) -> None:
        await self._tasks.close()
        await self._http.close()

    def cannot_dial(self) -> Problem | None:
        """Without a public address Twilio could tell us nothing about the call."""
        try:
            self._links()
        except CarrierError as error:
            return error.problem
        return None

    # -- webhooks ---------------------------------------------------------------------------------

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        signature.verify(request, self._auth_token)

    def replay_key(self, request: HttpRequest) -> str | None:
        return signature.replay_key(request)

    def parse(self, request: HttpRequest, now_ms: int) -> Sequence[News]:
        callback = wire.read(request)
        call_id = callback.call_id
        if call_id is not None and callback.kind is not Kind.BRIDGE:
            self._dialler.told(call_id, callback.leg_id)
        reading = wire.parse(callback, now_ms, self._handed.playing(call_id or ""))
        if reading.unknown is not None:
            log.warning("twilio.unknown", kind=callback.kind, value=reading.unknown[:40])
        return reading.news

    def document(
        self,
        call: Call | None,
        request: HttpRequest,
        *,
        refused: str | None = None,
        say: str | None = None,
    ) -> HttpAnswer:
        callback = wire.read(request)
        kind = callback.kind
        self._seen_url = request.public_url.partition("?")[0] or self._seen_url
        if kind in wire.UNHEEDED:
            if call is not None:
                self._after_unheeded(call, kind)
            return HttpAnswer(content_type=XML)
        if refused is not None:
            body = twiml.refusal_document(refused, say, self._voice())
        elif call is None:
            body = twiml.hangup_document()
        elif call.call_id in self._pushing:
            body = twiml.wait_document(call, self._links())
        else:
            body = self._next_document(call, callback.query.get("said"))
        return HttpAnswer(body=body, content_type=XML)

    def _next_document(self, call: Call, said: str | None) -> str:
        waiting = twiml.after_message(call, said, self._links(), self._clock.now_ms())
        if waiting is not None:
            return waiting
        view = self._view(call)
        self._handed.over(call, view.key)
        return view.document

    def _after_unheeded(self, call: Call, kind: Kind | None) -> None:
        """Twilio does not run our answer to this callback: what it would have said is pushed,
        unless it went out with the call."""
        if call.is_over or (call.saying is not None and self._is_by_itself(call, call.saying)):
            self._handed.over(call, BY_ITSELF)
        elif kind is Kind.MACHINE and call.saying is not None and not call.cutting:
            self._tasks.spawn(self._push_later(call, call.saying), f"push {call.call_id}")

    async def _push_later(self, call: Call, said: Utterance) -> None:
        try:
            events = await self._push(call)
        except CarrierError as error:
            log.warning("carrier.failed", call_id=call.call_id, reason=error.problem.message)
            now_ms = self._clock.now_ms()
            events = (Spoken(now_ms, said.utterance_id, Outcome.FAILED, "", 0),)
        if self._report is not None:
            for event in events:
                await self._report(call.call_id, event)

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        """Done by the answer to the webhook."""

    # -- effects ----------------------------------------------------------------------------------

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        match effect:
            case Dial():
                return await self._dial(call)
            case Answer():
                return await self._take_up(call)
            case Say(utterance):
                return await self._say(call, utterance)
            case Listen():
                return await self._push(call) if call.state is State.LISTENING else ()
            case Transfer():
                return await self._push(call) if call.transfer_to is not None else ()
            case Clear():
                return await self._clear(call)
            case SendDigits(digits, request_id):
                return await self._send_digits(call, digits, request_id)
            case Hangup():
                return await self._hang_up(call)
            case Poll():
                return await self._poll(call)
            case _:
                raise TypeError(type(effect).__name__)

    async def _dial(self, call: Call) -> Sequence[Event]:
        fields = twiml.dial_fields(call, self._links(), self._voice(call))
        leg_id = await self._dialler.dial(call, fields)
        if self._message(call) is not None and self._report is not None:
            watching = self._dialler.watch(
                call, leg_id, lambda: self._handed.playing(call.call_id), self._report
            )
            self._tasks.spawn(watching, f"watch {call.call_id}")
        return (Dialed(self._clock.now_ms(), leg_id),)

    async def _take_up(self, call: Call) -> Sequence[Event]:
        """An inbound call is answered by our answer to its webhook; after a restart it may have
        been."""
        leg = await self._client.fetch(_leg_of(call))
        if leg is not None and leg.status == "in-progress":
            return (LineLive(self._clock.now_ms()),)
        return ()

    async def _say(self, call: Call, said: Utterance) -> Sequence[Event]:
        if call.saying is None or call.saying.utterance_id != said.utterance_id or call.cutting:
            return ()
        if self._is_by_itself(call, said):
            self._handed.over(call, BY_ITSELF)
            return ()
        return await self._push(call)

    async def _clear(self, call: Call) -> Sequence[Event]:
        """What comes next takes the place of what is being said; only where nothing does, while we
        wait for a machine's beep, silence is pushed."""
        said = call.saying
        if said is None or not call.cutting:
            return ()
        heard, heard_ms = self._handed.heard_of(call.call_id, said)
        if call.awaiting_beep:
            await self._push(call)
        return (
            Spoken(self._clock.now_ms(), said.utterance_id, Outcome.INTERRUPTED, heard, heard_ms),
        )

    async def _send_digits(
        self, call: Call, digits: str, request_id: str | None
    ) -> Sequence[Event]:
        if request_id is not None:
            document = twiml.digits_document(digits, call, self._links())
            await self._client.update(_leg_of(call), (("Twiml", document),), Repeat.NEVER)
            self._handed.digits(call, twiml.digits_ms(digits))
        # Those before the conversation went out with the request that created the call.
        return (DigitsSent(self._clock.now_ms(), request_id),)

    async def _hang_up(self, call: Call) -> Sequence[Event]:
        self._handed.forget(call.call_id)
        try:
            await self._client.update(_leg_of(call), (("Status", "completed"),), Repeat.ALWAYS)
        except NotInProgress:
            log.info("hangup.gone", call_id=call.call_id)
        return (LegEnded(self._clock.now_ms()),)

    async def _poll(self, call: Call) -> Sequence[Event]:
        leg = await self._client.fetch(_leg_of(call))
        now_ms = self._clock.now_ms()
        if leg is None or leg.is_over:
            return self._over(call, leg)
        alive = LegAlive(now_ms)
        if leg.status == "ringing":
            return (Ringing(now_ms), alive)
        if leg.status != "in-progress":
            return (alive,)
        if self._message(call) is not None:
            return (LineLive(now_ms), alive)
        return (Answered(now_ms), alive)

    # -- documents --------------------------------------------------------------------------------

    async def _push(self, call: Call) -> Sequence[Event]:
        """Make Twilio run the view of the call now, unless that is what it got last."""
        if self._handed.has(call.call_id, self._view(call).key):
            return ()
        call_id = call.call_id
        self._pushing.add(call_id)
        try:
            await self._handed.idle(call_id)
            return await self._deliver(call)
        finally:
            self._pushing.discard(call_id)

    async def _deliver(self, call: Call) -> Sequence[Event]:
        leg_id, pauses_ms = _leg_of(call), iter(PUSH_AGAIN_MS)
        while True:
            view = self._view(call)
            fields = twiml.update_fields(view, call, self._links())
            try:
                await self._client.update(leg_id, fields, Repeat.AFTER_ERROR)
            except NotInProgress as error:
                leg = await self._client.fetch(leg_id)
                if leg is None or leg.is_over:
                    return self._over(call, leg)
                pause_ms = next(pauses_ms, None)
                if pause_ms is None:
                    raise CarrierError(error.problem) from error
                await self._clock.sleep_until(self._clock.now_ms() + pause_ms)
            else:
                self._handed.over(call, view.key)
                return ()

    def _view(self, call: Call) -> twiml.View:
        return twiml.view(call, self._links(), self._voice(call), self._clock.now_ms())

    def _message(self, call: Call) -> str | None:
        return twiml.message_document(call, self._voice(call))

    def _is_by_itself(self, call: Call, said: Utterance) -> bool:
        """Whether an utterance is the message that went out with the request for the call."""
        first = said.origin is Origin.MESSAGE and not said.end_after
        return first and self._message(call) is not None

    def _voice(self, call: Call | None = None) -> twiml.Voice:
        wanted = twiml.route_voice(call) if call is not None else None
        return twiml.voice_for(wanted or self._tts_voice, self._language)

    def _links(self) -> Links:
        base = self._public_url() or self._seen_url
        if base is None:
            problem = Problem(
                "notConfigured",
                "Twilio cannot call back: there is no public webhook URL; "
                "set `publicUrl` or a tunnel.",
                data={"missing": ["publicUrl"]},
            )
            raise CarrierError(problem)
        return Links(base, lambda: secrets.token_hex(8))

    def _over(self, call: Call, leg: Leg | None) -> Sequence[Event]:
        """What a call that Twilio has ended, or does not know, has come to."""
        now_ms = self._clock.now_ms()
        if leg is None:
            return (LegEnded(now_ms),)
        if leg.status != "completed":
            return (LegEnded(now_ms, wire.ENDED.get(leg.status)),)
        if call.saying is not None and self._is_by_itself(call, call.saying):
            self._handed.over(call, BY_ITSELF)
        return wire.over(self._handed.playing(call.call_id), leg.duration_s, now_ms)

    # -- after a restart --------------------------------------------------------------------------

    async def leg_status(self, call: Call) -> LegStatus:
        leg = await self._client.fetch(_leg_of(call))
        if leg is not None and not leg.is_over:
            if call.saying is not None and self._is_by_itself(call, call.saying):
                self._handed.over(call, BY_ITSELF)
            return LegStatus(alive=True)
        reasons = [event.reason for event in self._over(call, leg) if isinstance(event, LegEnded)]
        return LegStatus(alive=False, reason=reasons[-1])

    async def find_leg(self, call: Call) -> LegSearch:
        """Never certain: a call that is not listed now may be in a moment."""
        return LegSearch(await self._dialler.find(call))

    # -- readiness --------------------------------------------------------------------------------

    def checks(self) -> Sequence[Check]:
        url = self._public_url()
        if url is None:
            return ()
        return (
            Check(
                "provider.twilio.console",
                "ok",
                f"For inbound calls the number's voice webhook in Twilio's console must be {url} "
                f"(POST), and its status callback {url}?type=status.",
                key="publicUrl",
            ),
        )


def _leg_of(call: Call) -> str:
    if call.provider_call_id is None:
        raise CarrierError(Problem("carrierRejected", "Twilio has no id for this call yet."))
    return call.provider_call_id


def _language(config: Config) -> str | None:
    """The language that callers speak, where the recogniser's settings name one with its region,
    as Twilio wants it."""
    providers = config.streaming.providers
    named = (providers.deepgram.language, providers.elevenlabs.language, providers.openai.language)
    return next((tag for tag in named if tag is not None and "-" in tag), None)


def build(config: Config, public_url: Callable[[], str | None], clock: Clock) -> TwilioCarrier:
    """The carrier for `provider: "twilio"`."""
    return TwilioCarrier(config, public_url, clock)
