"""TwiML as Twilio reads it: parses a document and names everything that is wrong with it.

An `error` ends the call, as Twilio's does; a `warning` is what its debugger would show. What the
verbs do is in `performer`.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_BYTES = 64 * 1024
PARSE_FAILURE = 12100
SCHEMA_PROBLEM = 12200
TOO_LARGE = 11750
TEXT_TOO_LONG = 13521
NOTHING_TO_SAY = 13520

SSML = frozenset(
    [
        "break",
        "emphasis",
        "lang",
        "p",
        "phoneme",
        "prosody",
        "s",
        "say-as",
        "sub",
        "w",
        "mark",
        "amazon:effect",
        "amazon:domain",
    ]
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a document."""

    code: int
    message: str
    fatal: bool = True


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb or noun. `text` is all text inside, speech mark-up left out."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    children: "tuple[Verb, ...]" = ()

    def number(self, name: str, default: float) -> float:
        value = self.attributes.get(name)
        return default if value in (None, "", "auto") else float(value or 0)

    def flag(self, name: str, default: bool) -> bool:
        return self.attributes.get(name, str(default)).lower() == "true"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document. With a fatal flaw there are no verbs."""

    verbs: tuple[Verb, ...] = ()
    flaws: tuple[Flaw, ...] = ()

    @property
    def fatal(self) -> Flaw | None:
        return next((flaw for flaw in self.flaws if flaw.fatal), None)


Check = Callable[[str], bool]


def _any(value: str) -> bool:
    return True


def _one_of(*words: str) -> Check:
    return lambda value: value in words


def _whole(low: int, high: int = 10**9) -> Check:
    return lambda value: bool(re.fullmatch(r"\d{1,9}", value)) and low <= int(value) <= high


def _url(value: str) -> bool:
    return bool(value) and not re.search(r"\s", value)


def _inputs(value: str) -> bool:
    words = value.split()
    return bool(words) and set(words) <= {"dtmf", "speech"} and len(words) == len(set(words))


def _speech_timeout(value: str) -> bool:
    return value == "auto" or _whole(0)(value)


def _events(value: str) -> bool:
    return set(value.split()) <= {"initiated", "ringing", "answered", "completed"}


def keys(value: str) -> bool:
    """Digits as `SendDigits` takes them."""
    return bool(re.fullmatch(r"[0-9A-D#*wW]{1,32}", value))


BOOL = _one_of("true", "false")
METHOD = _one_of("GET", "POST")
AMD: Mapping[str, Check] = {
    "machineDetection": _one_of("Enable", "DetectMessageEnd"),
    "machineDetectionTimeout": _whole(3, 59),
    "machineDetectionSpeechThreshold": _whole(1_000, 6_000),
    "machineDetectionSpeechEndThreshold": _whole(500, 5_000),
    "machineDetectionSilenceTimeout": _whole(2_000, 10_000),
    "amdStatusCallback": _url,
    "amdStatusCallbackMethod": METHOD,
}
CALLBACK: Mapping[str, Check] = {
    "url": _url,
    "method": METHOD,
    "statusCallback": _url,
    "statusCallbackEvent": _events,
    "statusCallbackMethod": METHOD,
}
RECORDING: Mapping[str, Check] = {
    "recordingStatusCallback": _url,
    "recordingStatusCallbackMethod": METHOD,
    "recordingStatusCallbackEvent": _any,
    "recordingTrack": _one_of("inbound", "outbound", "both"),
    "trim": _one_of("trim-silence", "do-not-trim"),
}

SHAPES: Mapping[str, tuple[Mapping[str, Check], frozenset[str]]] = {
    "Say": ({"voice": _any, "language": _any, "loop": _whole(0)}, SSML),
    "Play": ({"loop": _whole(0), "digits": keys}, frozenset()),
    "Pause": ({"length": _whole(1, 180)}, frozenset()),
    "Gather": (
        {
            "input": _inputs,
            "action": _url,
            "method": METHOD,
            "timeout": _whole(1),
            "speechTimeout": _speech_timeout,
            "maxSpeechTime": _whole(1),
            "finishOnKey": lambda value: bool(re.fullmatch(r"[0-9*#]?", value)),
            "numDigits": _whole(1),
            "language": _any,
            "hints": _any,
            "profanityFilter": BOOL,
            "speechModel": _any,
            "enhanced": BOOL,
            "bargeIn": BOOL,
            "debug": BOOL,
            "actionOnEmptyResult": BOOL,
            "partialResultCallback": _url,
            "partialResultCallbackMethod": METHOD,
        },
        frozenset({"Say", "Play", "Pause"}),
    ),
    "Redirect": ({"method": METHOD}, frozenset()),
    "Hangup": ({}, frozenset()),
    "Reject": ({"reason": _one_of("rejected", "busy")}, frozenset()),
    "Dial": (
        {
            "action": _url,
            "method": METHOD,
            "timeout": _whole(1, 600),
            "callerId": _any,
            "timeLimit": _whole(1, 86_400),
            "hangupOnStar": BOOL,
            "record": _any,
            "answerOnBridge": BOOL,
            "ringTone": _any,
            "sequential": BOOL,
            "referUrl": _url,
            "referMethod": METHOD,
            **RECORDING,
        },
        frozenset({"Number"}),
    ),
    "Number": ({"sendDigits": keys, "byoc": _any, **CALLBACK, **AMD}, frozenset()),
    "Connect": ({"action": _url, "method": METHOD}, frozenset({"Stream"})),
    "Start": ({"action": _url, "method": METHOD}, frozenset({"Stream"})),
    "Stop": ({}, frozenset({"Stream"})),
    "Stream": (
        {
            "url": lambda value: value.startswith(("wss://", "/")) or "://" not in value,
            "name": _any,
            "track": _one_of("inbound_track", "outbound_track", "both_tracks"),
            "statusCallback": _url,
            "statusCallbackMethod": METHOD,
            "connectorName": _any,
        },
        frozenset({"Parameter"}),
    ),
    "Parameter": ({"name": _any, "value": _any}, frozenset()),
}
TOP = frozenset(SHAPES) - {"Number", "Stream", "Parameter"}


def parse(body: bytes | str) -> Document:
    """Read a document; whatever is wrong comes back as flaws, never as an exception."""
    data = body.encode() if isinstance(body, str) else body
    if len(data) > MAX_BYTES:
        return _broken(TOO_LARGE, f"The document has more than {MAX_BYTES} bytes.")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return _broken(PARSE_FAILURE, "A document type declaration is not allowed.")
    try:
        root = ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError) as error:
        return _broken(PARSE_FAILURE, f"The document does not parse: {error}.")
    if root.tag != "Response":
        return _broken(PARSE_FAILURE, f"The root is <{root.tag}>, not <Response>.")
    flaws: list[Flaw] = []
    if (root.text or "").strip() or any((each.tail or "").strip() for each in root):
        flaws.append(Flaw(SCHEMA_PROBLEM, "<Response> has text of its own.", fatal=False))
    verbs = _verbs(root, TOP, flaws)
    document = Document(verbs, tuple(flaws))
    return Document((), document.flaws) if document.fatal else document


def _broken(code: int, message: str) -> Document:
    return Document((), (Flaw(code, message),))


def _verbs(parent: ET.Element, allowed: frozenset[str], flaws: list[Flaw]) -> tuple[Verb, ...]:
    found = []
    for element in parent:
        if element.tag not in allowed:
            flaws.append(Flaw(SCHEMA_PROBLEM, f"<{element.tag}> may not stand here."))
            continue
        found.append(_verb(element, flaws))
    return tuple(found)


def _verb(element: ET.Element, flaws: list[Flaw]) -> Verb:
    name = str(element.tag)
    checks, children = SHAPES[name]
    for attribute, value in element.attrib.items():
        check = checks.get(attribute)
        if check is None:
            what = f"<{name}> has no attribute {attribute}."
            flaws.append(Flaw(SCHEMA_PROBLEM, what, fatal=False))
        elif not check(value):
            flaws.append(Flaw(SCHEMA_PROBLEM, f"<{name} {attribute}> may not be {value!r}."))
    text = " ".join("".join(element.itertext()).split())
    if name == "Say":
        flaws.extend(_speech_flaws(element, text))
        return Verb(name, dict(element.attrib), text)
    verb = Verb(name, dict(element.attrib), text, _verbs(element, children, flaws))
    flaws.extend(_body_flaws(verb))
    return verb


def _speech_flaws(element: ET.Element, text: str) -> Sequence[Flaw]:
    flaws = [
        Flaw(SCHEMA_PROBLEM, f"<{inner.tag}> is no speech mark-up.")
        for inner in element.iter()
        if inner is not element and inner.tag not in SSML
    ]
    limit = speech_limit(element.get("voice", ""))
    if len(text) > limit:
        flaws.append(Flaw(TEXT_TOO_LONG, f"<Say> has {len(text)} characters, more than {limit}."))
    if not text:
        flaws.append(Flaw(NOTHING_TO_SAY, "<Say> has nothing to say.", fatal=False))
    return flaws


def speech_limit(voice: str) -> int:
    """The longest text of a `<Say>` with this voice."""
    if voice.startswith("Polly."):
        return 3_000
    return 5_000 if voice.startswith("Google.") else 4_096


def _body_flaws(verb: Verb) -> Sequence[Flaw]:
    """What a verb needs besides well-formed attributes."""
    name, has = verb.name, verb.attributes
    wrong: str | None = None
    if name == "Play" and bool(verb.text) == ("digits" in has):
        wrong = "<Play> needs either an address or digits."
    elif name == "Redirect" and not _url(verb.text):
        wrong = "<Redirect> needs an address."
    elif name == "Number" and not re.fullmatch(r"\+?[0-9().\- ]{3,24}", verb.text):
        wrong = "<Number> needs a telephone number."
    elif name == "Dial" and not verb.children and not verb.text:
        wrong = "<Dial> has nobody to call."
    elif name in ("Connect", "Start") and len(verb.children) != 1:
        wrong = f"<{name}> needs one <Stream>."
    elif name == "Stream" and not has.get("url") and not has.get("name"):
        wrong = "<Stream> needs an address."
    elif name == "Stream" and "?" in has.get("url", ""):
        wrong = "The address of <Stream> may not have a query string."
    elif name == "Parameter" and len(has.get("name", "") + has.get("value", "")) > 500:
        wrong = "<Parameter> has more than 500 characters."
    return () if wrong is None else (Flaw(SCHEMA_PROBLEM, wrong),)
