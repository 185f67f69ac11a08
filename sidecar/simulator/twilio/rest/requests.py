"""What the REST API accepts: the parameters of creating and updating a call, checked as strictly as
Twilio checks them, and its errors."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.talk.stage import Instructions
from sidecar.simulator.twilio.talk.twiml import keys

Form = Sequence[tuple[str, str]]

EVENTS = ("initiated", "ringing", "answered", "completed")
MAX_TWIML = 4_000
MAX_URL = 4_000


class RestError(Exception):
    """An answer other than success, in Twilio's classic form."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, object]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class Create:
    """An accepted request to place a call."""

    to_number: str
    from_number: str
    document: Instructions
    fallback: Hook | None
    status: Hook | None
    events: tuple[str, ...]
    send_digits: str
    timeout_s: int
    time_limit_s: int
    detection: str | None
    async_detection: bool
    machine: Hook | None
    detection_timeout_s: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """An accepted change of a call: a new document, or its end."""

    document: Instructions | None
    status: str | None
    warnings: tuple[str, ...]


def _whole(low: int, high: int) -> Callable[[str], bool]:
    return lambda value: bool(re.fullmatch(r"\d{1,9}", value)) and low <= int(value) <= high


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda value: value in words


def is_url(value: str) -> bool:
    """A complete address that Twilio would request; a host name may not have underscores."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    whole = parts.scheme in ("http", "https") and bool(host) and "_" not in host
    return whole and value.isascii() and not re.search(r"\s", value) and len(value) <= MAX_URL


METHOD = _one_of("GET", "POST")
BOOL = _one_of("true", "false")

# Codes that the protocol notes do not name are the ones of Twilio's error dictionary.
CHECKS: Mapping[str, tuple[Callable[[str], bool], int]] = {
    "Url": (is_url, 21205),
    "Method": (METHOD, 21209),
    "FallbackUrl": (is_url, 21205),
    "FallbackMethod": (METHOD, 21209),
    "StatusCallback": (is_url, 21609),
    "StatusCallbackMethod": (METHOD, 21209),
    "StatusCallbackEvent": (_one_of(*EVENTS), 21626),
    "SendDigits": (keys, 21206),
    "Timeout": (_whole(1, 600), 21208),
    "TimeLimit": (_whole(1, 86_400), 20001),
    "MachineDetection": (_one_of("Enable", "DetectMessageEnd"), 20001),
    "MachineDetectionTimeout": (_whole(3, 59), 20001),
    "MachineDetectionSpeechThreshold": (_whole(1_000, 6_000), 20001),
    "MachineDetectionSpeechEndThreshold": (_whole(500, 5_000), 20001),
    "MachineDetectionSilenceTimeout": (_whole(2_000, 10_000), 20001),
    "AsyncAmd": (BOOL, 20001),
    "AsyncAmdStatusCallback": (is_url, 21609),
    "AsyncAmdStatusCallbackMethod": (METHOD, 21209),
    "Record": (BOOL, 20001),
    "Trim": (_one_of("trim-silence", "do-not-trim"), 20001),
    "RecordingChannels": (_one_of("mono", "dual"), 20001),
    "RecordingTrack": (_one_of("inbound", "outbound", "both"), 20001),
    "RecordingStatusCallback": (is_url, 21609),
    "RecordingStatusCallbackMethod": (METHOD, 21209),
    "RecordingStatusCallbackEvent": (_one_of("in-progress", "completed", "absent"), 20001),
}
UNCHECKED = frozenset(
    [
        "To",
        "From",
        "Twiml",
        "ApplicationSid",
        "CallerId",
        "CallReason",
        "CallToken",
        "SipAuthUsername",
        "SipAuthPassword",
        "Byoc",
        "Passports",
        "ClientNotificationUrl",
        "RecordingConfigurationId",
    ]
)
REPEATED = frozenset({"StatusCallbackEvent", "RecordingStatusCallbackEvent"})
CREATES = frozenset(CHECKS) | UNCHECKED
UPDATES = frozenset(
    [
        "Url",
        "Method",
        "Twiml",
        "Status",
        "FallbackUrl",
        "FallbackMethod",
        "StatusCallback",
        "StatusCallbackMethod",
        "TimeLimit",
    ]
)


def create_of(form: Form, numbers: frozenset[str] | None) -> Create:
    """Check a request for a call. `numbers` are those of the account; None takes any."""
    given = dict(form)
    if not given.get("To"):
        raise RestError(400, 21201, "No 'To' number is specified")
    if not given.get("From"):
        raise RestError(400, 21213, "No 'From' number is specified")
    if not is_destination(given["To"]):
        raise RestError(400, 21211, f"Invalid 'To' Phone Number: {given['To']}")
    if not is_destination(given["From"]):
        raise RestError(400, 21212, f"Invalid 'From' Phone Number: {given['From']}")
    if numbers is not None and given["From"] not in numbers:
        message = "The source phone number provided is not yet verified for your account."
        raise RestError(400, 21210, message)
    warnings = _checked(form, CREATES)
    document = _document(given)
    if document is None:
        raise RestError(400, 21205, "Url parameter is required.")
    if "Url" in given and "Twiml" in given:
        warnings.append("Twiml is ignored beside Url.")
    events = tuple(value for name, value in form if name == "StatusCallbackEvent")
    digits = given.get("SendDigits", "")
    return Create(
        to_number=given["To"],
        from_number=given["From"],
        document=document,
        fallback=_hook(given, "FallbackUrl", "FallbackMethod"),
        status=_hook(given, "StatusCallback", "StatusCallbackMethod"),
        events=events or ("completed",),
        send_digits=digits,
        timeout_s=int(given.get("Timeout", "60")),
        time_limit_s=int(given.get("TimeLimit", "14400")),
        detection=None if digits else given.get("MachineDetection"),
        async_detection=given.get("AsyncAmd") == "true",
        machine=_hook(given, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"),
        detection_timeout_s=int(given.get("MachineDetectionTimeout", "30")),
        warnings=tuple(warnings),
    )


def update_of(form: Form) -> Update:
    """Check a request to change a call."""
    given = dict(form)
    warnings = _checked(form, UPDATES)
    if "Url" in given and "Twiml" in given:
        raise RestError(400, 20001, "Url and Twiml exclude each other.")
    status = given.get("Status")
    if status is not None and status not in ("completed", "canceled"):
        raise RestError(400, 20001, f"Status may not be {status}.")
    document = _document(given)
    if document is None and status is None:
        warnings.append("The update changes nothing that is simulated.")
    return Update(document, status, tuple(warnings))


def is_destination(value: str) -> bool:
    """A number as E.164, a SIP address or a client's name."""
    if value.startswith(("sip:", "client:")):
        return len(value) > 7
    return bool(re.fullmatch(r"\+[1-9]\d{6,14}", value))


def _checked(form: Form, known: frozenset[str]) -> list[str]:
    """Refuse what Twilio refuses; gives what it would take without a word but cannot be meant."""
    warnings = []
    seen: set[str] = set()
    for name, value in form:
        if name not in known and name != "Status":
            warnings.append(f"{name} is not a parameter of this request.")
        if name in seen and name not in REPEATED:
            warnings.append(f"{name} is given more than once.")
        seen.add(name)
        check, code = CHECKS.get(name, (lambda value: True, 0))
        if not check(value):
            raise RestError(400, code, f"{name} is not valid: {value[:100]}")
        if name == "Twiml" and len(value) > MAX_TWIML:
            message = f"Twiml has {len(value)} characters, more than {MAX_TWIML}."
            raise RestError(400, 32018, message)
    return warnings


def _document(given: Mapping[str, str]) -> Instructions | None:
    url = _hook(given, "Url", "Method")
    if url is not None:
        return Instructions(url=url)
    return Instructions(twiml=given["Twiml"]) if given.get("Twiml") else None


def _hook(given: Mapping[str, str], url: str, method: str) -> Hook | None:
    return Hook(given[url], given.get(method, "POST")) if given.get(url) else None
