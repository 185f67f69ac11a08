"""What is going on on one line right now, shared by those who perform its documents: what is being
said, who listens, and how the next document is got."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from sidecar.simulator.farend import Plan
from sidecar.simulator.pace import News, Pace
from sidecar.simulator.quirks import Delivery as Fate
from sidecar.simulator.quirks import Quirks
from sidecar.simulator.timeline import Kind, Timeline
from sidecar.simulator.twilio.callbacks import Callbacks, note_delivery
from sidecar.simulator.twilio.leg import Leg
from sidecar.simulator.twilio.postman import UNREACHABLE, Delivery, Hook, Postman
from sidecar.simulator.twilio.talk.twiml import Document, Verb, parse
from sidecar.tasks import TaskSet

WORDS_PER_S = 3.0
WRONG_TYPE = 12300
INVALID_URL = 11100
REFUSED_HINT = (
    " It was signed with the script's token for its `publicUrl`, or for the target without one:"
    " both must be the sidecar's."
)
XML_TYPES = ("text/xml", "application/xml")


class CallFailed(Exception):
    """A document cannot be got or performed: the caller hears that an error occurred."""


@dataclass(frozen=True, slots=True)
class Instructions:
    """Where the document for a call comes from: inline or fetched."""

    twiml: str | None = None
    url: Hook | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A document with the address that relative ones start from; None when it came inline."""

    document: Document
    base: str | None = None


@dataclass(slots=True)
class Gathering:
    """A `<Gather>` that is running. `prompting` while its nested verbs are performed; `speaking`
    while the far end is talking into it."""

    verb: Verb
    base: str | None
    speech: bool
    digits: bool
    prompting: bool = True
    speaking: bool = False
    words: list[str] = field(default_factory=list)
    keys: str = ""

    @property
    def interruptible(self) -> bool:
        return self.verb.flag("bargeIn", True)

    @property
    def has_input(self) -> bool:
        return self.speaking or bool(self.words) or bool(self.keys)


@dataclass(slots=True)
class World:
    """What all lines of one simulation share. `enlist` makes a further leg known to the REST
    API."""

    pace: Pace
    postman: Postman
    quirks: Quirks
    enlist: Callable[[Leg], None]


class Stage:
    """The state of one line that is up, and the moves that several verbs share. `errands` are the
    webhooks that are out; `offshoots` the callbacks of legs that this one made."""

    def __init__(self, world: World, leg: Leg, plan: Plan, fallback: Hook | None) -> None:
        self.world = world
        self.pace = world.pace
        self.leg = leg
        self.plan = plan
        self.news = News()
        self.timeline = Timeline(world.pace.now_ms, self.news.tell)
        self.gathering: Gathering | None = None
        self.saying = False
        self.bridged = False
        self.starred = False
        self.offshoots: list[Callbacks] = []
        self.errands = TaskSet()
        self._fallback = fallback

    def fault(self, code: int, message: str) -> None:
        self.timeline.add(Kind.FAULT, f"{code}: {message}", code=code)

    def warn(self, code: int, message: str) -> None:
        self.timeline.add(Kind.WARNING, f"{code}: {message}", code=code)

    async def utter(self, text: str, **detail: str) -> None:
        """Let the far end hear `text`, for as long as it takes; cut when this is cancelled."""
        words = text.split()
        seconds = max(0.3, len(words) / WORDS_PER_S)
        begun_ms = self.pace.now_ms()
        self.saying = True
        self.news.tell()
        complete = False
        try:
            await self.pace.sleep(seconds)
            complete = True
        finally:
            self.saying = False
            share = (self.pace.now_ms() - begun_ms) / (seconds * 1_000)
            heard = text if complete else " ".join(words[: int(share * len(words))])
            self.timeline.add(Kind.HEARD, heard, complete=complete, begun_ms=begun_ms, **detail)

    # -- documents ------------------------------------------------------------------------------

    def resolve(self, address: str | None, base: str | None) -> str:
        """The whole address of a link in a document; without one, that of the document."""
        url = urljoin(base or "", address or "") if address else base
        if not url or urlsplit(url).scheme not in ("http", "https"):
            self.fault(INVALID_URL, f"{address or 'A missing address'} is not a valid URL here.")
            raise CallFailed
        return url

    async def open(self, source: Instructions, extra: Mapping[str, str]) -> Page:
        """The document that instructions lead to."""
        if source.url is None:
            return self._page((source.twiml or "").encode(), None)
        return await self.fetch("voice", source.url, extra)

    async def fetch(self, what: str, hook: Hook, extra: Mapping[str, str]) -> Page:
        """Ask for a document; the fallback address is asked when that fails."""
        params = {**self.leg.params(), **extra}
        delivery = await self._bring(what, hook, params)
        problem = _unusable(delivery)
        if problem is not None and self._fallback is not None:
            self.warn(*problem)
            params |= {"ErrorCode": str(problem[0]), "ErrorUrl": hook.url}
            delivery = await self._bring("fallback", self._fallback, params)
            problem = _unusable(delivery)
        if problem is not None:
            self.fault(*problem)
            raise CallFailed
        return self._page(delivery.body, delivery.url)

    async def _bring(self, what: str, hook: Hook, params: Mapping[str, str]) -> Delivery:
        # A request that is out is not taken back when the call is told something else meanwhile.
        work = self.errands.spawn(self._deliver(what, hook, params), f"simulator.{what}")
        return await asyncio.shield(work)

    async def _deliver(self, what: str, hook: Hook, params: Mapping[str, str]) -> Delivery:
        quirk = self.world.quirks.of_document(what)
        if quirk.delivery is Fate.LATE:
            await self.pace.sleep(quirk.late_s)
        delivery = await self.world.postman.bring(what, hook.url, params, hook.method)
        note_delivery(self.timeline, delivery)
        if quirk.delivery is Fate.DOUBLED:
            again = await self.world.postman.repeat(delivery)
            note_delivery(self.timeline, again, again=True)
            if again.body != delivery.body:
                self.warn(UNREACHABLE, f"The repeated webhook {what} got another answer.")
            return again
        return delivery

    async def inform(self, what: str, hook: Hook, params: Mapping[str, str]) -> None:
        """Bring news whose answer is not used, disturbed as the quirks say."""
        quirk = self.world.quirks.of(what)
        if quirk.delivery is Fate.MISSING:
            self.timeline.add(Kind.CARRIER, f"the callback {what} is not sent (quirk)")
            return
        if quirk.delivery is Fate.LATE:
            await self.pace.sleep(quirk.late_s)
        delivery = await self.world.postman.bring(what, hook.url, params, hook.method)
        note_delivery(self.timeline, delivery)
        if quirk.delivery is Fate.DOUBLED:
            note_delivery(self.timeline, await self.world.postman.repeat(delivery), again=True)

    def _page(self, body: bytes, base: str | None) -> Page:
        document = parse(body)
        names = ", ".join(verb.name for verb in document.verbs) or "nothing"
        text = body.decode("utf-8", "replace")
        self.timeline.add(Kind.DOCUMENT, f"is told: {names}", body=text, base=base)
        for flaw in document.flaws:
            (self.fault if flaw.fatal else self.warn)(flaw.code, flaw.message)
        if document.fatal is not None:
            raise CallFailed
        return Page(document, base)


def _unusable(delivery: Delivery) -> tuple[int, str] | None:
    """Why an answer is no document; None when it may be one."""
    if not delivery.ok:
        answer = delivery.status or f"nothing ({delivery.problem})"
        hint = REFUSED_HINT if delivery.status in (401, 403) else ""
        return UNREACHABLE, f"The webhook {delivery.what} was answered with {answer}.{hint}"
    kind = delivery.content_type.partition(";")[0].strip().lower()
    if kind not in XML_TYPES:
        return WRONG_TYPE, f"The webhook {delivery.what} was answered with {kind or 'no type'}."
    return None
