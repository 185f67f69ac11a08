"""The wire's view of a call."""

from dataclasses import replace

import pytest

from sidecar.call.model import (
    Call,
    Direction,
    EndReason,
    Line,
    Mode,
    Origin,
    Speaker,
    State,
    Turn,
    Utterance,
)
from sidecar.rpc.schema import CallRecord, to_wire

CALL = Call(
    call_id="c1",
    provider="mock",
    direction=Direction.OUTBOUND,
    mode=Mode.CONVERSATION,
    state=State.LISTENING,
    from_number="+15550000000",
    to_number="+15550001234",
    session_key="voice:15550001234",
    started_at_ms=1_000,
)
SAYING = Utterance(utterance_id="u1", text="Hello.", turn="t1", origin=Origin.MESSAGE)


def test_new_call_shows_what_is_known_and_nothing_else() -> None:
    assert to_wire(CallRecord.of(CALL)) == {
        "callId": "c1",
        "provider": "mock",
        "direction": "outbound",
        "mode": "conversation",
        "state": "listening",
        "from": "+15550000000",
        "to": "+15550001234",
        "sessionKey": "voice:15550001234",
        "startedAt": 1_000,
        "transcript": [],
        "turns": [],
        "dtmf": "",
    }


def test_full_call_shows_everything() -> None:
    call = replace(
        CALL,
        state=State.ENDED,
        end_reason=EndReason.HANGUP_USER,
        provider_call_id="CA1",
        answered_at_ms=2_000,
        ended_at_ms=9_000,
        machine="human",
        dtmf="12",
        metadata={"orderId": 7, "note": None},
        transcript=(
            Line(3_000, Speaker.BOT, "Hello", interrupted=True),
            Line(4_000, Speaker.USER, "Yes?"),
        ),
        turns=(Turn(0, 4_000, {"endpointing": 300, "bargeInStop": 180, "total": 900}),),
    )
    wire = to_wire(CallRecord.of(call))
    assert wire["state"] == wire["endReason"] == "hangup-user"
    assert (wire["answeredAt"], wire["endedAt"]) == (2_000, 9_000)
    assert (wire["providerCallId"], wire["machine"], wire["dtmf"]) == ("CA1", "human", "12")
    assert wire["metadata"] == {"orderId": 7, "note": None}
    assert wire["transcript"] == [
        {
            "timestamp": 3_000,
            "speaker": "bot",
            "text": "Hello",
            "isFinal": True,
            "interrupted": True,
        },
        {"timestamp": 4_000, "speaker": "user", "text": "Yes?", "isFinal": True},
    ]
    assert wire["turns"] == [
        {
            "index": 0,
            "startedAt": 4_000,
            "latency": {"endpointing": 300, "bargeInStop": 180, "total": 900},
        }
    ]


@pytest.mark.parametrize(
    "state", [state for state in State if state not in (State.ENDING, State.ENDED)]
)
def test_open_call_shows_its_own_state(state: State) -> None:
    assert CallRecord.of(replace(CALL, state=state)).state == state.value


def test_ending_call_shows_what_it_was_and_no_end_reason() -> None:
    call = replace(
        CALL, state=State.ENDING, before_ending=State.ACTIVE, end_reason=EndReason.HANGUP_BOT
    )
    record = CallRecord.of(call)
    assert record.state == "active"
    assert record.end_reason is None


@pytest.mark.parametrize("reason", list(EndReason))
def test_ended_call_shows_its_end_reason_as_state(reason: EndReason) -> None:
    record = CallRecord.of(replace(CALL, state=State.ENDED, end_reason=reason))
    assert record.state == record.end_reason == reason.value


def test_utterance_in_playout_is_the_last_line_and_not_final() -> None:
    call = replace(
        CALL,
        state=State.SPEAKING,
        saying=SAYING,
        answered_at_ms=2_000,
        transcript=(Line(3_000, Speaker.USER, "Hm?"),),
    )
    assert to_wire(CallRecord.of(call))["transcript"][-1] == {
        "timestamp": 3_000,
        "speaker": "bot",
        "text": "Hello.",
        "isFinal": False,
    }


def test_first_utterance_bears_the_time_of_the_answer() -> None:
    call = replace(CALL, state=State.SPEAKING, saying=SAYING, answered_at_ms=2_000)
    assert CallRecord.of(call).transcript[-1].timestamp == 2_000


def test_utterance_that_does_not_sound_yet_is_not_shown() -> None:
    assert CallRecord.of(replace(CALL, state=State.RINGING, saying=SAYING)).transcript == []
