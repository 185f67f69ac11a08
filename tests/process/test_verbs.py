"""Every verb on the mock line: its result, its events in order, and each way it can be refused."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import TO, Peer, Sidecar, WebSocketPeer, checked_error, sidecar

NOTIFY = {"to": TO, "message": "Your order is ready.", "mode": "notify"}


# -- initiate and start ----------------------------------------------------------------------------


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


# -- continue --------------------------------------------------------------------------------------


def say(line: Sidecar, call_id: str, text: str, **members: Any) -> None:
    news = {"type": "call.speech", "callId": call_id, "transcript": text, "isFinal": True}
    assert line.webhook({**news, **members}) == (200, {"accepted": 1})


def waiting(line: Sidecar, call_id: str, id: str, message: str = "And?") -> None:
    """A continue that has said its prompt and waits."""
    since = line.mark
    line.request("voicecall.continue", {"callId": call_id, "message": message}, id=id)
    line.event("call.listening", call_id, since)


def test_continue_speaks_and_waits_for_the_caller(line: Sidecar) -> None:
    call_id = line.listening()
    since = line.mark
    waiting(line, call_id, "w1", "How are you?")
    say(line, call_id, "Fine.", confidence=0.5)
    assert line.result("w1") == {"success": True, "transcript": "Fine."}
    events = line.events(call_id, since)
    assert [event["type"] for event in events[:4]] == [
        "call.speaking",
        "call.utterance",
        "call.listening",
        "call.speech",
    ]
    speech = line.event("call.speech", call_id)
    assert {"transcript", "isFinal", "confidence"} <= set(speech)
    assert (speech["transcript"], speech["isFinal"], speech["confidence"]) == ("Fine.", True, 0.5)
    texts = [(entry["speaker"], entry["text"]) for entry in line.record(call_id)["transcript"]]
    assert texts == [("bot", "Hello."), ("bot", "How are you?"), ("user", "Fine.")]
    line.hang_up(call_id)


def test_two_at_once_are_busy(line: Sidecar) -> None:
    call_id = line.listening()
    waiting(line, call_id, "b1")
    error = line.fails("voicecall.continue", {"callId": call_id, "message": "More?"})
    assert (error.code, error.kind) == (-32004, "busy")
    assert error.data["callId"] == call_id
    say(line, call_id, "Here.")
    assert line.result("b1")["transcript"] == "Here."
    line.hang_up(call_id)


def test_a_caller_who_hangs_up_while_it_waits(line: Sidecar) -> None:
    call_id = line.listening()
    waiting(line, call_id, "h1")
    line.webhook({"type": "call.ended", "callId": call_id, "reason": "hangup-user"})
    error = checked_error(line.answer("h1")["error"])
    assert (error.code, error.kind) == (-32002, "callEnded")
    assert error.data["reason"] == "hangup-user"
    assert error.data["callId"] == call_id
    assert line.event("call.ended", call_id)["reason"] == "hangup-user"


def test_a_timeout_leaves_the_call(tmp_path: Path) -> None:
    with sidecar(tmp_path, transcriptTimeoutMs=200) as process:
        call_id = process.listening()
        error = process.fails("voicecall.continue", {"callId": call_id, "message": "And?"})
        assert (error.code, error.kind) == (-32008, "transcriptTimeout")
        assert error.data["callId"] == call_id
        assert process.record(call_id)["state"] == "listening"
        error = process.fails("voicecall.continue", {"callId": call_id, "message": "Again?"})
        assert error.code == -32008
        process.hang_up(call_id)


def test_the_result_of_an_operation_can_be_fetched_later(line: Sidecar) -> None:
    call_id = line.listening()
    since = line.mark
    params = {"callId": call_id, "message": "And?"}
    operation = line.call("voicecall.continue.start", params)
    assert set(operation) == {"operationId"}
    line.event("call.listening", call_id, since)
    assert line.call("voicecall.continue.result", operation) == {"status": "pending"}
    assert line.fails("voicecall.continue", params).code == -32004
    second = line.call("voicecall.continue.start", params)
    failed = line.call("voicecall.continue.result", second)
    while failed == {"status": "pending"}:
        failed = line.call("voicecall.continue.result", second)
    assert set(failed) == {"status", "error"}
    assert failed["status"] == "failed"
    assert checked_error(failed["error"]).code == -32004
    say(line, call_id, "Well.")
    done = {"status": "done", "transcript": "Well."}
    result = line.call("voicecall.continue.result", operation)
    while result == {"status": "pending"}:
        result = line.call("voicecall.continue.result", operation)
    assert result == done
    assert line.call("voicecall.continue.result", operation) == done, "kept"
    line.hang_up(call_id)
    error = line.fails("voicecall.continue.result", {"operationId": "nobody"})
    assert (error.code, error.kind) == (-32017, "notFound")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("voicecall.continue", {"message": "a"}),
        ("voicecall.continue.start", {"message": "a"}),
        ("voicecall.speak", {"message": "a"}),
        ("voicecall.dtmf", {"digits": "1"}),
        ("voicecall.end", {}),
    ],
)
class TestOnOneCall:
    """What every verb on a call has in common."""

    def test_an_unknown_call(self, line: Sidecar, method: str, params: dict[str, Any]) -> None:
        error = line.fails(method, {"callId": "nobody", **params})
        assert (error.code, error.kind) == (-32001, "callNotFound")
        assert error.data["retryable"] is False

    def test_a_call_id_is_needed(self, line: Sidecar, method: str, params: dict[str, Any]) -> None:
        for given in ({}, {"callId": ""}, {"callId": "  "}, {"callId": 7}):
            error = line.fails(method, {**given, **params})
            assert (error.code, error.data["field"]) == (-32602, "callId")

    def test_a_call_that_has_ended(
        self, line: Sidecar, ended: str, method: str, params: dict[str, Any]
    ) -> None:
        if method == "voicecall.end":
            assert line.call(method, {"callId": ended}) == {"success": True}
            return
        if method == "voicecall.continue.start":
            return
        error = line.fails(method, {"callId": ended, **params})
        assert (error.code, error.kind) == (-32002, "callEnded")
        assert error.data["reason"] == "hangup-bot"
        assert error.data["callId"] == ended


@pytest.fixture(scope="module")
def ended(line: Sidecar) -> str:
    call_id = line.listening()
    line.hang_up(call_id)
    return call_id


def test_speaking_before_the_answer_is_the_wrong_state(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"speed": 1.0, "ringMs": 60_000}) as process:
        call_id = process.dial()
        for method, params in (
            ("voicecall.speak", {"message": "a"}),
            ("voicecall.continue", {"message": "a"}),
            ("voicecall.dtmf", {"digits": "1"}),
        ):
            error = process.fails(method, {"callId": call_id, **params})
            assert (error.code, error.kind) == (-32003, "wrongState"), method
            assert error.data["callId"] == call_id
        assert process.record(call_id)["state"] == "initiated"
        assert process.hang_up(call_id)["reason"] == "hangup-bot"


# -- speak, dtmf, end, transfer --------------------------------------------------------------------


def test_speak_queues_behind_what_is_being_said_in_order(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"speed": 20.0, "ringMs": 0, "answerMs": 0}) as process:
        call_id = process.dial(message="This is the first thing that is said today.")
        process.event("call.speaking", call_id)
        texts = ["One two three.", "Four five six.", "Seven."]
        for text in texts:
            params = {"callId": call_id, "message": text}
            assert process.call("voicecall.speak", params) == {"success": True}
        process.event("call.listening", call_id)
        said = [e for e in process.events(call_id) if e["type"] in ("call.speaking",)]
        assert [event["text"] for event in said][1:] == texts
        outcomes = [e["outcome"] for e in process.events(call_id) if e["type"] == "call.utterance"]
        assert outcomes == ["played"] * 4
        kinds = [t for t in process.types(call_id) if t in ("call.speaking", "call.utterance")]
        assert kinds == ["call.speaking", "call.utterance"] * 4
        process.hang_up(call_id)


def test_end_cuts_and_after_playout_does_not(tmp_path: Path) -> None:
    text = "Every word of this long sentence takes a third of a second to be said aloud."
    with sidecar(tmp_path, mock={"speed": 10.0, "ringMs": 0, "answerMs": 0}) as process:
        cut = process.dial(message=text)
        process.event("call.speaking", cut)
        process.hang_up(cut)
        uttered = process.event("call.utterance", cut)
        assert uttered["outcome"] == "interrupted"
        assert text.startswith(uttered["heardText"])
        assert len(uttered["heardText"]) < len(text)
        assert process.types(cut)[-2:] == ["call.utterance", "call.ended"]
        for entry in process.record(cut)["transcript"]:
            assert entry["interrupted"] is True

        whole = process.dial(message=text)
        process.event("call.speaking", whole)
        params = {"callId": whole, "afterPlayout": True}
        assert process.call("voicecall.end", params) == {"success": True}
        assert process.event("call.ended", whole)["reason"] == "hangup-bot"
        assert process.event("call.utterance", whole)["outcome"] == "played"
        (entry,) = process.record(whole)["transcript"]
        assert entry["text"] == text
        assert "interrupted" not in entry


def test_dtmf(line: Sidecar) -> None:
    call_id = line.listening()
    for digits in ("0123456789", "ABCD*#", "wW1"):
        params = {"callId": call_id, "digits": digits}
        assert line.call("voicecall.dtmf", params) == {"success": True}
    for digits in ("", "12a", "1 2", "1" * 33, 12):
        error = line.fails("voicecall.dtmf", {"callId": call_id, "digits": digits})
        assert (error.code, error.data["field"]) == (-32602, "digits")
    line.hang_up(call_id)


def test_end_of_an_ended_call_is_success(line: Sidecar) -> None:
    call_id = line.listening()
    line.hang_up(call_id)
    for _ in range(2):
        assert line.call("voicecall.end", {"callId": call_id}) == {"success": True}
    line.settle()
    assert line.types(call_id).count("call.ended") == 1


def test_a_call_can_be_named_by_the_carriers_id(line: Sidecar) -> None:
    call_id = line.listening()
    theirs = line.record(call_id)["providerCallId"]
    found = line.call("voicecall.status", {"callId": theirs})
    assert (found["found"], found["call"]["callId"]) == (True, call_id)
    line.hang_up(call_id)
    found = line.call("voicecall.status", {"callId": theirs})
    assert found["call"]["endReason"] == "hangup-bot"
    assert line.call("voicecall.status", {"callId": "nobody"}) == {"found": False}


def test_transfer_follows_allow_to(tmp_path: Path) -> None:
    outbound = {"allowTo": ["+15550001234", "+44*"], "denyTo": ["+4470*"]}
    with sidecar(tmp_path, outbound=outbound) as process:
        call_id = process.listening()
        for to, policy in (("+15550009999", "allowTo"), ("+447012345678", "denyTo")):
            error = process.fails("voicecall.transfer", {"callId": call_id, "to": to})
            assert (error.code, error.kind) == (-32011, "refusedByPolicy")
            assert error.data["policy"] == policy
        error = process.fails("voicecall.transfer", {"callId": call_id, "to": "110"})
        assert (error.code, error.data["field"]) == (-32602, "to")
        error = process.fails("voicecall.transfer", {"callId": "nobody", "to": "+442012345678"})
        assert error.code == -32001
        params = {"callId": call_id, "to": "+442012345678", "message": "One moment."}
        assert process.call("voicecall.transfer", params) == {"success": True}
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "completed"
        assert process.types(call_id)[-4:] == [
            "call.speaking",
            "call.utterance",
            "call.transferred",
            "call.ended",
        ]
        error = process.fails("voicecall.transfer", {"callId": call_id, "to": "+442012345678"})
        assert error.code == -32002


def test_an_empty_allow_list_allows_no_transfer(line: Sidecar) -> None:
    call_id = line.listening()
    error = line.fails("voicecall.transfer", {"callId": call_id, "to": TO})
    assert (error.code, error.data["policy"]) == (-32011, "allowTo")
    line.hang_up(call_id)


# -- what the line can do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")],
)
def test_a_line_that_does_not_answer(tmp_path: Path, outcome: str, reason: str) -> None:
    with sidecar(tmp_path, mock={"outcome": outcome}) as process:
        call_id = process.dial()
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == reason
        assert ended["call"]["state"] == reason
        assert "call.answered" not in process.types(call_id)
        assert "answeredAt" not in ended["call"]


def test_machine_detection_ends_at_a_voicemail(tmp_path: Path) -> None:
    config = {"mock": {"outcome": "voicemail"}, "outbound": {"machineDetection": "detect"}}
    with sidecar(tmp_path, **config) as process:
        call_id = process.dial()
        ended = process.event("call.ended", call_id)
        assert process.event("call.machine", call_id)["result"] == "voicemail"
        assert (ended["reason"], ended["call"]["machine"]) == ("voicemail", "voicemail")


def test_a_message_can_be_left(tmp_path: Path) -> None:
    config = {"mock": {"outcome": "voicemail"}, "outbound": {"machineDetection": "leave-message"}}
    with sidecar(tmp_path, **config) as process:
        call_id = process.dial(message="Please call back.")
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "voicemail"
        uttered = process.event("call.utterance", call_id)
        assert (uttered["outcome"], uttered["heardText"]) == ("played", "Please call back.")


def test_the_far_end_speaks_its_lines_to_continue_and_then_hangs_up(tmp_path: Path) -> None:
    mock = {"replies": ["Hello.", "Bye."], "hangupAfterReplies": True}
    with sidecar(tmp_path, mock=mock) as process:
        call_id = process.listening()
        for text in ("Hello.", "Bye."):
            params = {"callId": call_id, "message": "And?"}
            result = process.call("voicecall.continue", params)
            assert result == {"success": True, "transcript": text}
        assert process.event("call.ended", call_id)["reason"] == "hangup-user"


def test_timers(tmp_path: Path) -> None:
    slow = {"speed": 1.0, "ringMs": 60_000}
    with sidecar(tmp_path / "a", ringTimeoutMs=200, mock=slow) as process:
        call_id = process.dial()
        assert process.event("call.ended", call_id)["reason"] == "no-answer"
    with sidecar(tmp_path / "b", maxDurationSeconds=1) as process:
        call_id = process.dial()
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "timeout"
        assert 900 <= ended["at"] - ended["call"]["answeredAt"] <= 3_000
    with sidecar(tmp_path / "c", staleCallReaperSeconds=1, mock=slow) as process:
        call_id = process.dial()
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "timeout"
        assert 900 <= ended["at"] - ended["call"]["startedAt"] <= 4_000


# -- history, latency, setup -----------------------------------------------------------------------


def test_history_pages_newest_first_and_filters(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        numbers = [f"+1555000{n:04}" for n in range(5)]
        calls = []
        for number in numbers:
            calls.append(process.listening(to=number))
            if number != numbers[-1]:
                process.hang_up(calls[-1])
        newest_first = list(reversed(calls))

        whole = process.call("voicecall.history")
        assert [call["callId"] for call in whole["calls"]] == newest_first
        assert "nextCursor" not in whole

        found, cursor, pages = [], None, 0
        while True:
            params = {"limit": 2} if cursor is None else {"limit": 2, "before": cursor}
            page = process.call("voicecall.history", params)
            found += [call["callId"] for call in page["calls"]]
            pages += 1
            cursor = page.get("nextCursor")
            if cursor is None:
                break
            assert len(page["calls"]) == 2
        assert (found, pages) == (newest_first, 3)

        def ids(**params: Any) -> list[str]:
            result = process.call("voicecall.history", params)
            return [call["callId"] for call in result["calls"]]

        assert ids(to=numbers[1]) == [calls[1]]
        assert ids(**{"from": "+15550000000"}) == newest_first
        assert ids(**{"from": numbers[1]}) == []
        assert ids(state="listening") == [calls[-1]]
        assert ids(state="hangup-bot") == newest_first[1:]
        assert ids(direction="inbound") == []
        assert ids(direction="outbound", limit=500) == newest_first
        for params, field in (
            ({"limit": 0}, "limit"),
            ({"limit": 501}, "limit"),
            ({"limit": True}, "limit"),
            ({"limit": "5"}, "limit"),
            ({"state": "gone"}, "state"),
            ({"direction": "up"}, "direction"),
            ({"to": "x"}, "to"),
            ({"from": "x"}, "from"),
            ({"before": "no cursor"}, "before"),
            ({"before": 5}, "before"),
        ):
            error = process.fails("voicecall.history", params)
            assert (error.code, error.data["field"]) == (-32602, field), params


def test_latency_counts_turns(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"replies": ["A.", "B.", "C."]}) as process:
        empty = process.call("voicecall.latency")
        assert set(empty) == {"recordsScanned", "turnLatency", "listenWait", "firstAudio"}
        assert empty["recordsScanned"] == 0
        for name in ("turnLatency", "listenWait", "firstAudio"):
            assert set(empty[name]) == {"count", "minMs", "maxMs", "avgMs", "p50Ms", "p95Ms"}
            assert empty[name]["count"] == 0
        call_id = process.listening()
        for _ in range(3):
            process.call("voicecall.continue", {"callId": call_id, "message": "And?"})
        process.call("voicecall.speak", {"callId": call_id, "message": "Good."})
        turn = process.event("call.turn", call_id)
        assert all(isinstance(value, int) for value in turn["latency"].values())
        process.hang_up(call_id)
        full = process.call("voicecall.latency", {"last": 200})
        assert full["recordsScanned"] == 3
        assert full["turnLatency"]["count"] == 3
        assert len(process.record(call_id)["turns"]) == 3
        assert process.call("voicecall.latency", {"last": 1})["recordsScanned"] == 1
        assert process.call("voicecall.latency", {"last": 10**30})["recordsScanned"] == 3
        assert process.fails("voicecall.latency", {"last": 0}).code == -32602


def test_setup_on_the_mock_line_is_ready(line: Sidecar) -> None:
    setup = line.call("voicecall.setup")
    assert set(setup) == {"ok", "provider", "checks"}
    assert (setup["ok"], setup["provider"]) == (True, "mock")
    for check in setup["checks"]:
        assert (
            {"id", "status", "message"}
            <= set(check)
            <= {
                "id",
                "status",
                "key",
                "message",
                "fix",
            }
        )
        assert check["status"] in ("ok", "warn")


def test_a_provider_without_credentials_still_serves(tmp_path: Path) -> None:
    with sidecar(tmp_path, provider="twilio", toNumber=TO) as process:
        assert process.ready()["provider"] == "twilio"
        setup = process.call("voicecall.setup")
        assert setup["ok"] is False
        assert any(check["status"] == "fail" and "fix" in check for check in setup["checks"])
        assert process.call("voicecall.status") == {"calls": []}
        error = process.fails("voicecall.initiate", {"message": "Hi."})
        assert (error.code, error.kind) == (-32006, "notConfigured")
        assert {"twilio.accountSid", "twilio.authToken", "fromNumber"} <= set(error.data["missing"])
        assert error.data["retryable"] is False


def test_a_carrier_that_nobody_can_reach_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        config: dict[str, Any] = {
            "provider": "twilio",
            "fromNumber": "+15557770000",
            "publicUrl": "https://voice.invalid/voice/webhook",
            "twilio": {
                "accountSid": "AC" + "0" * 32,
                "authToken": "secret-token-xyz",
                "baseUrl": base_url,
            },
        }
        with sidecar(tmp_path, **config) as process:
            assert process.ready()["provider"] == "twilio"
            assert process.ready()["publicUrl"] == config["publicUrl"]
            error = process.fails("voicecall.initiate", NOTIFY, timeout=30)
            assert (error.code, error.kind) == (-32010, "carrierUnavailable")
            assert error.data["retryable"] is True, "certainly no call was created"
            ended = process.event("call.ended", error.data["callId"])
            assert ended["reason"] == "failed"
            assert process.types() == ["call.initiated", "call.ended"]
            assert "secret-token-xyz" not in process.stderr_text


def test_unknown_pairing_codes_are_not_found(line: Sidecar) -> None:
    error = line.fails("voicecall.pairing.approve", {"code": "000000"})
    assert (error.code, error.kind) == (-32017, "notFound")
    assert line.fails("voicecall.pairing.approve", {"code": " "}).code == -32602
    assert line.fails("voicecall.pairing.approve").code == -32602


def test_verbs_work_on_both_doors_and_both_see_the_events(
    line: Sidecar, browser: WebSocketPeer, door: Peer
) -> None:
    call_id = door.listening()
    door.hang_up(call_id)
    for peer in (line, browser):
        peer.event("call.ended", call_id)
    assert line.events(call_id) == browser.events(call_id)
