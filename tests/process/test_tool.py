"""`voicecall.tool`: every action of the agent tool, both forms, and failures as results."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, sidecar
from tests.process.peer import TO


def use(process: Sidecar, **arguments: Any) -> dict[str, Any]:
    """The details of a tool result, its shape checked."""
    result = process.call("voicecall.tool", arguments)
    assert set(result) == {"content", "details"}
    (text,) = result["content"]
    assert set(text) == {"type", "text"}
    assert text["type"] == "text"
    assert json.loads(text["text"]) == result["details"]
    details: dict[str, Any] = result["details"]
    return details


def test_a_whole_call_by_actions(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"replies": ["Fine."]}, toNumber=TO) as process:
        made = use(
            process,
            action="initiate_call",
            message="Hello.",
            to="+15550002222",
            mode="conversation",
            dtmfSequence="1w2",
        )
        call_id = made["callId"]
        assert made == {"callId": call_id, "initiated": True}
        process.event("call.listening", call_id)
        answer = use(process, action="continue_call", callId=call_id, message="How are you?")
        assert answer == {"success": True, "transcript": "Fine."}
        said = use(process, action="speak_to_user", callId=call_id, message="Good.")
        assert said == {"success": True}
        assert use(process, action="send_dtmf", callId=call_id, digits="12#") == {"success": True}
        found = use(process, action="get_status", callId=call_id)
        assert found["found"] is True
        assert found["call"]["to"] == "+15550002222"
        assert use(process, action="end_call", callId=call_id) == {"success": True}
        process.event("call.ended", call_id)
        assert use(process, action="get_status", callId="nobody") == {"found": False}
        made = use(process, action="initiate_call", message="Hello.")
        assert process.record(made["callId"])["to"] == TO
        assert process.record(made["callId"])["mode"] == "notify"


def test_the_older_form(line: Sidecar) -> None:
    made = use(line, mode="call", to=TO, message="Hello.")
    call_id = made["callId"]
    assert made["initiated"] is True
    found = use(line, mode="status", sid=call_id)
    assert (found["found"], found["call"]["callId"]) == (True, call_id)
    line.hang_up(call_id)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "fly"},
        {"action": "initiate_call"},
        {"action": "initiate_call", "message": " ", "to": TO},
        {"action": "initiate_call", "message": "a", "to": "12"},
        {"action": "continue_call", "callId": "nobody", "message": "a"},
        {"action": "continue_call", "message": "a"},
        {"action": "speak_to_user", "callId": "nobody", "message": "a"},
        {"action": "send_dtmf", "callId": "nobody", "digits": "x"},
        {"action": "send_dtmf", "callId": "nobody"},
        {"action": "end_call"},
        {"action": "end_call", "callId": "nobody"},
        {"action": "get_status"},
        {"mode": "status"},
        {"mode": "call", "to": TO},
        {"action": 5},
        {"unknown": 1},
    ],
)
def test_a_failure_is_a_result_with_details_error(line: Sidecar, arguments: dict[str, Any]) -> None:
    details = use(line, **arguments)
    assert isinstance(details["error"], str)
    assert details["error"].strip()
    assert not line.call("voicecall.status")["calls"]


def test_policy_and_limits_are_failures_too(tmp_path: Path) -> None:
    with sidecar(tmp_path, outbound={"denyTo": [TO]}, maxConcurrentCalls=1) as process:
        assert "error" in use(process, action="initiate_call", message="Hi.", to=TO)
        process.listening(to="+15550002222")
        assert "error" in use(process, action="initiate_call", message="a", to="+15550003333")


def test_what_an_agent_writes_is_made_speakable(line: Sidecar) -> None:
    made = use(line, action="initiate_call", message="**Hello** you.", to=TO, mode="conversation")
    assert line.event("call.speaking", made["callId"])["text"] == "Hello you."
    line.event("call.listening", made["callId"])
    line.hang_up(made["callId"])


def test_a_sidecar_that_is_switched_off_says_so_to_every_action_but_the_status(
    tmp_path: Path,
) -> None:
    with sidecar(tmp_path, enabled=False) as process:
        for arguments in (
            {"action": "initiate_call", "message": "Hello.", "to": TO},
            {"action": "speak_to_user", "callId": "gone", "message": "Hello."},
            {"action": "end_call", "callId": "gone"},
            {"mode": "call", "message": "Hello.", "to": TO},
        ):
            assert use(process, **arguments)["kind"] == "disabled"
        assert use(process, action="get_status", callId="gone") == {"found": False}
