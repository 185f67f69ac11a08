"""The verbs on a running call: continue, speak, dtmf, end, transfer; and how each is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, sidecar
from tests.process.peer import TO, checked_error

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
