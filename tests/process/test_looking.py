"""The verbs that only look: history, latency, readiness; and providers that are not there."""

import socket
from pathlib import Path
from typing import Any

from tests.process.harness import Sidecar, sidecar
from tests.process.peer import TO

NOTIFY = {"to": TO, "message": "Your order is ready.", "mode": "notify"}


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
