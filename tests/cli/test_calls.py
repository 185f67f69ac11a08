"""Calls from the command line, with and without a running sidecar."""

import json
import os
import signal
import subprocess

import pytest

from tests.cli.program import LIMIT_S, Program


def test_a_call_without_a_sidecar_runs_one_until_the_call_has_ended(voicecall: Program) -> None:
    done = voicecall.run("call", "-m", "Hello there", "--mode", "notify")

    assert done.code == 0
    assert list(done.document) == ["callId"]
    assert "Ringing" in done.err
    assert "Ended: hangup-bot" in done.err
    found = voicecall.document("status", "--call-id", done.document["callId"])
    assert found["call"]["state"] == "hangup-bot"
    assert found["call"]["transcript"][0]["text"] == "Hello there"
    assert not (voicecall.store.parent / "sidecar.json").exists()


def test_follow_prints_the_events_after_the_id_one_per_line(voicecall: Program) -> None:
    done = voicecall.run(
        "call", "-m", "Hello", "-t", "+15550009999", "--mode", "notify", "--follow"
    )

    first, *events = done.documents
    assert done.code == 0
    assert done.err == ""
    assert list(first) == ["callId"]
    assert [event["type"] for event in events] == [
        "call.initiated",
        "call.ringing",
        "call.answered",
        "call.active",
        "call.speaking",
        "call.utterance",
        "call.ended",
    ]
    assert {event["callId"] for event in events} == {first["callId"]}


def test_start_needs_no_message(voicecall: Program) -> None:
    voicecall.configure(mock={"speed": 0, "hangupAfterReplies": True})
    done = voicecall.run("start", "--to", "+15550001111", "--follow")
    assert done.code == 0
    assert done.documents[-1]["call"]["to"] == "+15550001111"


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed"])
def test_a_call_that_nobody_takes_was_placed_all_the_same(voicecall: Program, outcome: str) -> None:
    voicecall.configure(mock={"speed": 0, "outcome": outcome})
    done = voicecall.run("call", "-m", "Hello", "--follow")
    assert done.code == 0
    assert done.documents[-1]["reason"] == outcome


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_is_hung_up(voicecall: Program, number: signal.Signals) -> None:
    with voicecall.started("call", "-m", "Hello") as process:
        assert process.stdout is not None
        call_id = json.loads(process.stdout.readline())["callId"]
        process.send_signal(number)
        _, errors = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 130
    assert "Traceback" not in errors
    assert voicecall.document("status", "--call-id", call_id)["call"]["state"] == "hangup-bot"


def test_a_running_sidecar_places_the_call_and_keeps_it(voicecall: Program) -> None:
    with voicecall.serving() as ready:
        placed = voicecall.run("call", "-m", "Is Ada there?")
        call_id = placed.document["callId"]
        assert placed.err == ""
        active = voicecall.document("status")["calls"]
        assert [call["callId"] for call in active] == [call_id]

        answer = voicecall.document("continue", "--call-id", call_id, "-m", "And Bob?")
        assert answer == {"success": True, "transcript": "Yes, please."}
        said = ("--call-id", call_id)
        assert voicecall.document("speak", *said, "-m", "Fine.") == {"success": True}
        assert voicecall.document("dtmf", *said, "--digits", "12#") == {"success": True}
        assert voicecall.document("end", *said, "--after-playout") == {"success": True}
        assert voicecall.document("end", *said) == {"success": True}
        ended = voicecall.document("history", "--limit", "1")["calls"][0]
    assert (ended["callId"], ended["provider"]) == (call_id, ready["provider"])


def test_a_call_is_handed_over(voicecall: Program) -> None:
    voicecall.configure(outbound={"allowTo": ["+1*"]})
    with voicecall.serving():
        call_id = voicecall.document("call", "-m", "Hello")["callId"]
        moved = voicecall.document("transfer", "--call-id", call_id, "--to", "+15550002222")
    assert moved == {"success": True}


def test_another_terminal_reaches_the_sidecar_of_one_call(voicecall: Program) -> None:
    with voicecall.started("call", "-m", "Hello") as process:
        assert process.stdout is not None
        call_id = json.loads(process.stdout.readline())["callId"]
        assert voicecall.document("end", "--call-id", call_id) == {"success": True}
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0


def test_shutdown_from_elsewhere_interrupts_the_sidecar_of_one_call(voicecall: Program) -> None:
    with voicecall.started("call", "-m", "Hello") as process:
        assert process.stdout is not None
        process.stdout.readline()
        where = json.loads((voicecall.store.parent / "sidecar.json").read_text())
        _shut_down(where)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130


def _shut_down(where: dict[str, str]) -> None:
    from websockets.sync.client import connect

    with open(where["tokenFile"], encoding="utf-8") as file:
        headers = {"Authorization": f"Bearer {file.read().strip()}"}
    with connect(where["url"], additional_headers=headers, proxy=None) as socket:
        socket.send('{"jsonrpc":"2.0","id":1,"method":"sidecar.shutdown"}')
        socket.recv(timeout=5)


def test_a_token_from_the_environment_is_used_and_asked_for(voicecall: Program) -> None:
    voicecall.env["VOICECALL_RPC_TOKEN"] = "a-token-of-the-user"
    with voicecall.serving() as ready:
        assert ready["ws"]["tokenFile"] is None
        assert voicecall.document("status") == {"calls": []}
        del voicecall.env["VOICECALL_RPC_TOKEN"]
        without = voicecall.run("speak", "--call-id", "x", "-m", "Hello")
        wrong = voicecall.run("call", "-m", "Hello", env={"VOICECALL_RPC_TOKEN": "another"})
        assert voicecall.document("status") == {"calls": []}
    for done in (without, wrong):
        assert done.code == 3
        assert "VOICECALL_RPC_TOKEN" in done.err


def test_a_one_call_sidecar_takes_its_token_from_the_environment(voicecall: Program) -> None:
    voicecall.env["VOICECALL_RPC_TOKEN"] = "a-token-of-the-user"
    done = voicecall.run("call", "-m", "Hello", "--mode", "notify")
    assert done.code == 0
    assert not (voicecall.store.parent / "rpc-token").exists()


def test_a_lock_file_of_a_dead_process_is_no_sidecar(voicecall: Program) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait(LIMIT_S)
    voicecall.store.parent.mkdir(parents=True)
    lock = {"pid": gone.pid, "url": "ws://127.0.0.1:1", "tokenFile": None}
    (voicecall.store.parent / "sidecar.json").write_text(json.dumps(lock))
    assert voicecall.run("end", "--call-id", "x").code == 3


def test_a_lock_file_whose_door_is_closed_is_no_sidecar(voicecall: Program) -> None:
    voicecall.store.parent.mkdir(parents=True)
    (voicecall.store.parent / "token").write_text("x")
    lock = {
        "pid": os.getpid(),
        "url": "ws://127.0.0.1:1",
        "tokenFile": str(voicecall.store.parent / "token"),
    }
    (voicecall.store.parent / "sidecar.json").write_text(json.dumps(lock))
    assert voicecall.run("end", "--call-id", "x").code == 3
    assert voicecall.document("history") == {"calls": []}
    assert voicecall.run("call", "-m", "Hello", "--mode", "notify").code == 0
