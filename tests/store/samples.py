"""Calls and events for the tests of the store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sidecar.call.model import (
    Call,
    Direction,
    EndReason,
    Line,
    Mode,
    Speaker,
    State,
    Turn,
)
from sidecar.ports import JournalEvent, NewEvent, Write

OURS = "+15550000001"
THEIRS = "+15550000002"


def a_call(call_id: str = "c1", started_at_ms: int = 1_000, **members: Any) -> Call:
    """A live outbound conversation."""
    call = Call(
        call_id=call_id,
        provider="mock",
        direction=Direction.OUTBOUND,
        mode=Mode.CONVERSATION,
        state=State.LISTENING,
        from_number=OURS,
        to_number=THEIRS,
        session_key=f"voice:{call_id}",
        started_at_ms=started_at_ms,
        provider_call_id=f"p-{call_id}",
    )
    return replace(call, **members)


def an_ended_call(
    call_id: str = "c1",
    started_at_ms: int = 1_000,
    reason: EndReason = EndReason.COMPLETED,
    **members: Any,
) -> Call:
    members.setdefault("ended_at_ms", started_at_ms + 100)
    return a_call(call_id, started_at_ms, state=State.ENDED, end_reason=reason, **members)


def said(*texts: str) -> tuple[Line, ...]:
    return tuple(Line(at, Speaker.BOT, text) for at, text in enumerate(texts))


def timed(*totals: int) -> tuple[Turn, ...]:
    return tuple(Turn(index, index, {"total": total}) for index, total in enumerate(totals))


def an_event(type: str = "call.active", call_id: str | None = "c1", at_ms: int = 5) -> NewEvent:
    return NewEvent(at_ms, type, call_id, {})


def events(*types: str, call_id: str | None = "c1", at_ms: int = 5) -> Write:
    return Write(events=[an_event(type, call_id, at_ms) for type in types])


def seqs(found: Sequence[JournalEvent]) -> list[int]:
    return [event.seq for event in found]


def ids(calls: Sequence[Call]) -> list[str]:
    return [call.call_id for call in calls]
