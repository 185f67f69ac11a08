"""How the process ends: signals, the end of the input, a dead parent, a request; and its code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.process.harness import (
    ROOT,
    Sidecar,
    WebSocketPeer,
    configuration,
    environment,
    is_alive,
    sidecar,
    store_of,
    wait_until,
    write_config,
)

SLOW = {"speed": 1.0, "ringMs": 0, "answerMs": 0}


def ends(process: Sidecar) -> None:
    """What every clean end has in common."""
    assert process.wait() == 0
    assert "Traceback" not in process.stderr_text
    assert not (store_of(process.home).parent / "sidecar.json").exists()


def test_a_signal_drains_says_goodbye_and_exits_with_zero(tmp_path: Path) -> None:
    phrases = {"goodbye": "Goodbye, we must go."}
    with sidecar(tmp_path, phrases=phrases) as process:
        call_id = process.listening()
        begun = time.monotonic()
        process.signal(signal.SIGTERM)
        assert set(process.event("sidecar.draining")) == {"seq", "at", "type"}
        error = process.fails("voicecall.initiate", {"to": "+15550001234", "message": "Hi."})
        assert (error.code, error.kind) == (-32014, "shuttingDown")
        ended = process.event("call.ended", call_id, timeout=15)
        assert 9 < time.monotonic() - begun < 13, "running calls get ten seconds"
        assert ended["reason"] == "hangup-bot"
        said = [e["text"] for e in process.events(call_id) if e["type"] == "call.speaking"]
        assert said[-1] == "Goodbye, we must go."
        ends(process)
        seqs = [event["seq"] for event in process.events()]
        assert seqs == list(range(1, len(seqs) + 1))


def test_a_call_that_ends_by_itself_ends_the_drain(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.signal(signal.SIGTERM)
        process.event("sidecar.draining")
        assert process.call("voicecall.status")["calls"][0]["callId"] == call_id
        process.hang_up(call_id)
        begun = time.monotonic()
        ends(process)
        assert time.monotonic() - begun < 3
        said = [e["text"] for e in process.events(call_id) if e["type"] == "call.speaking"]
        assert said == ["Hello."]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_calls_a_signal_ends_at_once(tmp_path: Path, number: int) -> None:
    with sidecar(tmp_path) as process:
        begun = time.monotonic()
        process.signal(number)
        ends(process)
        assert time.monotonic() - begun < 3
        assert process.types() == ["sidecar.draining"]


def test_a_second_signal_exits_at_once_with_130(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        process.listening()
        process.signal(signal.SIGTERM)
        process.event("sidecar.draining")
        begun = time.monotonic()
        process.signal(signal.SIGTERM)
        assert process.wait() == 130
        assert time.monotonic() - begun < 2


def test_shutdown_is_answered_and_then_drains_for_as_long_as_it_says(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        assert process.fails("sidecar.shutdown", {"drainMs": -1}).code == -32602
        assert process.fails("sidecar.shutdown", {"drainMs": "1"}).code == -32602
        begun = time.monotonic()
        id = process.request("sidecar.shutdown", {"drainMs": 1_000})
        assert process.result(id) == {}
        process.event("sidecar.draining")
        ended = process.event("call.ended", call_id)
        assert ended["reason"] == "hangup-bot"
        ends(process)
        assert 0.9 < time.monotonic() - begun < 5
        order = [m.get("id") or m["params"].get("type") for m in process.messages]
        assert order.index(id) < order.index("sidecar.draining") < order.index("call.ended")


def test_a_second_shutdown_may_be_less_patient(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        assert process.call("sidecar.shutdown") == {}
        process.event("sidecar.draining")
        begun = time.monotonic()
        assert process.call("sidecar.shutdown", {"drainMs": 0}) == {}
        ends(process)
        assert time.monotonic() - begun < 3
        assert process.types(call_id).count("call.ended") == 1
        assert process.types().count("sidecar.draining") == 1


def test_shutdown_over_websocket_ends_a_websocket_sidecar(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), ws=True) as process:
        with process.websocket() as peer:
            call_id = peer.listening()
            assert peer.call("sidecar.shutdown", {"drainMs": 0}) == {}
            assert peer.event("call.ended", call_id)["reason"] == "hangup-bot"
            peer.inbox.wait_closed()
            assert peer.close_code == 1001
        ends(process)
        assert len(process.lines) == 1, "one line on stdout, and no more"


def test_the_end_of_input_hangs_up_without_a_goodbye(tmp_path: Path) -> None:
    with sidecar(tmp_path, mock=SLOW) as process:
        call_id = process.dial(message="This is a long story that takes some time to tell.")
        process.event("call.speaking", call_id)
        begun = time.monotonic()
        process.end_input()
        ended = process.event("call.ended", call_id)
        assert time.monotonic() - begun < 0.5 + 0.3, "a stock Gateway sends SIGTERM then"
        assert ended["reason"] == "hangup-bot"
        ends(process)
        assert time.monotonic() - begun < 5
        assert process.types(call_id)[-2:] == ["call.utterance", "call.ended"]


def test_the_first_signal_after_the_end_of_input_changes_nothing(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.end_input()
        process.signal(signal.SIGTERM)
        ends(process)
        assert process.event("call.ended", call_id)["reason"] == "hangup-bot"


def test_answers_to_whole_lines_before_the_end_are_still_written(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        ids = [process.request("voicecall.status", {"callId": "none"}) for _ in range(300)]
        wish = {"to": "+15550001234", "message": "Hi.", "mode": "conversation"}
        dial = process.request("voicecall.initiate", wish)
        process.end_input()
        ends(process)
        for id in ids:
            assert process.result(id) == {"found": False}
        answer = process.answer(dial)
        if "result" in answer:
            assert process.event("call.ended")["reason"] == "hangup-bot"
        else:
            assert answer["error"]["data"]["kind"] == "shuttingDown"


def test_a_waiting_request_gets_its_answer_when_the_input_ends(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.request("voicecall.continue", {"callId": call_id, "message": "And?"}, id="w")
        process.end_input()
        ends(process)
        error = process.answer("w")["error"]
        assert error["data"]["kind"] in ("callEnded", "shuttingDown")


def test_a_closed_stdout_ends_the_process(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), read=False) as process:
        assert process.process.stdout is not None
        assert b"sidecar.ready" in process.process.stdout.readline()
        process.process.stdout.close()
        begun = time.monotonic()
        process.process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"sidecar.ping"}\n')  # type: ignore[union-attr]
        process.process.stdin.flush()  # type: ignore[union-attr]
        assert process.process.wait(8) == 0
        assert time.monotonic() - begun < 5
        assert "Traceback" not in process.stderr_text


def test_a_closed_stdout_is_noticed_even_when_nothing_is_written(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), read=False) as process:
        assert process.process.stdout is not None
        assert b"sidecar.ready" in process.process.stdout.readline()
        process.process.stdout.close()
        assert process.process.wait(8) == 0


def test_a_parent_that_reads_nothing_and_goes_does_not_hold_the_process(tmp_path: Path) -> None:
    """The pipe is full of events and the input ends: there is nobody to wait for."""
    with Sidecar(tmp_path, configuration(), read=False) as process:
        assert process.process.stdout is not None
        ready = json.loads(process.process.stdout.readline())["params"]
        with WebSocketPeer(ready["ws"]["url"]) as other:
            other.ready()
            for _ in range(20):
                other.hang_up(other.listening(metadata={"text": "x" * 16_000}))
        begun = time.monotonic()
        process.end_input()
        assert process.process.wait(10) == 0
        assert time.monotonic() - begun < 5
        assert "Traceback" not in process.stderr_text


def test_the_end_of_input_in_a_drain_ends_it(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.signal(signal.SIGTERM)
        process.event("sidecar.draining")
        begun = time.monotonic()
        process.end_input()
        ends(process)
        assert time.monotonic() - begun < 5
        assert process.event("call.ended", call_id)["reason"] == "hangup-bot"


PARENT = """
import json, os, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "sidecar", "serve", "--stdio", "--config", sys.argv[1]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(sys.argv[2], "w"))
# Somebody else keeps both pipes open for longer than the parent lives.
keeper = subprocess.Popen(
    ["sleep", "60"], pass_fds=[child.stdin.fileno(), child.stdout.fileno()],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
child.stdout.readline()
wish = {"to": "+15550001234", "message": "Hi.", "mode": "conversation"}
child.stdin.write((json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "voicecall.initiate", "params": wish}) + "\\n").encode())
child.stdin.flush()
child.stdout.readline()
print(child.pid, keeper.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_dead_parent_is_missed_even_while_its_pipe_stays_open(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(configuration()))
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", PARENT, str(config), str(log)],
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=ROOT,
        timeout=20,
        check=False,
    )
    pid, keeper = map(int, done.stdout.split())
    try:
        assert wait_until(lambda: not is_alive(pid), timeout=8) < 5.5
    finally:
        os.kill(keeper, signal.SIGKILL)
    assert "Traceback" not in log.read_text()
    with sidecar(tmp_path) as process:
        (call,) = process.call("voicecall.history")["calls"]
        assert call["endReason"] == "hangup-bot", "its call was hung up before it left"


HASTY_PARENT = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-m", "sidecar", "serve", "--stdio", "--config", sys.argv[1]],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
keeper = subprocess.Popen(
    ["sleep", "60"], pass_fds=[child.stdin.fileno(), child.stdout.fileno()],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
while os.readlink(f"/proc/{child.pid}/fd/0") != os.devnull: pass
print(child.pid, keeper.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_parent_that_dies_while_we_start_is_missed_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HASTY_PARENT, str(write_config(tmp_path, configuration()))],
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=ROOT,
        timeout=20,
        check=False,
    )
    pid, keeper = map(int, done.stdout.split())
    try:
        assert wait_until(lambda: not is_alive(pid), timeout=8) < 5.5
    finally:
        os.kill(keeper, signal.SIGKILL)
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_websocket_sidecar_outlives_its_parent_and_its_stdin(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), ws=True) as process:
        process.ready()
        time.sleep(1.5)
        assert process.process.poll() is None
        with process.websocket() as peer:
            assert peer.call("sidecar.ping")["pong"] is True
        process.signal(signal.SIGTERM)
        ends(process)
        assert len(process.lines) == 1


def test_a_store_is_clean_after_a_drain(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        process.hang_up(process.listening())
        last = process.events()[-1]["seq"]
        process.end_input()
        ends(process)
    with sidecar(tmp_path) as process:
        assert process.ready()["lastSeq"] >= last
        assert process.call("voicecall.status") == {"calls": []}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_any_moment_of_the_start_is_a_clean_end(tmp_path: Path, number: int) -> None:
    """From the moment on in which it has taken its descriptors: before it nothing of ours runs."""
    for step in range(4):
        with Sidecar(tmp_path / str(step), configuration()) as process:
            stdin = Path(f"/proc/{process.process.pid}/fd/0")
            wait_until(lambda stdin=stdin: stdin.readlink() == Path("/dev/null"), step=0.002)
            time.sleep(0.01 + step * 0.1)
            process.signal(number)
            assert process.wait() == 0, step
            assert "Traceback" not in process.stderr_text


def test_a_signal_at_any_moment_of_the_end_changes_nothing(tmp_path: Path) -> None:
    """A stock Gateway closes the pipe and sends SIGTERM half a second later, or any time."""
    for step in range(4):
        with sidecar(tmp_path) as process:
            process.end_input()
            time.sleep(step * 0.04)
            process.signal(signal.SIGTERM)
            assert process.wait() == 0, step
            assert "Traceback" not in process.stderr_text
