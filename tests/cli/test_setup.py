"""`setup` and `smoke`."""

from tests.cli.program import Program

WITHOUT_CREDENTIALS = {"provider": "twilio", "fromNumber": "+15550003333"}


def test_a_mock_line_is_ready_without_a_sidecar_and_with_one(voicecall: Program) -> None:
    alone = voicecall.document("setup")
    assert (alone["ok"], alone["provider"]) == (True, "mock")
    with voicecall.serving():
        running = voicecall.document("setup")
    assert {"listener", "store"} <= {check["id"] for check in running["checks"]}


def test_a_check_that_fails_is_code_1_and_tells_the_fix(voicecall: Program) -> None:
    voicecall.configure(**WITHOUT_CREDENTIALS)
    done = voicecall.run("setup")
    assert done.code == 1
    failed = [check for check in done.document["checks"] if check["status"] == "fail"]
    assert any("twilio.authToken" in check["fix"] for check in failed)


def test_a_provider_this_version_cannot_use_fails_with_and_without_a_sidecar(
    voicecall: Program,
) -> None:
    plivo = {"authId": "id", "authToken": "token"}
    voicecall.configure(provider="plivo", fromNumber="+15550003333", plivo=plivo)
    alone = voicecall.run("setup").document
    with voicecall.serving():
        running = voicecall.run("setup").document
    for told in (alone, running):
        failed = {check["id"] for check in told["checks"] if check["status"] == "fail"}
        assert "provider.plivo" in failed


def test_a_store_that_cannot_be_used_fails_a_check(voicecall: Program) -> None:
    voicecall.store.parent.mkdir(parents=True)
    voicecall.store.write_bytes(b"this is no database" * 100)
    done = voicecall.run("setup")
    assert done.code == 1
    assert [check["id"] for check in done.document["checks"] if check["status"] == "fail"] == [
        "store"
    ]


def test_smoke_places_no_call_unless_asked_twice(voicecall: Program) -> None:
    for options in ((), ("--to", "+15550001111"), ("--yes",)):
        done = voicecall.run("smoke", *options)
        assert done.code == 0
        assert "callId" not in done.document
        assert "No call was placed" in done.err
    assert voicecall.document("history") == {"calls": []}


def test_smoke_places_a_real_call_when_asked_twice(voicecall: Program) -> None:
    done = voicecall.run("smoke", "--to", "+15550001111", "--yes", "-m", "Testing")
    assert done.code == 0
    assert (done.document["ok"], done.document["endReason"]) == (True, "hangup-bot")
    call = voicecall.document("history")["calls"][0]
    assert (call["callId"], call["mode"]) == (done.document["callId"], "notify")


def test_smoke_through_a_running_sidecar(voicecall: Program) -> None:
    with voicecall.serving():
        done = voicecall.run("smoke", "--to", "+15550001111", "--yes")
    assert (done.code, done.document["endReason"]) == (0, "hangup-bot")


def test_smoke_is_code_1_when_the_call_does_not_go_through(voicecall: Program) -> None:
    voicecall.configure(mock={"speed": 0, "outcome": "busy"})
    done = voicecall.run("smoke", "--to", "+15550001111", "--yes")
    assert done.code == 1
    assert done.document["endReason"] == "busy"
    assert "busy" in done.err


def test_smoke_does_not_call_when_a_check_fails(voicecall: Program) -> None:
    voicecall.configure(**WITHOUT_CREDENTIALS)
    for options in ((), ("--to", "+15550001111", "--yes")):
        done = voicecall.run("smoke", *options)
        assert done.code == 1
        assert done.document["ok"] is False
    assert voicecall.document("history") == {"calls": []}
