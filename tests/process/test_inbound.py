"""Calls that come in through the mock line's webhook: its door, its news, and who may call."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.process.harness import Sidecar, http_request, sidecar

US = "+15550000000"
CALLER = "+15553334444"


def ring(leg: str, **members: Any) -> dict[str, Any]:
    return {
        "id": f"n-{leg}",
        "type": "call.initiated",
        "providerCallId": leg,
        "direction": "inbound",
        "from": CALLER,
        "to": US,
        **members,
    }


def news(type: str, id: str, **members: Any) -> dict[str, Any]:
    return {"type": type, "providerCallId": id, **members}


# -- the door --------------------------------------------------------------------------------------


def test_the_token_is_needed(line: Sidecar) -> None:
    event = news("call.ringing", "nobody")
    assert line.webhook(event, token=None)[0] == 401
    assert line.webhook(event, token="wrong")[0] == 401
    assert line.webhook(event, token="")[0] == 401
    assert line.webhook(event) == (200, {"accepted": 1})


def test_the_token_file_serves_when_the_environment_has_none(tmp_path: Path) -> None:
    with sidecar_without_token(tmp_path) as process:
        file = Path(process.ready()["ws"]["tokenFile"])
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        token = file.read_text().strip()
        assert len(token) >= 20
        event = news("call.ringing", "nobody")
        assert process.webhook(event, token=token) == (200, {"accepted": 1})
        assert process.webhook(event, token="x")[0] == 401
        with process.websocket(token=token) as peer:
            peer.call("sidecar.ping")
        assert token not in process.stderr_text


def sidecar_without_token(home: Path) -> Sidecar:
    from tests.process.harness import configuration

    return Sidecar(home, configuration(), env={"VOICECALL_RPC_TOKEN": None})


def test_accepted_counts_the_events(line: Sidecar) -> None:
    assert line.webhook() == (200, {"accepted": 0})
    two = [news("call.ringing", "a"), news("call.ringing", "b")]
    assert line.webhook(*two) == (200, {"accepted": 2})


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"events": {}}', b'{"events": [1]}', b'{"events": [{}]}'],
)
def test_a_body_that_makes_no_sense_is_400_and_changes_nothing(line: Sidecar, body: bytes) -> None:
    since = line.mark
    assert line.webhook(body=body)[0] == 400
    line.settle()
    assert line.events(since=since) == []


def test_types_that_are_not_known_are_passed_over(line: Sidecar) -> None:
    events = [news("call.horoscope", "nobody"), news("call.ringing", "nobody")]
    assert line.webhook(*events) == (200, {"accepted": 1})


def test_only_the_routes_of_the_contract(line: Sidecar) -> None:
    parts = urlsplit(line.ready()["webhookUrl"])
    base = f"{parts.scheme}://{parts.netloc}"
    assert http_request("GET", f"{base}/healthz") == (200, {"status": "ok"})
    assert http_request("GET", f"{base}/")[0] == 404
    assert http_request("GET", f"{base}/metrics")[0] == 404
    assert http_request("GET", f"{base}/voice/stream")[0] == 404
    assert http_request("GET", f"{base}/voice/webhook")[0] == 405
    assert http_request("POST", f"{base}/healthz", b"{}")[0] == 405
    assert http_request("POST", f"{base}/voice/webhook/", b"{}")[0] == 401


# -- who may call ----------------------------------------------------------------------------------


def test_an_open_line_greets_and_listens(tmp_path: Path) -> None:
    numbers = {"+15559990000": {"inboundGreeting": "Second line."}}
    config = {"inboundPolicy": "open", "inboundGreeting": "Good day.", "numbers": numbers}
    with sidecar(tmp_path, **config) as process:
        assert process.webhook(ring("p1")) == (200, {"accepted": 1})
        event = process.event("call.listening")
        call_id = event["callId"]
        record = process.record(call_id)
        assert (record["direction"], record["mode"]) == ("inbound", "conversation")
        assert (record["from"], record["to"]) == (CALLER, US)
        assert record["providerCallId"] == "p1"
        assert record["sessionKey"] == "voice:15553334444"
        types = [t for t in process.types(call_id) if t != "call.ringing"]
        assert types == [
            "call.initiated",
            "call.answered",
            "call.active",
            "call.speaking",
            "call.utterance",
            "call.listening",
        ]
        assert process.event("call.speaking", call_id)["text"] == "Good day."

        # The same news again is no second call.
        assert process.webhook(ring("p1")) == (200, {"accepted": 1})
        assert process.webhook(ring("p1", id="other")) == (200, {"accepted": 1})
        process.settle()
        assert len(process.call("voicecall.status")["calls"]) == 1

        process.webhook(news("call.speech", "p1", transcript="Hello?", isFinal=True))
        assert process.event("call.speech", call_id)["transcript"] == "Hello?"
        process.webhook(news("call.dtmf", "p1", digits="12#"))
        assert process.event("call.dtmf", call_id)["digits"] == "12#"
        process.webhook(news("call.silence", "p1", durationMs=900))
        assert process.event("call.silence", call_id)["durationMs"] == 900
        process.webhook(news("call.error", "p1", error="Crackle.", retryable=True))
        fault = process.event("call.error", call_id)
        assert (fault["error"], fault["retryable"]) == ("Crackle.", True)
        process.webhook(news("call.ended", "p1", reason="hangup-user"))
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "hangup-user"
        assert ended["call"]["dtmf"] == "12#"
        # A carrier call id that is known never makes a call again.
        process.webhook(ring("p1", id="much later"))
        process.settle()
        assert process.call("voicecall.status") == {"calls": []}

        process.webhook(ring("p2", to="+15559990000"))
        process.inbox.wait(lambda m: m.get("params", {}).get("text") == "Second line.")


def test_repeated_news_has_no_second_effect_even_after_a_restart(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="open") as process:
        process.webhook(ring("p1"))
        call_id = process.event("call.listening")["callId"]
        digits = {"id": "d1", **news("call.dtmf", "p1", digits="7")}
        for _ in range(3):
            assert process.webhook(digits) == (200, {"accepted": 1})
        process.settle()
        assert process.record(call_id)["dtmf"] == "7"
        process.webhook({**digits, "id": "d2"})
        process.settle()
        assert process.record(call_id)["dtmf"] == "77"
        process.kill()
    with sidecar(tmp_path, inboundPolicy="open") as process:
        since = process.mark
        assert process.webhook(digits) == (200, {"accepted": 1})
        process.settle()
        assert "call.dtmf" not in process.types(since=since)


def test_late_news_moves_no_call_back(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="open") as process:
        process.webhook(ring("p1"))
        call_id = process.event("call.listening")["callId"]
        since = process.mark
        for type in ("call.ringing", "call.answered", "call.active"):
            process.webhook(news(type, "p1"))
        process.settle()
        assert process.record(call_id)["state"] == "listening"
        assert process.types(since=since) == []
        process.webhook(news("call.ended", "p1", reason="completed"))
        process.webhook(news("call.ended", "p1", reason="error"))
        process.webhook(news("call.speech", "p1", transcript="Ghost.", isFinal=True))
        process.settle()
        assert process.types(call_id, since) == ["call.ended"]
        assert process.record(call_id)["endReason"] == "completed"


def test_time_never_runs_backwards_when_the_first_news_of_a_call_is_its_end(
    tmp_path: Path,
) -> None:
    with sidecar(tmp_path, inboundPolicy="open") as process:
        for n in range(20):
            process.webhook(ring(f"e{n}", type="call.ended", reason="hangup-user"))
        process.settle()
        for call in process.call("voicecall.history")["calls"]:
            assert call["startedAt"] <= call.get("answeredAt", call["startedAt"])
            assert call.get("answeredAt", call["startedAt"]) <= call["endedAt"]
            at = [event["at"] for event in process.events(call["callId"])]
            assert at == sorted(at)


def test_disabled_is_the_default_and_rejects(line: Sidecar) -> None:
    since = line.mark
    assert line.webhook(ring("r1")) == (200, {"accepted": 1})
    rejected = line.event("call.rejected", since=since)
    assert set(rejected) == {"seq", "at", "type", "from", "to", "providerCallId", "reason"}
    assert rejected["reason"] == "disabled"
    assert (rejected["from"], rejected["to"]) == (CALLER, US)
    assert rejected["providerCallId"] == "r1"
    line.webhook(ring("r1", id="again"))
    line.settle()
    assert line.types(since=since) == ["call.rejected"], "once per call, and no call.ended"
    assert line.call("voicecall.status", {"callId": "r1"}) == {"found": False}


def test_an_allow_list_compares_whole_numbers(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="allowlist", allowFrom=[CALLER]) as process:
        strangers = ["+15553334445", "+1555333444", "+155533344440", "anonymous", "", "3334444"]
        for n, number in enumerate(strangers):
            process.webhook(ring(f"s{n}", **{"from": number}))
            process.inbox.wait(lambda m, n=n: m.get("params", {}).get("providerCallId") == f"s{n}")
        rejected = process.events()
        assert [event["reason"] for event in rejected] == ["allowlist"] * len(strangers)
        assert "from" not in rejected[3]
        process.webhook({k: v for k, v in ring("s9").items() if k != "from"})
        process.inbox.wait(lambda m: m.get("params", {}).get("providerCallId") == "s9")
        since = process.mark
        process.webhook(ring("ok", **{"from": "+1 (555) 333-4444"}))
        assert process.event("call.initiated", since=since)["callId"]
        assert process.call("voicecall.status", {"callId": "ok"})["call"]["from"] == CALLER


def test_pairing_gives_a_code_and_approval_lets_the_caller_in_for_good(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="pairing") as process:
        process.webhook(ring("k1"))
        wanted = process.event("pairing.requested")
        assert set(wanted) == {"seq", "at", "type", "from", "code"}
        assert wanted["from"] == CALLER
        assert len(wanted["code"]) == 6
        assert wanted["code"].isdigit()
        assert process.event("call.rejected")["reason"] == "pairing"
        process.webhook(ring("k2"))
        process.inbox.wait(lambda m: m.get("params", {}).get("providerCallId") == "k2")
        process.settle()
        assert process.types().count("pairing.requested") <= 2
        codes = {e["code"] for e in process.events() if e["type"] == "pairing.requested"}
        assert codes == {wanted["code"]}, "one code per number"
        assert wanted["code"] not in process.stderr_text

        approved = process.call("voicecall.pairing.approve", {"code": wanted["code"]})
        assert approved == {"number": CALLER}
        error = process.fails("voicecall.pairing.approve", {"code": wanted["code"]})
        assert error.kind == "notFound"
        process.webhook(ring("k3"))
        assert process.event("call.initiated")["callId"]
        process.kill()
    with sidecar(tmp_path, inboundPolicy="pairing") as process:
        process.webhook(ring("k4"))
        process.event("call.listening")
        process.webhook(ring("k5", **{"from": "anonymous"}))
        process.event("call.rejected")
        assert "pairing.requested" not in process.types()


def test_a_full_line_rejects_as_capacity(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="open", maxConcurrentCalls=1) as process:
        process.webhook(ring("c1"))
        call_id = process.event("call.listening")["callId"]
        process.webhook(ring("c2"))
        assert process.event("call.rejected")["reason"] == "capacity"
        error = process.fails("voicecall.initiate", {"to": CALLER, "message": "Hi."})
        assert (error.code, error.kind) == (-32005, "tooManyCalls")
        process.hang_up(call_id)
        process.webhook(ring("c3"))
        process.inbox.wait(
            lambda m: (
                m.get("params", {}).get("type") == "call.initiated"
                and m["params"]["callId"] != call_id
            )
        )


def test_callers_find_the_line_busy_while_it_drains(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="open", mock={"speed": 1}) as process:
        process.listening()
        process.call("sidecar.shutdown", {"drainMs": 500})
        process.event("sidecar.draining")
        assert process.webhook(ring("d1")) == (200, {"accepted": 1})
        assert process.event("call.rejected")["reason"] == "capacity"
        assert process.types().count("call.initiated") == 1


def test_a_call_placed_elsewhere_is_adopted_as_outbound(line: Sidecar) -> None:
    since = line.mark
    line.webhook(ring("o1", direction="outbound", **{"from": US, "to": CALLER}))
    call_id = line.event("call.initiated", since=since)["callId"]
    record = line.record(call_id)
    assert record["direction"] == "outbound"
    assert (record["from"], record["to"]) == (US, CALLER)
    line.hang_up(call_id)


def test_session_scopes_and_routes(tmp_path: Path) -> None:
    numbers = {"+15559990000": {"agentId": "desk"}}
    config = {"inboundPolicy": "open", "sessionScope": "per-call", "numbers": numbers}
    with sidecar(tmp_path / "a", **config) as process:
        process.webhook(ring("s1"))
        call_id = process.event("call.initiated")["callId"]
        assert process.record(call_id)["sessionKey"] == f"voice:{call_id}"
        process.webhook(ring("s2", to="+15559990000"))
        process.inbox.wait(lambda m: process.types().count("call.initiated") == 2)
        other = process.call("voicecall.status", {"callId": "s2"})["call"]
        assert other["sessionKey"] == f"agent:desk:voice:{other['callId']}"
    with sidecar(tmp_path / "b", sessionScope="main") as process:
        assert process.record(process.dial())["sessionKey"] == "main"


def test_a_dial_can_be_driven_by_injected_news(tmp_path: Path) -> None:
    """A line that only rings: the injected news moves the call on."""
    with sidecar(tmp_path, mock={"speed": 1.0, "ringMs": 60_000}) as process:
        call_id = process.dial()
        process.event("call.initiated", call_id)
        for type in ("call.ringing", "call.answered", "call.active"):
            assert process.webhook({"type": type, "callId": call_id}) == (200, {"accepted": 1})
        process.event("call.speaking", call_id)
        assert process.types(call_id)[:5] == [
            "call.initiated",
            "call.ringing",
            "call.answered",
            "call.active",
            "call.speaking",
        ]
        process.hang_up(call_id)
