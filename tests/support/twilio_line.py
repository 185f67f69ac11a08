"""Calls on Twilio without a network: the real engine, webhook path and carrier, Twilio's REST
interface in memory, and a far end that runs documents as Twilio does."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree.ElementTree import Element, fromstring

from twilio.request_validator import RequestValidator

from sidecar.config import Config
from sidecar.engine.desk.dialling import Dialling
from sidecar.engine.desk.inbound import Inbound
from sidecar.engine.desk.operations import Operations
from sidecar.engine.desk.restore import Restore
from sidecar.engine.engine import Engine
from sidecar.engine.journal import Journal
from sidecar.ingress.limits import Limits, Places
from sidecar.ingress.replay import Replays
from sidecar.ingress.trust.public_url import PublicUrls
from sidecar.ingress.trust.verify import Signatures
from sidecar.ingress.webhook import Webhooks
from sidecar.ports import Counters, HttpAnswer, HttpRequest
from sidecar.providers.twilio.provider import TwilioCarrier
from sidecar.rpc.methods.reading import record
from tests.support.troubles import OneAgent, TroubledStore
from tests.support.twilio_rest import ACCOUNT, TOKEN, MemoryHttp, TwilioRest
from tests.support.world import OURS, THEIRS, World

PUBLIC_URL = "https://voice.example.test/voice/webhook"
FINAL = ("completed", "busy", "no-answer", "failed", "canceled")


class TwilioWorld(World):
    """Use as `async with TwilioWorld(tmp_path) as world`."""

    def __init__(self, folder: Path, *, agent: bool = False, **settings: Any) -> None:
        super().__init__(folder, agent=agent, provider="twilio", **settings)
        self.rest = TwilioRest(self.clock.now_ms)
        self.config = Config.model_validate(
            {
                "provider": "twilio",
                "fromNumber": OURS,
                "publicUrl": PUBLIC_URL,
                "twilio": {"accountSid": ACCOUNT, "authToken": TOKEN},
            }
        )

    async def _start(self) -> None:
        self.counters = Counters()
        self.store = TroubledStore(str(self.folder / "calls.db"))
        self.journal = Journal(self.store)
        await self.journal.start()
        self.agent = OneAgent()
        self.agent.available = self._agent_from_the_start
        clock, counters, store = self.clock, self.counters, self.store
        twilio = TwilioCarrier(self.config, lambda: PUBLIC_URL, clock, MemoryHttp(self.rest))
        self.twilio = twilio
        self.carrier = twilio  # type: ignore[assignment]
        self.engine = Engine(store, self.journal, clock, twilio, self.agent, record, counters)
        self.dialling = Dialling(self.engine, self.settings, self._new_id)
        self.inbound = Inbound(self.engine, self.settings, self._new_id)
        self.operations = Operations(clock, self._new_id)
        self.restore = Restore(self.engine)
        signatures = Signatures(
            self.config, twilio, PublicUrls(self.config), store, clock, counters
        )
        replays = Replays("twilio", store, clock, counters)
        self.webhooks = Webhooks(
            twilio, self.inbound, signatures, Places(Limits()), replays, clock, counters
        )
        await twilio.start(self.engine.submit)
        self.engine.start()
        await self.restore.load()

    # -- Twilio's side ----------------------------------------------------------------------------

    async def callback(self, url: str, **form: str) -> HttpAnswer:
        """A signed webhook, answered; afterwards everything that follows from it has happened."""
        query = urlsplit(url).query
        signature = RequestValidator(TOKEN).compute_signature(url, form)
        headers = {"x-twilio-signature": signature}
        target = f"/voice/webhook?{query}" if query else "/voice/webhook"
        body = urlencode(form).encode()

        async def read() -> bytes:
            return body

        head = HttpRequest("POST", target, headers, b"", "10.0.0.1")
        answer = await self.webhooks.answer(head, "10.0.0.1", read)
        await self.idle()
        return answer

    async def leg(self, message: str | None = "Hello there.", **wish: Any) -> "FarEnd":
        """The far end of a new outbound call that has not been answered yet."""
        await self.outcome(self.dial(message, **wish))
        return self.far_end()

    def far_end(self) -> "FarEnd":
        """The far end of the call that was created last."""
        return FarEnd(self, list(self.rest.calls)[-1])

    async def caller(self, number: str = THEIRS) -> "FarEnd":
        """Somebody calls us."""
        leg = self.rest.add_leg(status="ringing", direction="inbound", to=OURS)
        leg["from"] = number
        far = FarEnd(self, leg["sid"])
        await far.fetch(PUBLIC_URL)
        return far


class FarEnd:
    """One leg at Twilio: runs the documents it is given and says and hears things."""

    def __init__(self, world: TwilioWorld, leg_id: str) -> None:
        self.world = world
        self.leg_id = leg_id
        self.leg = world.rest.calls[leg_id]
        self.verbs: list[Element] = []
        self.heard: list[str] = []
        self._pushed = 0
        self._sequence = 0
        self.created = world.rest.origins.get(leg_id)
        self._call_id: str | None = None

    @property
    def call_id(self) -> str:
        """Ours, as it stands in the addresses we hand out."""
        if self.created is not None:
            return _call_id(self.created.get("StatusCallback"))
        assert self._call_id is not None
        return self._call_id

    @property
    def status(self) -> str:
        return str(self.leg["status"])

    @property
    def form(self) -> dict[str, str]:
        return {
            "CallSid": self.leg_id,
            "AccountSid": ACCOUNT,
            "From": self.leg["from"],
            "To": self.leg["to"],
            "Direction": self.leg["direction"],
            "CallStatus": self.status,
            "ApiVersion": "2010-04-01",
        }

    async def post(self, url: str | None, **form: str) -> HttpAnswer:
        assert url is not None
        return await self.world.callback(url, **{**self.form, **form})

    async def fetch(self, url: str | None, **form: str) -> None:
        """Ask for a document and begin to run it."""
        answer = await self.post(url, **form)
        assert (answer.status, answer.content_type) == (200, "text/xml"), answer
        self.run(answer.body)

    def run(self, document: str) -> None:
        self.verbs = list(fromstring(document.split("?>", 1)[1]))
        for verb in self.verbs:
            address = verb.get("action") or (verb.text if verb.tag == "Redirect" else None)
            self._call_id = _call_id(address) if address else self._call_id
        if self.verbs and self.verbs[0].tag != "Reject" and self.status == "ringing":
            self.leg["status"] = "in-progress"

    async def tells(self, status: str, **form: str) -> HttpAnswer:
        """The leg has a new status, and a status callback says so."""
        if status != "initiated":
            self.leg["status"] = status
        self._sequence += 1
        more = {"SequenceNumber": str(self._sequence), "CallStatus": status, **form}
        console = f"{PUBLIC_URL}?type=status"
        address = self.created.get("StatusCallback") if self.created is not None else console
        return await self.post(address, **more)

    async def picks_up(self) -> None:
        """From dialling to the first document."""
        assert self.created is not None
        await self.tells("initiated")
        await self.tells("ringing")
        await self.tells("in-progress")
        document = self.created.get("Twiml")
        if document is not None:
            self.run(document)
        else:
            await self.fetch(self.created.get("Url"))

    def take_push(self) -> None:
        """What was pushed over REST replaces what was running."""
        pushed = [each for each in self.world.rest.updates(self.leg_id) if each.get("Twiml")]
        assert len(pushed) > self._pushed, "nothing was pushed"
        self._pushed = len(pushed)
        self.run(pushed[-1].get("Twiml") or "")

    # -- running a document -----------------------------------------------------------------------

    @property
    def shape(self) -> list[Any]:
        return [[e.tag, *(child.tag for child in e)] if len(e) else e.tag for e in self.verbs]

    def listen(self) -> str:
        """What the document says until it wants something."""
        words = []
        for verb in self.verbs:
            words += [part.text or "" for part in verb.iter("Say")]
            if verb.tag in ("Gather", "Redirect"):
                break
        if words:
            self.heard.append(" ".join(words))
        return " ".join(words)

    @property
    def gather(self) -> Element:
        return next(verb for verb in self.verbs if verb.tag == "Gather")

    async def says(self, words: str, **form: str) -> None:
        """The caller speaks into the `<Gather>`, after having heard it out."""
        self.listen()
        action = self.gather.get("action")
        await self.fetch(action, SpeechResult=words, Confidence="0.9", **form)

    async def keys(self, digits: str) -> None:
        self.listen()
        await self.fetch(self.gather.get("action"), Digits=digits)

    async def stays_silent(self) -> None:
        self.listen()
        await self.fetch(self.gather.get("action"), SpeechResult="")

    async def hears_out(self) -> None:
        """Everything is said, and the redirect behind it followed."""
        self.listen()
        redirect = next(verb for verb in self.verbs if verb.tag == "Redirect")
        assert "Gather" not in [verb.tag for verb in self.verbs], self.shape
        await self.fetch(redirect.text)

    async def hangs_up(self, duration_s: int = 10) -> None:
        await self.tells("completed", CallDuration=str(duration_s))

    # -- what came of it --------------------------------------------------------------------------

    async def utterances(self) -> list[tuple[str, str]]:
        found = await self.world.events(self.call_id, "call.utterance")
        return [(each["outcome"], each["heardText"]) for each in found]

    async def final(self) -> dict[str, Any]:
        """The one `call.ended` of the call."""
        (ended,) = await self.world.events(self.call_id, "call.ended")
        return dict(json.loads(json.dumps(ended)))


def _call_id(address: str | None) -> str:
    return parse_qs(urlsplit(address or "").query)["callId"][0]
