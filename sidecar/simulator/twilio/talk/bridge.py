"""`<Dial>`: hands a call on to a number, with a leg of its own, its callbacks and its limits."""

import re
from collections.abc import Mapping

from sidecar.simulator.farend import Pickup, Target
from sidecar.simulator.pace import race
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.callbacks import Callbacks
from sidecar.simulator.twilio.leg import Leg, ending, new_sid
from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.talk.stage import CallFailed, Page, Stage
from sidecar.simulator.twilio.talk.twiml import Verb, parse

NESTED_DIAL = 13201
INVALID_CALLER = 13214
INVALID_NUMBER = 13224


async def dial(stage: Stage, verb: Verb, base: str | None) -> Page | None:
    """Run a `<Dial>`; gives the document of its action, None when the next verb runs."""
    numbers = verb.children or (Verb("Number", {}, verb.text),)
    caller = verb.attributes.get("callerId") or stage.leg.from_number
    if not re.fullmatch(r"\+[1-9]\d{6,14}", caller):
        stage.fault(INVALID_CALLER, "<Dial callerId> is not a valid number.")
        raise CallFailed
    # Of several numbers, all ring at once: the one that is answered first gets the call.
    noun = min(numbers, key=lambda each: _rank(_target(stage, each)))
    leg = Leg(
        new_sid("CA"),
        stage.leg.account_sid,
        caller,
        noun.text,
        "outbound-dial",
        stage.pace.now_ms(),
        parent_sid=stage.leg.sid,
    )
    stage.world.enlist(leg)
    call = _Bridge(stage, verb, noun, base, leg)
    await call.run()
    address = verb.attributes.get("action")
    if address is None:
        return None
    hook = Hook(stage.resolve(address, base), verb.attributes.get("method", "POST"))
    return await stage.fetch("dial", hook, call.result())


def _target(stage: Stage, noun: Verb) -> Target:
    return stage.plan.transfers.get(noun.text, Target())


def _rank(target: Target) -> tuple[bool, float]:
    return not target.pickup.answers, target.ring_s


class _Bridge:
    """One leg that a `<Dial>` makes."""

    def __init__(self, stage: Stage, verb: Verb, noun: Verb, base: str | None, leg: Leg) -> None:
        self._stage = stage
        self._verb = verb
        self._noun = noun
        self._base = base
        self._leg = leg
        self._target = _target(stage, noun)
        has = noun.attributes
        address = has.get("statusCallback")
        hook = None
        if address is not None:
            method = has.get("statusCallbackMethod", "POST")
            hook = Hook(stage.resolve(address, base), method)
        events = tuple(has.get("statusCallbackEvent", "completed").split())
        self._callbacks = Callbacks(
            stage.world.postman, stage.pace, stage.timeline, stage.world.quirks, hook, events
        )

    async def run(self) -> None:
        stage, leg = self._stage, self._leg
        stage.timeline.add(Kind.CARRIER, f"dials {leg.to_number}", number=leg.to_number)
        stage.offshoots.append(self._callbacks)
        self._callbacks.start()
        self._callbacks.tell("initiated", leg, "initiated")
        try:
            if await self._ring():
                await self._talk()
        finally:
            if not leg.is_final:
                self._end("completed" if leg.answered_ms is not None else "canceled")

    def result(self) -> Mapping[str, str]:
        """The parameters for the action."""
        leg = self._leg
        return {
            "DialCallStatus": leg.status,
            "DialCallSid": leg.sid,
            "DialCallDuration": str(leg.duration_s),
            "DialBridged": "true" if leg.answered_ms is not None else "false",
        }

    async def _ring(self) -> bool:
        """Whether the number is answered."""
        stage, leg, target = self._stage, self._leg, self._target
        if target.pickup is Pickup.FAILED or not leg.to_number.startswith("+"):
            if not leg.to_number.startswith("+"):
                stage.warn(INVALID_NUMBER, "<Dial> has a number that is not valid.")
            self._end("failed")
            return False
        leg.to("ringing", stage.pace.now_ms())
        self._callbacks.tell("ringing", leg, "ringing")
        timeout_s = self._verb.number("timeout", 30)
        if target.pickup is Pickup.NO_ANSWER or target.ring_s > timeout_s:
            await stage.pace.sleep(timeout_s)
            self._end("no-answer")
            return False
        await stage.pace.sleep(target.ring_s)
        if target.pickup is Pickup.BUSY:
            self._end("busy")
            return False
        leg.to("in-progress", stage.pace.now_ms())
        self._callbacks.tell("answered", leg, "in-progress")
        return await self._whisper()

    async def _whisper(self) -> bool:
        """What the number hears before it is connected; whether it is connected then."""
        stage, has = self._stage, self._noun.attributes
        if has.get("sendDigits"):
            digits = has["sendDigits"]
            stage.timeline.add(Kind.CARRIER, f"sends {digits} to the number", digits=digits)
        address = has.get("url")
        if address is None:
            return True
        url = stage.resolve(address, self._base)
        params = self._leg.params()
        delivery = await stage.world.postman.bring("number", url, params, has.get("method", "POST"))
        document = parse(delivery.body) if delivery.ok else parse(b"<Response/>")
        names = [verb.name for verb in document.verbs]
        for flaw in document.flaws:
            (stage.fault if flaw.fatal else stage.warn)(flaw.code, flaw.message)
        if "Dial" in names:
            stage.fault(NESTED_DIAL, "The document of <Number> may not dial.")
        for verb in document.verbs:
            if verb.name == "Say":
                stage.timeline.add(Kind.CARRIER, f"tells the number: {verb.text}")
        return "Hangup" not in names

    async def _talk(self) -> None:
        stage, verb = self._stage, self._verb
        stage.timeline.add(Kind.CARRIER, "connects the two", bridged=True)
        limit_s = min(verb.number("timeLimit", 14_400), self._target.talk_s)
        stage.bridged, stage.starred = True, False
        stage.news.tell()
        try:
            ends = [stage.pace.sleep(limit_s)]
            if verb.flag("hangupOnStar", False):
                ends.append(stage.news.until(lambda: stage.starred))
            await race(*ends)
        finally:
            stage.bridged = False
        limited = verb.number("timeLimit", 14_400) < self._target.talk_s
        why = "the time limit has passed" if limited else "the number hung up"
        stage.timeline.add(Kind.CARRIER, f"disconnects the two: {why}", bridged=False)
        self._end("completed")

    def _end(self, status: str) -> None:
        leg = self._leg
        leg.to(status, self._stage.pace.now_ms())
        self._callbacks.tell("completed", leg, status, ending(leg))
