"""Performs documents, verb after verb, as Twilio does."""

from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.talk.bridge import dial
from sidecar.simulator.twilio.talk.gather import gather
from sidecar.simulator.twilio.talk.stage import Page, Stage
from sidecar.simulator.twilio.talk.twiml import Verb

NO_STREAM = 31920
PLAY_S = 2.0
KEY_S = 0.1
WAITS = {"w": 0.5, "W": 1.0}


class Over(Exception):
    """The document ends the call."""


class Performer:
    """Performs one document and every one it leads to. Ends when there is nothing left to do;
    raises `Over` when a document ends the call, `CallFailed` when one is broken."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def run(self, page: Page) -> None:
        following: Page | None = page
        while following is not None:
            following = await self._page(following)

    async def _page(self, page: Page) -> Page | None:
        """Gives the document that follows, None when the call has nothing more to do."""
        for verb in page.document.verbs:
            following = await self._verb(verb, page.base)
            if following is not None:
                return following
        return None

    async def _verb(self, verb: Verb, base: str | None) -> Page | None:
        stage = self._stage
        match verb.name:
            case "Gather":
                return await gather(stage, verb, base, self._prompt)
            case "Redirect":
                url = stage.resolve(verb.text, base)
                return await stage.fetch("redirect", Hook(url, _method(verb)), {})
            case "Dial":
                return await dial(stage, verb, base)
            case "Connect":
                stage.fault(NO_STREAM, "Media streams are not part of this simulation.")
            case "Start" | "Stop":
                stage.warn(NO_STREAM, "Media streams are not part of this simulation.")
            case "Hangup":
                raise Over
            case "Reject":
                stage.warn(0, "<Reject> of an answered call only hangs up.")
                raise Over
            case _:
                await self._prompt(verb, base)
        return None

    async def _prompt(self, verb: Verb, base: str | None) -> None:
        """The verbs that may stand inside `<Gather>` too."""
        stage = self._stage
        match verb.name:
            case "Say":
                for _ in range(max(1, int(verb.number("loop", 1)))):
                    if verb.text:
                        await stage.utter(verb.text, voice=verb.attributes.get("voice", ""))
            case "Pause":
                await stage.pace.sleep(verb.number("length", 1))
            case "Play" if "digits" in verb.attributes:
                await send_digits(stage, verb.attributes["digits"])
            case "Play":
                stage.timeline.add(Kind.CARRIER, f"plays {verb.text}", url=verb.text)
                await stage.pace.sleep(PLAY_S)


async def send_digits(stage: Stage, digits: str) -> None:
    """Let the far end hear keys."""
    stage.timeline.add(Kind.CARRIER, f"sends the keys {digits}", keys=digits)
    await stage.pace.sleep(sum(WAITS.get(key, KEY_S) for key in digits))


def _method(verb: Verb) -> str:
    return verb.attributes.get("method", "POST")
