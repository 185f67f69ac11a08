"""Documents for Twilio: a view of the call as it is. Pure.

Each thing that is said is followed by a callback, because nothing else tells that it was said: a
`<Gather>` around it, or a `<Redirect>` behind it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

from sidecar.call.model import Call, Detection, Direction, Mode, Origin, State
from sidecar.call.spoken import speakable, split_for_carrier
from sidecar.providers.twilio.wire import Kind, Links

INLINE_CHARS = 4_000
SAY_CHARS = 3_000
SAY_ENCODED_CHARS = 4_500
BY_ITSELF_DELAY_MS = 15_000
"""A message that is followed by a longer pause must tell of its end, or it seems stuck."""

PROMPT_SILENCE_S = 5
UNAWAITED_SILENCE_S = 1
LISTEN_SILENCE_S = 10
PROMPT_SPEECH_S = 25
"""Longest answer to a prompt: the call takes a voice that is silent for 30 s for a broken one."""
HOLD_S = 20
DIGIT_MS = {"w": 500, "W": 1_000}
RING_TARGET_S = 30
CLOSING_S = 5
"""How long after our own hang-up is due the document hangs up by itself."""
MAX_CALL_S = 86_400
MAX_RING_S = 600
GRACE_S = 30
"""The call's time limit at Twilio is for the case that we are gone when it should end."""
DETECTION_S = 30
MACHINE_MS = 28_000
"""How long a message waits for word of a machine: a voice may be silent for 30 s, not longer."""
STATUS_EVENTS = ("initiated", "ringing", "answered", "completed")

_HEADER = '<?xml version="1.0" encoding="UTF-8"?>'
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_POLLY = {
    "alloy": "Polly.Joanna",
    "ash": "Polly.Matthew",
    "ballad": "Polly.Brian",
    "cedar": "Polly.Matthew",
    "coral": "Polly.Joanna",
    "echo": "Polly.Matthew",
    "fable": "Polly.Amy",
    "marin": "Polly.Joanna",
    "nova": "Polly.Salli",
    "onyx": "Polly.Brian",
    "sage": "Polly.Kendra",
    "shimmer": "Polly.Kimberly",
    "verse": "Polly.Joey",
}
DEFAULT_VOICE = "Polly.Joanna"
_CARRIER_VOICE = re.compile(r"(?:Polly|Google)\.[\w.-]+|man|woman")


@dataclass(frozen=True, slots=True)
class Voice:
    """The voice of `<Say>` and the language we listen for, both when not Twilio's default."""

    name: str | None = DEFAULT_VOICE
    language: str | None = None


def voice_for(wanted: str | None, language: str | None) -> Voice:
    """The carrier's voice that is nearest to a configured one. Other languages than English get
    Twilio's own choice, because the voices with a name speak one language each."""
    if wanted is not None and _CARRIER_VOICE.fullmatch(wanted):
        return Voice(wanted, language)
    if language is not None and not language.lower().startswith("en"):
        return Voice(None, language)
    return Voice(_POLLY.get((wanted or "").lower(), DEFAULT_VOICE), language)


def route_voice(call: Call) -> str | None:
    """The voice that is configured for this call's number."""
    settings: Any = call.voice or {}
    for members in (settings, settings.get("providers")):
        section = members.get("openai") if isinstance(members, Mapping) else None
        voice = section.get("voice") if isinstance(section, Mapping) else None
        if isinstance(voice, str):
            return voice
    return None


# -- whole documents ------------------------------------------------------------------------------


def hangup_document() -> str:
    return _document([Element("Hangup")])


def wait_document(call: Call, links: Links) -> str:
    """Another document is on its way: wait for it, and ask again if it does not come."""
    return _document(_hold(call, links, 1))


def refusal_document(reason: str, say: str | None, voice: Voice) -> str:
    """Turn an inbound call away; without words it is not even answered."""
    if say:
        return _document([*_say(say, voice), Element("Hangup")])
    reject = "busy" if reason == "capacity" else "rejected"
    return _document([Element("Reject", {"reason": reject})])


def message_document(call: Call, voice: Voice) -> str | None:
    """A notify call's message for the request that creates the call, so that hearing it depends on
    no webhook; None when it cannot go that way."""
    delay_ms = call.limits.notify_hangup_ms
    if call.mode is not Mode.NOTIFY or call.direction is not Direction.OUTBOUND or call.streaming:
        return None
    if call.detection is Detection.LEAVE_MESSAGE or delay_ms > BY_ITSELF_DELAY_MS:
        return None
    text = speakable(call.greeting or "")
    if not text or call.dtmf_sequence:
        return None
    document = _document([*_say(text, voice), *_pause(math.ceil(delay_ms / 1_000)), _hangup()])
    return document if len(document) <= INLINE_CHARS else None


def digits_document(digits: str, call: Call, links: Links) -> str:
    """Send digits, then ask what to do: meanwhile the call may have gone on."""
    play = Element("Play", {"digits": digits.replace("W", "ww")})
    return _document([play, _redirect(links.to(Kind.HOLD, call.call_id))])


def digits_ms(digits: str) -> int:
    """How long they take, not too short."""
    return sum(DIGIT_MS.get(digit, 300) for digit in digits)


@dataclass(frozen=True, slots=True)
class View:
    """What Twilio should be doing for a call. Two views with the same `key` do the same."""

    key: str
    verbs: list[Element]

    @property
    def document(self) -> str:
        return _document(self.verbs)


def view(call: Call, links: Links, voice: Voice, now_ms: int) -> View:
    """The document that does what the call is doing now."""
    if call.state in (State.ENDING, State.ENDED):
        return View("hangup", [_hangup()])
    if call.cutting or call.awaiting_beep:
        return View("quiet", _hold(call, links, HOLD_S))
    if call.saying is not None:
        return View(f"say:{call.saying.utterance_id}", _speaking(call, links, voice))
    if call.transfer_to is not None:
        return View(f"dial:{call.transfer_to}", [_dial(call, links, now_ms)])
    if call.mode is Mode.NOTIFY and call.waiter is None and call.state is not State.ACTIVE:
        delay_s = math.ceil(call.limits.notify_hangup_ms / 1_000)
        return View("closing", [*_pause(delay_s + CLOSING_S), _hangup()])
    if call.state is State.LISTENING:
        return View(f"listen:{call.turn}", _listening(call, links, voice))
    return View("wait", _hold(call, links, 1))


# -- the forms of requests that bring documents ---------------------------------------------------


def dial_fields(call: Call, links: Links, voice: Voice) -> list[tuple[str, str]]:
    """The request that creates the call."""
    limits = call.limits
    fields = [
        ("To", call.to_number),
        ("From", call.from_number),
        ("Timeout", str(max(1, min(math.ceil(limits.ring_ms / 1_000), MAX_RING_S)))),
        ("TimeLimit", str(min(math.ceil(limits.max_duration_ms / 1_000) + GRACE_S, MAX_CALL_S))),
    ]
    message = message_document(call, voice)
    more: dict[str, str | int] = {}
    if message is not None:
        fields.append(("Twiml", message))
        more["carries"] = "message"
    else:
        digits = {"digits": "sent"} if call.dtmf_sequence else {}
        fields += [("Url", links.to(Kind.ANSWER, call.call_id, **digits)), ("Method", "POST")]
    if call.dtmf_sequence:
        fields.append(("SendDigits", call.dtmf_sequence))
    fields.append(("StatusCallback", links.to(Kind.STATUS, call.call_id, **more)))
    fields.append(("StatusCallbackMethod", "POST"))
    fields += [("StatusCallbackEvent", event) for event in STATUS_EVENTS]
    if call.detection is not Detection.OFF and not call.dtmf_sequence:
        wait = call.detection is Detection.LEAVE_MESSAGE
        fields += [
            ("MachineDetection", "DetectMessageEnd" if wait else "Enable"),
            ("MachineDetectionTimeout", str(DETECTION_S)),
            ("AsyncAmd", "true"),
            ("AsyncAmdStatusCallback", links.to(Kind.MACHINE, call.call_id)),
            ("AsyncAmdStatusCallbackMethod", "POST"),
        ]
    return fields


def update_fields(view: View, call: Call, links: Links) -> list[tuple[str, str]]:
    """The request that makes Twilio run a document now; one that is too long is fetched."""
    document = view.document
    if len(document) <= INLINE_CHARS:
        return [("Twiml", document)]
    return [("Url", links.to(Kind.HOLD, call.call_id)), ("Method", "POST")]


def after_message(call: Call, said: str | None, links: Links, now_ms: int) -> str | None:
    """What follows a message that was `said`: a wait until it is known who heard it, and then the
    word that it was said; None when the call has moved on."""
    if call.saying is None or call.cutting or call.saying.utterance_id != said:
        return None
    answered_at_ms = call.answered_at_ms or 0
    if _may_be_a_machine(call) and now_ms < answered_at_ms + MACHINE_MS:
        again = links.to(Kind.HOLD, call.call_id, said=said)
        return _document([*_pause(1), _redirect(again)])
    return _document([_redirect(_spoken_link(call, links))])


# -- parts ----------------------------------------------------------------------------------------


def _speaking(call: Call, links: Links, voice: Voice) -> list[Element]:
    """Say it; when the caller's turn follows, listen right away, so that no answer is too early."""
    said = call.saying
    assert said is not None
    words = _say(said.text, voice)
    if _may_be_a_machine(call):
        return [*words, _redirect(links.to(Kind.HOLD, call.call_id, said=said.utterance_id))]
    if not _caller_is_next(call):
        return [*words, _redirect(_spoken_link(call, links))]
    awaited = call.waiter is not None or call.agent_online
    silence_s = UNAWAITED_SILENCE_S
    more: dict[str, str | int] = {"u": said.utterance_id}
    if awaited:
        asked_s = math.ceil(call.limits.transcript_ms / 1_000) if call.waiter else PROMPT_SILENCE_S
        silence_s = max(1, min(PROMPT_SILENCE_S, asked_s))
        more["s"] = silence_s
    gather = _gather(links.to(Kind.GATHER, call.call_id, turn=call.turn, **more), silence_s, voice)
    gather.set("maxSpeechTime", str(PROMPT_SPEECH_S))
    after = _redirect(links.to(Kind.SPOKEN, call.call_id, u=said.utterance_id, turn=call.turn))
    knobs = call.barge_in
    protected = knobs.protect_greeting and said.origin in (Origin.GREETING, Origin.MESSAGE)
    if not knobs.enabled or protected:
        return [*words, gather, after]
    gather.extend(words)
    return [gather, after]


def _may_be_a_machine(call: Call) -> bool:
    """Whether a message may have been said to a machine that has not been recognised yet, and will
    want it again after its beep: then the call must not end before that."""
    said = call.saying
    unknown = call.detection is Detection.LEAVE_MESSAGE and call.machine is None
    first = said is not None and said.origin is Origin.MESSAGE and not said.end_after
    return unknown and first and call.mode is Mode.NOTIFY and not call.queue


def _spoken_link(call: Call, links: Links) -> str:
    said = call.saying
    assert said is not None
    return links.to(Kind.SPOKEN, call.call_id, u=said.utterance_id, turn=said.turn)


def _caller_is_next(call: Call) -> bool:
    """Whether nothing of ours follows what is being said: then it is the caller's turn."""
    said = call.saying
    assert said is not None
    if call.queue or call.transfer_to or call.end_after_playout or said.end_after:
        return False
    if call.mode is Mode.NOTIFY and call.waiter is None:
        return False
    return call.reply is None or call.reply.hold_until_ms is not None


def _listening(call: Call, links: Links, voice: Voice) -> list[Element]:
    """The caller's turn. While an agent writes its reply, silence is not the caller's."""
    if call.reply is None:
        kind, more = Kind.GATHER, {"s": LISTEN_SILENCE_S}
    else:
        kind, more = Kind.HOLD, {}
    address = links.to(kind, call.call_id, turn=call.turn, **more)
    hold = _redirect(links.to(Kind.HOLD, call.call_id, turn=call.turn))
    return [_gather(address, LISTEN_SILENCE_S, voice), hold]


def _gather(address: str, silence_s: int, voice: Voice) -> Element:
    attributes = {
        "input": "speech dtmf",
        "action": address,
        "method": "POST",
        "timeout": str(silence_s),
        "speechTimeout": "auto",
        "actionOnEmptyResult": "true",
    }
    if voice.language is not None:
        attributes["language"] = voice.language
    return Element("Gather", attributes)


def _dial(call: Call, links: Links, now_ms: int) -> Element:
    """Hand the call over. The target's answer is reported on its own, long before the bridge
    ends."""
    ours = call.from_number if call.direction is Direction.OUTBOUND else call.to_number
    left_s = ((call.ends_by_ms or now_ms) - now_ms) // 1_000
    attributes = {
        "action": links.to(Kind.DIAL, call.call_id),
        "method": "POST",
        "timeout": str(RING_TARGET_S),
        "timeLimit": str(max(1, min(left_s, MAX_CALL_S))),
    }
    if ours.startswith("+"):
        attributes["callerId"] = ours
    dial = Element("Dial", attributes)
    number = Element(
        "Number",
        {
            "statusCallback": links.to(Kind.BRIDGE, call.call_id),
            "statusCallbackMethod": "POST",
            "statusCallbackEvent": "answered",
        },
    )
    number.text = call.transfer_to
    dial.append(number)
    return dial


def _hold(call: Call, links: Links, seconds: int) -> list[Element]:
    return [*_pause(seconds), _redirect(links.to(Kind.HOLD, call.call_id))]


def _say(text: str, voice: Voice) -> list[Element]:
    attributes = {}
    if voice.name is not None:
        attributes["voice"] = voice.name
    if voice.language is not None:
        attributes["language"] = voice.language
    said = []
    for part in _parts(_NOT_XML.sub(" ", text), SAY_CHARS):
        element = Element("Say", attributes)
        element.text = part
        said.append(element)
    return said


def _parts(text: str, limit: int) -> Iterable[str]:
    """Twilio limits what it says at once in characters, and in the URL-encoded form too."""
    for part in split_for_carrier(text, limit):
        if len(quote(part)) <= SAY_ENCODED_CHARS or limit == 1:
            yield part
        else:
            yield from _parts(part, max(1, min(limit, len(part)) // 2))


def _pause(seconds: int) -> list[Element]:
    return [Element("Pause", {"length": str(seconds)})] if seconds > 0 else []


def _redirect(address: str) -> Element:
    redirect = Element("Redirect", {"method": "POST"})
    redirect.text = address
    return redirect


def _hangup() -> Element:
    return Element("Hangup")


def _document(verbs: Iterable[Element]) -> str:
    response = Element("Response")
    response.extend(verbs)
    return _HEADER + tostring(response, encoding="unicode", short_empty_elements=True)
