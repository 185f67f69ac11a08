"""The mock line's webhook: `{"events": [...]}` in, carrier news out (calls.md, "The mock line")."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidecar.call.events import (
    Answered,
    CarrierEvent,
    CarrierFault,
    DigitsHeard,
    Heard,
    LegEnded,
    LineLive,
    Ringing,
    SilenceHeard,
)
from sidecar.call.model import EndReason
from sidecar.errors import CarrierError, Problem
from sidecar.ports import InboundLeg, News

Members = Mapping[str, Any]

KEYS = frozenset("0123456789ABCD*#")

INITIATED = "call.initiated"
"""Tells of a leg and of nothing that happened to it."""


def parse_events(body: bytes, now_ms: int, our_number: str) -> Sequence[News]:
    """Carrier news in the order of the body; raises `CarrierError` for what is not such a body."""
    return [_news(event, now_ms, our_number) for event in event_list(body)]


def event_list(body: bytes) -> list[Members]:
    """The events of a body, those of a type that is not known here left out."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _malformed("the body is not JSON") from error
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise _malformed("`events` must be a list of objects")
    return [event for event in events if _is_known(event.get("type"))]


def _is_known(type: object) -> bool:
    """What is no type at all is not unknown but malformed."""
    return not isinstance(type, str) or type == INITIATED or type in READERS


def _news(event: Members, now_ms: int, our_number: str) -> News:
    type = _text(event, "type", required=True)
    provider_call_id = _text(event, "providerCallId")
    call_id = _text(event, "callId")
    if provider_call_id is None and call_id is None:
        raise _malformed("an event needs `providerCallId`")
    key = _text(event, "id")
    happened, partial = None, None
    if type == "call.speech" and event.get("isFinal") is False:
        partial = _text(event, "transcript", required=True)
    elif (read := READERS.get(type or "")) is not None:
        happened = read(event, now_ms)
    return News(
        event=happened,
        partial=partial,
        key=f"mock:{key}" if key is not None else None,
        call_id=call_id,
        provider_call_id=provider_call_id,
        leg=_leg(event, provider_call_id, our_number),
    )


def _leg(event: Members, provider_call_id: str | None, our_number: str) -> InboundLeg | None:
    direction = _text(event, "direction")
    if direction is None or provider_call_id is None:
        return None
    if direction not in ("inbound", "outbound"):
        raise _malformed("`direction` must be inbound or outbound")
    outbound = direction == "outbound"
    return InboundLeg(
        provider_call_id=provider_call_id,
        from_number=_text(event, "from") or (our_number if outbound else ""),
        to_number=_text(event, "to") or our_number,
        outbound=outbound,
    )


def _speech(event: Members, now_ms: int) -> CarrierEvent:
    text = _text(event, "transcript", required=True) or ""
    return Heard(now_ms, text, confidence=_number(event, "confidence"))


def _silence(event: Members, now_ms: int) -> CarrierEvent:
    return SilenceHeard(now_ms, int(_number(event, "durationMs") or 0))


def _digits(event: Members, now_ms: int) -> CarrierEvent:
    digits = _text(event, "digits", required=True) or ""
    if not digits or set(digits) - KEYS:
        raise _malformed("`digits` must be keys of a telephone: 0-9 A-D * #")
    return DigitsHeard(now_ms, digits)


def _ended(event: Members, now_ms: int) -> CarrierEvent:
    reason = _text(event, "reason")
    known = [reason for reason in EndReason if reason.value == event.get("reason")]
    return LegEnded(now_ms, known[0] if known and reason is not None else None)


def _fault(event: Members, now_ms: int) -> CarrierEvent:
    retryable = event.get("retryable", False)
    if not isinstance(retryable, bool):
        raise _malformed("`retryable` must be true or false")
    return CarrierFault(now_ms, _text(event, "error") or "The line reported an error.", retryable)


READERS: dict[str, Callable[[Members, int], CarrierEvent]] = {
    "call.ringing": lambda event, now_ms: Ringing(now_ms),
    "call.answered": lambda event, now_ms: Answered(now_ms),
    "call.active": lambda event, now_ms: LineLive(now_ms),
    "call.speech": _speech,
    "call.silence": _silence,
    "call.dtmf": _digits,
    "call.ended": _ended,
    "call.error": _fault,
}


def _text(event: Members, name: str, *, required: bool = False) -> str | None:
    value = event.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise _malformed(f"`{name}` must be a string")
    return value


def _number(event: Members, name: str) -> float | None:
    value = event.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _malformed(f"`{name}` must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _malformed(f"`{name}` must be a finite number")
    return number


def _malformed(what: str) -> CarrierError:
    return CarrierError(Problem("carrierRejected", f"The mock webhook was not understood: {what}."))
