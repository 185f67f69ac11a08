"""The mock line feels like a call, and the configuration decides what kind."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, configuration, sidecar
from tests.process.peer import TO


def test_the_line_takes_its_time_divided_by_speed(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"speed": 2.0}) as process:
        call_id = process.dial(message="One two three four five six.")
        process.event("call.listening", call_id)
        at = {event["type"]: event["at"] for event in process.events(call_id)}
        assert 140 <= at["call.ringing"] - at["call.initiated"] <= 400
        assert 340 <= at["call.answered"] - at["call.ringing"] <= 700
        uttered = process.event("call.utterance", call_id)
        assert 950 <= uttered["at"] - at["call.speaking"] <= 1_500, "six words at 180 a minute"
        assert 950 <= uttered["heardMs"] <= 1_050


def test_without_machine_detection_everything_is_a_person(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock={"outcome": "voicemail"}) as process:
        call_id = process.listening()
        assert "call.machine" not in process.types(call_id)
        assert process.record(call_id)["state"] == "listening"


def test_the_legacy_name_of_the_mock_line_is_a_warning(tmp_path: Path) -> None:
    with sidecar(tmp_path, provider="log") as process:
        assert process.ready()["provider"] == "mock"
        setup = process.call("voicecall.setup")
        assert setup["ok"] is True
        assert any(c["status"] == "warn" and "log" in c["message"] for c in setup["checks"])


def test_the_default_mode_and_the_default_wait_can_be_set(tmp_path: Path) -> None:
    with sidecar(tmp_path, outbound={"defaultMode": "conversation"}) as process:
        result = process.call("voicecall.initiate", {"to": TO, "message": "Hi."})
        assert process.record(result["callId"])["mode"] == "conversation"


def test_the_webhook_path_can_be_set(tmp_path: Path) -> None:
    with sidecar(tmp_path, serve={"port": 0, "path": "/hooks/voice/"}) as process:
        assert "/hooks/voice" in process.ready()["webhookUrl"]
        event = {"type": "call.ringing", "providerCallId": "x"}
        assert process.webhook(event) == (200, {"accepted": 1})


def test_a_body_over_64_kib_is_413(line: Sidecar) -> None:
    body = json.dumps({"events": [], "x": "a" * 70_000}).encode()
    assert line.webhook(body=body)[0] == 413
    body = json.dumps({"events": [], "x": "a" * 60_000}).encode()
    assert line.webhook(body=body)[0] == 200


def test_secrets_may_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    tmp_path.joinpath("token").write_text("from-file-secret\n")
    config: dict[str, Any] = configuration(
        provider="twilio",
        fromNumber="${MY_NUMBER}",
        publicUrl="https://voice.invalid/voice/webhook",
        twilio={
            "accountSid": "AC" + "0" * 32,
            "authToken": {"source": "path", "id": str(tmp_path / "token")},
        },
    )
    with Sidecar(tmp_path, config, env={"MY_NUMBER": "+15557770000"}) as process:
        checks = {c["id"]: c for c in process.call("voicecall.setup")["checks"]}
        assert checks["credentials"]["status"] == "ok"
        process.end_input()
        process.wait()
        written = process.stderr_text + b"".join(process.lines).decode()
        assert "from-file-secret" not in written


def test_a_public_url_that_no_carrier_can_reach_fails_the_setup(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "provider": "twilio",
        "fromNumber": "+15557770000",
        "twilio": {"accountSid": "AC" + "0" * 32, "authToken": "x"},
    }
    for url in (None, "https://192.168.1.5/voice/webhook", "https://100.64.0.1/voice/webhook"):
        given = config if url is None else {**config, "publicUrl": url}
        with sidecar(tmp_path, **given) as process:
            setup = process.call("voicecall.setup")
            assert setup["ok"] is False, url
            assert any(
                c["status"] == "fail" and c.get("key") == "publicUrl" for c in setup["checks"]
            )


def test_a_full_disk_is_store_unavailable_and_running_calls_are_ended_properly(
    tmp_path: Path,
) -> None:
    """A limit on file sizes stands in for the full disk; lifting it is making room again."""
    with sidecar(tmp_path, outbound={"notifyHangupDelaySec": 0}) as process:
        call_id = process.listening()
        pid = process.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1_024, hard))
        wish = {"to": TO, "message": "Hi.", "mode": "conversation"}
        error = process.fails("voicecall.initiate", wish)
        assert (error.code, error.kind) == (-32013, "storeUnavailable")
        for method, params in (
            ("voicecall.speak", {"callId": call_id, "message": "Hi."}),
            ("events.ack", {"seq": 1}),
        ):
            assert process.fails(method, params).kind == "storeUnavailable", method
        news = {"type": "call.dtmf", "callId": call_id, "digits": "1"}
        assert process.webhook(news)[0] >= 500, "not acknowledged before it is durable"
        assert process.call("voicecall.status")["calls"][0]["callId"] == call_id
        process.request("voicecall.end", {"callId": call_id}, id="e")
        process.answer("e")

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        ended = process.event("call.ended", call_id, timeout=20)
        assert ended["reason"] == "hangup-bot"
        again = process.listening()
        process.hang_up(again)
        seqs = [event["seq"] for event in process.events()]
        assert seqs == list(range(1, len(seqs) + 1))
        assert "Traceback" not in process.stderr_text
    with sidecar(tmp_path) as process:
        assert process.record(call_id)["endReason"] == "hangup-bot"


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
