"""Twilio's callbacks: the addresses we hand out for them, and what they report. Pure.

Signatures are in `signature`, the documents that callbacks are answered with in `twiml`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from urllib.parse import parse_qsl, quote

from sidecar.call.events import (
    Answered,
    AudioEvent,
    CarrierEvent,
    DigitsHeard,
    DigitsSent,
    Heard,
    LegEnded,
    LineLive,
    MachineDetected,
    Outcome,
    Ringing,
    SilenceHeard,
    Spoken,
    TransferDone,
    TransferFailed,
)
from sidecar.call.model import EndReason
from sidecar.errors import CarrierError, Problem
from sidecar.ports import HttpRequest, InboundLeg, News
from sidecar.providers.twilio.signature import Form, form_of, replay_key


class Kind(StrEnum):
    """What a callback is for; `type` in its address."""

    ANSWER = "answer"
    STATUS = "status"
    GATHER = "gather"
    HOLD = "hold"
    SPOKEN = "spoken"
    DIAL = "dial"
    BRIDGE = "bridge"
    MACHINE = "amd"


UNHEEDED = frozenset({Kind.STATUS, Kind.BRIDGE, Kind.MACHINE})
"""Callbacks whose answer Twilio does not run."""

ENDED: dict[str, EndReason | None] = {
    "completed": None,
    "busy": EndReason.BUSY,
    "no-answer": EndReason.NO_ANSWER,
    "failed": EndReason.FAILED,
    # Only the API cancels a call, and only we use the API.
    "canceled": EndReason.HANGUP_BOT,
}
"""The final statuses of a call, and what they say of its end."""
GOING_ON = frozenset({"queued", "initiated", "ringing", "in-progress"})

_TRANSFERRED = frozenset({"completed", "answered"})
_NOT_TRANSFERRED = {
    "busy": "The number the call was to be transferred to is busy.",
    "no-answer": "Nobody answered at the number the call was to be transferred to.",
    "failed": "The number the call was to be transferred to could not be reached.",
    "canceled": "The transfer was given up before anybody answered.",
}
_DETECTED = {
    "human": ("human", False),
    "machine_start": ("voicemail", False),
    "machine_end_beep": ("voicemail", True),
    "machine_end_silence": ("voicemail", True),
    "machine_end_other": ("voicemail", True),
    "fax": ("fax", False),
    "unknown": ("unknown", False),
}

USUAL_CHARS_PER_S = 15
FASTEST_CHARS_PER_S = 30
SLOWEST_CHARS_PER_S = 8
"""How fast carrier voices speak: Twilio does not tell how much of a text was heard."""


@dataclass(frozen=True, slots=True)
class Playing:
    """What the last document handed to Twilio says. `by_itself`: it went out with the call, and
    nothing but the end of the call tells of its end."""

    utterance_id: str
    text: str
    started_at_ms: int
    by_itself: bool = False

    def usual_ms(self) -> int:
        return len(self.text) * 1_000 // USUAL_CHARS_PER_S


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses for callbacks, each with a nonce, so that no two real requests sign alike."""

    base: str
    nonce: Callable[[], str]

    def to(self, kind: Kind, call_id: str, **more: str | int) -> str:
        query = {"callId": call_id, "type": kind.value, **more, "n": self.nonce()}
        pairs = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return f"{self.base}{'&' if '?' in self.base else '?'}{pairs}"


@dataclass(frozen=True, slots=True)
class Callback:
    """A request of Twilio's, in its parts. `kind` is None for a type that is not ours; `key` is
    what a repetition of the request bears too."""

    kind: Kind | None
    query: dict[str, str]
    form: Form
    key: str

    @property
    def call_id(self) -> str | None:
        return self.query.get("callId") or None

    @property
    def leg_id(self) -> str:
        return self.form.first("CallSid")

    @property
    def status(self) -> str:
        return self.form.first("CallStatus")


@dataclass(frozen=True, slots=True)
class Reading:
    """The news in a callback. `unknown` is a value of Twilio's that is in no document."""

    news: Sequence[News]
    unknown: str | None = None


def read(request: HttpRequest) -> Callback:
    """Take a request apart; raises `CarrierError` for one that Twilio would not send."""
    form = form_of(request)
    if not form.first("CallSid"):
        raise CarrierError(
            Problem("carrierRejected", "The webhook was not understood: `CallSid` is missing.")
        )
    query = dict(parse_qsl(request.url.partition("?")[2], errors="replace"))
    key = sha256(replay_key(request).encode("utf-8", "surrogatepass")).hexdigest()
    return Callback(_kind(query.get("type"), form), query, form, f"twilio:{key}")


def _kind(type: str | None, form: Form) -> Kind | None:
    """An address without `type` stands in Twilio's console, as the voice URL of a number, and
    perhaps as its status callback too."""
    if type is None:
        return Kind.STATUS if form.first("CallStatus") in ENDED else Kind.ANSWER
    return Kind(type) if type in set(Kind) else None


def parse(callback: Callback, now_ms: int, playing: Playing | None) -> Reading:
    """What the callback reports, in order. `playing` is what the call's last document says."""
    events: list[CarrierEvent | AudioEvent] = []
    unknown = None
    match callback.kind:
        case Kind.STATUS:
            unknown = _status(callback, now_ms, playing, events)
        case Kind.ANSWER:
            events += _live(callback, now_ms)
        case Kind.GATHER | Kind.HOLD | Kind.SPOKEN:
            events += _heard(callback, now_ms, playing)
        case Kind.DIAL:
            unknown = _dial_over(callback, now_ms, events)
        case Kind.BRIDGE:
            return _bridge(callback, now_ms)
        case Kind.MACHINE:
            unknown = _machine(callback, now_ms, events)
        case _:
            unknown = callback.query.get("type")
    if callback.kind not in UNHEEDED and callback.status in ENDED:
        events.append(LegEnded(now_ms, ENDED[callback.status]))
    leg = _new_leg(callback)
    if not events:
        meaningless = unknown is not None and callback.kind in UNHEEDED
        return Reading(() if meaningless else (_about(callback, None, 0, leg),), unknown)
    return Reading(
        tuple(_about(callback, event, place, leg) for place, event in enumerate(events)), unknown
    )


def _about(
    callback: Callback,
    event: CarrierEvent | AudioEvent | None,
    place: int,
    leg: InboundLeg | None,
) -> News:
    # Only what would count twice needs a key: all else changes nothing when it comes again.
    repeated = isinstance(event, DigitsHeard | SilenceHeard)
    return News(
        event=event,
        key=f"{callback.key}:{place}" if repeated else None,
        call_id=callback.call_id,
        provider_call_id=callback.leg_id,
        leg=leg,
    )


# -- the single kinds -----------------------------------------------------------------------------


def _new_leg(callback: Callback) -> InboundLeg | None:
    """A call that did not begin with us: a caller's, or one placed elsewhere and pointed at us."""
    if callback.kind is not Kind.ANSWER or callback.call_id is not None:
        return None
    form = callback.form
    return InboundLeg(
        provider_call_id=callback.leg_id,
        from_number=form.first("From"),
        to_number=form.first("To"),
        outbound=form.first("Direction").startswith("outbound"),
    )


def _live(callback: Callback, now_ms: int) -> list[CarrierEvent | AudioEvent]:
    """Twilio asks for the first document: the far end is there."""
    if callback.status in ENDED:
        return []
    if callback.query.get("digits") == "sent":
        return [LineLive(now_ms), DigitsSent(now_ms)]
    return [LineLive(now_ms)]


def _status(
    callback: Callback,
    now_ms: int,
    playing: Playing | None,
    events: list[CarrierEvent | AudioEvent],
) -> str | None:
    status = callback.status
    by_itself = callback.query.get("carries") == "message"
    if status == "ringing":
        events.append(Ringing(now_ms))
    elif status == "in-progress":
        events.append(LineLive(now_ms) if by_itself else Answered(now_ms))
    elif status == "completed":
        # Only an answered call is completed, whatever was told of it before.
        events.append(LineLive(now_ms) if by_itself else Answered(now_ms))
        events += over(playing, _number(callback.form.first("CallDuration")), now_ms)
    elif status in ENDED:
        events.append(LegEnded(now_ms, ENDED[status]))
    elif status not in GOING_ON:
        return status
    return None


def over(
    playing: Playing | None, duration_s: float | None, now_ms: int
) -> list[CarrierEvent | AudioEvent]:
    """An answered call has ended. What it was saying counts as said when the call lasted for it: a
    message that went out with the call is followed by our own hang-up."""
    ended = LegEnded(now_ms)
    if playing is None:
        return [ended]
    elapsed_ms = max(0, now_ms - playing.started_at_ms)
    if not playing.by_itself:
        slowest_ms = len(playing.text) * 1_000 // SLOWEST_CHARS_PER_S
        return (
            [_played(playing, elapsed_ms, now_ms), ended] if elapsed_ms >= slowest_ms else [ended]
        )
    # Twilio counts in whole seconds.
    lasted_ms = None if duration_s is None else int(duration_s * 1_000) + 999
    if lasted_ms is not None and lasted_ms < len(playing.text) * 1_000 // FASTEST_CHARS_PER_S:
        return [ended]
    heard_ms = elapsed_ms if lasted_ms is None else lasted_ms
    return [_played(playing, heard_ms, now_ms), LegEnded(now_ms, EndReason.HANGUP_BOT)]


def _played(playing: Playing, elapsed_ms: int, now_ms: int) -> Spoken:
    heard_ms = min(elapsed_ms, playing.usual_ms())
    return Spoken(now_ms, playing.utterance_id, Outcome.PLAYED, playing.text, heard_ms)


def _heard(
    callback: Callback, now_ms: int, playing: Playing | None
) -> list[CarrierEvent | AudioEvent]:
    """What the caller said or keyed in. Whatever it is, what we were saying is over; words carry
    that with them, so that nothing comes between a prompt and its answer. Twilio does not tell
    whether the caller let us finish."""
    form, query = callback.form, callback.query
    events: list[CarrierEvent | AudioEvent] = []
    spoken: Spoken | None = None
    if utterance_id := query.get("u"):
        if playing is not None and playing.utterance_id == utterance_id:
            spoken = _played(playing, max(0, now_ms - playing.started_at_ms), now_ms)
        else:
            spoken = Spoken(now_ms, utterance_id, Outcome.INTERRUPTED, "", 0)
    turn, words, digits = query.get("turn", ""), form.first("SpeechResult"), form.first("Digits")
    if spoken is not None and not words:
        events.append(spoken)
    if digits:
        events.append(DigitsHeard(now_ms, digits))
    if words:
        confidence = _number(form.first("Confidence"))
        language = form.first("Language") or None
        events.append(Heard(now_ms, words, turn, confidence, language, spoken))
    silence_s = _number(query.get("s", ""))
    if not (digits or words) and silence_s:
        events.append(SilenceHeard(now_ms, int(silence_s * 1_000), turn))
    return events


def _dial_over(
    callback: Callback, now_ms: int, events: list[CarrierEvent | AudioEvent]
) -> str | None:
    status = callback.form.first("DialCallStatus")
    if status in _TRANSFERRED:
        events.append(TransferDone(now_ms))
        return None
    why = _NOT_TRANSFERRED.get(status)
    events.append(TransferFailed(now_ms, why or "The call could not be transferred."))
    return status if why is None else None


def _bridge(callback: Callback, now_ms: int) -> Reading:
    """About the leg to the transfer's target: its own `CallSid` is not that of our call."""
    there = callback.status == "in-progress"
    event = TransferDone(now_ms) if there else None
    parent = callback.form.first("ParentCallSid") or None
    return Reading((News(event=event, call_id=callback.call_id, provider_call_id=parent),))


def _machine(
    callback: Callback, now_ms: int, events: list[CarrierEvent | AudioEvent]
) -> str | None:
    answered_by = callback.form.first("AnsweredBy")
    found = _DETECTED.get(answered_by)
    if found is None:
        return answered_by
    # Whoever or whatever was recognised has answered.
    events += [Answered(now_ms), MachineDetected(now_ms, *found)]
    return None


def _number(text: str) -> float | None:
    """A number from 0 to a billion; carriers' figures are not to be relied on."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1e9 else None
