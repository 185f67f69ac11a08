"""`<Gather>`: prompts, waits for speech or keys as Twilio does, and asks for the next document."""

from collections.abc import Awaitable, Callable

from sidecar.simulator.pace import race
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.talk.stage import WORDS_PER_S, Gathering, Page, Stage
from sidecar.simulator.twilio.talk.twiml import Verb

AUTO_SILENCE_S = 1.0
KEY_S = 0.2
CONFIDENCE = "0.9128"

Perform = Callable[[Verb, str | None], Awaitable[object]]


async def gather(stage: Stage, verb: Verb, base: str | None, perform: Perform) -> Page | None:
    """Run a `<Gather>`; gives the document of its action, None when the next verb runs."""
    inputs = verb.attributes.get("input", "dtmf").split()
    running = Gathering(verb, base, "speech" in inputs, "dtmf" in inputs)
    stage.gathering = running
    stage.news.tell()
    try:
        if verb.children:
            prompt = _prompt(verb, base, perform)
            await race(prompt, stage.news.until(lambda: running.has_input))
        running.prompting = False
        stage.news.tell()
        await _collect(stage, running)
    finally:
        stage.gathering = None
        stage.news.tell()
    result = _result(stage, running)
    if result is None:
        return None
    url = stage.resolve(verb.attributes.get("action"), base)
    return await stage.fetch("gather", Hook(url, verb.attributes.get("method", "POST")), result)


async def _prompt(verb: Verb, base: str | None, perform: Perform) -> None:
    for child in verb.children:
        await perform(child, base)


async def _collect(stage: Stage, running: Gathering) -> None:
    """Wait for input and its end, or for the time to run out."""
    timeout_s = running.verb.number("timeout", 5)
    until = stage.news.until
    if await race(until(lambda: running.has_input), stage.pace.sleep(timeout_s)) == 1:
        return
    while running.keys and not _keys_done(running):
        if await race(_another_key(stage, running), stage.pace.sleep(timeout_s)) == 1:
            return
    if running.keys:
        return
    silence_s = _silence_s(running.verb, timeout_s)
    while True:
        await until(lambda: not running.speaking)
        if await race(until(lambda: running.speaking), stage.pace.sleep(silence_s)) == 1:
            return


async def _another_key(stage: Stage, running: Gathering) -> None:
    before = len(running.keys)
    await stage.news.until(lambda: len(running.keys) > before)


def _silence_s(verb: Verb, timeout_s: float) -> float:
    if verb.attributes.get("speechTimeout") == "auto":
        return AUTO_SILENCE_S
    return verb.number("speechTimeout", timeout_s)


def _keys_done(running: Gathering) -> bool:
    most = running.verb.number("numDigits", 0)
    finish = running.verb.attributes.get("finishOnKey", "#")
    ended = bool(finish) and len(running.keys) > 1 and running.keys[-1] == finish
    return ended or bool(most and len(running.keys) >= most)


def _result(stage: Stage, running: Gathering) -> dict[str, str] | None:
    """The parameters for the action; None when it is not asked."""
    finish = running.verb.attributes.get("finishOnKey", "#")
    if running.keys:
        digits, ended = running.keys, ""
        if finish and len(digits) > 1 and digits[-1] == finish:
            digits, ended = digits[:-1], finish
        return {"msg": "Gather End", "Digits": digits, "FinishedOnKey": ended}
    if running.words:
        return {"SpeechResult": " ".join(running.words), "Confidence": CONFIDENCE}
    if not running.verb.flag("actionOnEmptyResult", False):
        return None
    if stage.world.quirks.empty_digits:
        return {"SpeechResult": "", "Confidence": "0.0", "Digits": ""}
    return {"msg": "Gather End"}


async def speak(stage: Stage, text: str) -> None:
    """The far end says something; whoever listens gets it. Ends when it has been taken in."""
    running = stage.gathering
    seconds = max(0.3, len(text.split()) / WORDS_PER_S)
    taken = running is not None and running.speech
    if running is not None and running.prompting and not running.interruptible:
        taken = False
    stage.timeline.add(Kind.SAID, text if taken else f"{text} (nobody listens)", taken=taken)
    if running is None or not taken:
        await stage.pace.sleep(seconds)
        return
    running.speaking = True
    stage.news.tell()
    try:
        await stage.pace.sleep(seconds / 2)
        _tell_partial(stage, running, text)
        await stage.pace.sleep(seconds / 2)
        running.words.append(text)
    finally:
        running.speaking = False
        stage.news.tell()
    await stage.news.until(lambda: stage.gathering is not running)


def _tell_partial(stage: Stage, running: Gathering, text: str) -> None:
    address = running.verb.attributes.get("partialResultCallback")
    if address is None:
        return
    words = text.split()
    params = {
        **stage.leg.params(),
        "UnstableSpeechResult": " ".join(words[: (len(words) + 1) // 2]),
        "StableSpeechResult": "",
        "Stability": "0.5",
        "SequenceNumber": str(len(running.words)),
    }
    method = running.verb.attributes.get("partialResultCallbackMethod", "POST")
    url = stage.resolve(address, running.base)
    stage.errands.spawn(stage.inform("partial", Hook(url, method), params), "simulator.partial")


async def press(stage: Stage, digits: str) -> None:
    """The far end presses keys; whoever listens for them gets them. Ends when they were taken."""
    running = stage.gathering
    taken = running is not None and running.digits
    note = "" if taken or stage.bridged else " (nobody listens)"
    stage.timeline.add(Kind.PRESSED, f"{digits}{note}", digits=digits, taken=taken)
    for key in digits:
        if running is not None and taken and not (running.keys and _keys_done(running)):
            running.keys += key
        if stage.bridged and key == "*":
            stage.starred = True
        stage.news.tell()
        await stage.pace.sleep(KEY_S)
    if taken:
        await stage.news.until(lambda: stage.gathering is not running)
