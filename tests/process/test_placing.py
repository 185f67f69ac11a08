"""Placing calls on the mock line: results, events in order, the record, and what is refused."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, WebSocketPeer, sidecar
from tests.process.peer import TO, Peer

NOTIFY = {"to": TO, "message": "Your order is ready.", "mode": "notify"}


def test_a_notify_call_says_its_message_waits_and_hangs_up(tmp_path: Path) -> None:
    with sidecar(tmp_path, outbound={"notifyHangupDelaySec": 1}) as process:
        result = process.call("voicecall.initiate", NOTIFY)
        assert set(result) == {"callId", "initiated"}
        call_id = result["callId"]
        played = process.event("call.utterance", call_id)
        ended = process.event("call.ended", call_id)
        assert process.types(call_id) == [
            "call.initiated",
            "call.ringing",
            "call.answered",
            "call.active",
            "call.speaking",
            "call.utterance",
            "call.ended",
        ]
        assert played["outcome"] == "played"
        assert played["heardText"] == NOTIFY["message"]
        assert 900 <= ended["at"] - played["at"] <= 3_000
        assert ended["reason"] == "hangup-bot"


def test_without_a_delay_notify_hangs_up_at_once(tmp_path: Path) -> None:
    with sidecar(tmp_path, outbound={"notifyHangupDelaySec": 0}) as process:
        begun = time.monotonic()
        call_id = process.call("voicecall.initiate", NOTIFY)["callId"]
        process.event("call.ended", call_id)
        assert time.monotonic() - begun < 2


def test_a_conversation_in_the_order_of_the_contract(line: Sidecar) -> None:
    call_id = line.listening(message="Hello there.")
    ended = line.hang_up(call_id)
    events = line.events(call_id)
    assert [event["type"] for event in events] == [
        "call.initiated",
        "call.ringing",
        "call.answered",
        "call.active",
        "call.speaking",
        "call.utterance",
        "call.listening",
        "call.ended",
    ]
    seqs = [event["seq"] for event in events]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    speaking, uttered = events[4], events[5]
    assert set(speaking) == {"seq", "at", "type", "callId", "text", "utteranceId"}
    assert speaking["text"] == "Hello there."
    assert set(uttered) == {
        "seq",
        "at",
        "type",
        "callId",
        "utteranceId",
        "outcome",
        "heardText",
        "heardMs",
    }
    assert uttered["utteranceId"] == speaking["utteranceId"]
    assert (uttered["outcome"], uttered["heardText"]) == ("played", "Hello there.")
    assert isinstance(uttered["heardMs"], int)
    assert set(ended) == {"seq", "at", "type", "callId", "reason", "call"}
    assert ended["reason"] == "hangup-bot"


def test_the_record_has_the_members_of_the_contract(line: Sidecar) -> None:
    metadata = {"order": 7, "deep": {"list": [1, None, "x"]}}
    call_id = line.listening(metadata=metadata)
    record = line.record(call_id)
    assert set(record) == {
        "callId",
        "providerCallId",
        "provider",
        "direction",
        "mode",
        "state",
        "from",
        "to",
        "sessionKey",
        "startedAt",
        "answeredAt",
        "transcript",
        "turns",
        "dtmf",
        "metadata",
    }
    assert record["state"] == "listening"
    assert record["from"] == "+15550000000", "the mock line's own number"
    assert record["to"] == TO
    assert record["sessionKey"] == "voice:15550001234"
    assert record["metadata"] == metadata
    assert record["startedAt"] <= record["answeredAt"] <= time.time() * 1000 + 1000
    (said,) = record["transcript"]
    assert set(said) == {"timestamp", "speaker", "text", "isFinal"}
    assert (said["speaker"], said["text"], said["isFinal"]) == ("bot", "Hello.", True)
    ended = line.hang_up(call_id)
    after = line.record(call_id)
    assert ended["call"] == after
    assert (after["state"], after["endReason"]) == ("hangup-bot", "hangup-bot")
    assert after["endedAt"] >= after["answeredAt"]


def test_the_answer_of_initiate_is_written_before_the_first_event(line: Sidecar) -> None:
    """On the connection that asked, and on every one of many calls at once."""
    since = line.mark
    ids = [
        line.request("voicecall.initiate", {"to": TO, "message": "Hi.", "mode": "conversation"})
        for _ in range(20)
    ]
    calls = [line.result(id)["callId"] for id in ids]
    for call_id in calls:
        line.event("call.listening", call_id)
    seen: set[str] = set()
    for message in line.messages[since:]:
        if "result" in message and "callId" in (message["result"] or {}):
            seen.add(message["result"]["callId"])
        elif message.get("method") == "voicecall.event":
            assert message["params"]["callId"] in seen
    for call_id in calls:
        line.hang_up(call_id)


def test_to_falls_back_to_to_number(line: Sidecar) -> None:
    result = line.call("voicecall.initiate", {"message": "Hi.", "mode": "conversation"})
    assert line.record(result["callId"])["to"] == "+15550009999"
    line.hang_up(result["callId"])


def test_the_default_mode_is_notify(line: Sidecar) -> None:
    result = line.call("voicecall.initiate", {"message": "Hi."})
    assert line.record(result["callId"])["mode"] == "notify"
    line.hang_up(result["callId"])


def test_message_and_call_id_are_trimmed(line: Sidecar) -> None:
    call_id = line.listening(message="  \n Hello.\t ")
    assert line.event("call.speaking", call_id)["text"] == "Hello."
    assert line.call("voicecall.speak", {"callId": f" {call_id}\n", "message": " x "}) == {
        "success": True
    }
    line.hang_up(call_id)


def test_start_needs_no_message_and_then_listens(line: Sidecar) -> None:
    result = line.call("voicecall.start", {"to": TO})
    call_id = result["callId"]
    assert result == {"callId": call_id, "initiated": True}
    line.event("call.listening", call_id)
    assert line.types(call_id) == [
        "call.initiated",
        "call.ringing",
        "call.answered",
        "call.active",
        "call.listening",
    ]
    assert line.record(call_id)["mode"] == "conversation"
    line.hang_up(call_id)


def test_an_explicit_session_key_wins(line: Sidecar) -> None:
    call_id = line.dial(sessionKey="mine")
    assert line.record(call_id)["sessionKey"] == "mine"
    line.event("call.listening", call_id)
    line.hang_up(call_id)


def test_dtmf_sequence_goes_out_before_the_talk(line: Sidecar) -> None:
    call_id = line.listening(dtmfSequence="ww123#")
    assert line.types(call_id)[-3:] == ["call.speaking", "call.utterance", "call.listening"]
    line.hang_up(call_id)


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        ({"to": TO}, ["message"]),
        ({"message": "", "to": TO}, ["message"]),
        ({"message": "  \n", "to": TO}, ["message"]),
        ({"message": 5, "to": TO}, ["message"]),
        ({"message": "a" * 4001, "to": TO}, ["message"]),
        ({"message": "a", "to": "5550001234"}, ["to"]),
        ({"message": "a", "to": "+0123456789"}, ["to"]),
        ({"message": "a", "to": "+1555000123456789"}, ["to"]),
        ({"message": "a", "to": "+1 555 000 1234"}, ["to"]),
        ({"message": "a", "to": None}, ["to"]),
        ({"message": "a", "to": TO, "mode": "chat"}, ["mode"]),
        ({"message": "a", "to": TO, "metadata": []}, ["metadata"]),
        ({"message": "a", "to": TO, "metadata": {"a": "x" * 16_384}}, ["metadata"]),
        ({"message": "a", "to": TO, "mode": "notify", "dtmfSequence": "1"}, ["dtmfSequence"]),
        (
            {"message": "a", "to": TO, "mode": "conversation", "dtmfSequence": "1x"},
            ["dtmfSequence"],
        ),
        (
            {"message": "a", "to": TO, "mode": "conversation", "dtmfSequence": "1" * 33},
            ["dtmfSequence"],
        ),
        ({"message": "a", "to": TO, "force": "yes"}, ["force"]),
        ({"message": "a", "to": TO, "idempotencyKey": ""}, ["idempotencyKey"]),
        ({"message": "", "to": "x", "mode": 1}, ["message", "to", "mode"]),
    ],
)
def test_what_initiate_refuses(line: Sidecar, params: dict[str, Any], fields: list[str]) -> None:
    error = line.fails("voicecall.initiate", params)
    assert (error.code, error.kind) == (-32602, "invalidParams")
    assert {entry["field"] for entry in error.data["errors"]} == set(fields)
    assert error.data["field"] in fields
    assert error.data["retryable"] is False


def test_four_thousand_characters_and_sixteen_kibibytes_are_allowed(line: Sidecar) -> None:
    metadata = {"a": "x" * (16_384 - len('{"a":""}') - 1)}
    call_id = line.listening(message="a" * 4_000, metadata=metadata)
    assert line.record(call_id)["metadata"] == metadata
    line.hang_up(call_id)


def test_neither_to_nor_to_number(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        error = process.fails("voicecall.initiate", {"message": "Hi."})
        assert (error.code, error.data["field"]) == (-32602, "to")
        error = process.fails("voicecall.start", {"message": "Hi."})
        assert (error.code, error.data["field"]) == (-32602, "to")


def test_a_notify_start_without_a_message_is_invalid(line: Sidecar) -> None:
    error = line.fails("voicecall.start", {"to": TO, "mode": "notify"})
    assert (error.code, error.data["field"]) == (-32602, "message")


def test_verbs_work_on_both_doors_and_both_see_the_events(
    line: Sidecar, browser: WebSocketPeer, door: Peer
) -> None:
    call_id = door.listening()
    door.hang_up(call_id)
    for peer in (line, browser):
        peer.event("call.ended", call_id)
    assert line.events(call_id) == browser.events(call_id)
