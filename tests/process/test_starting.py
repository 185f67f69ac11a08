"""Spawning: what comes first, what a line is, and that nothing else ever gets onto the stream."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.process.harness import (
    TOKEN,
    Sidecar,
    answers,
    configuration,
    environment,
    parsed,
    run_once,
    store_of,
    wait_until,
)

STATUS = b'{"jsonrpc":"2.0","id":1,"method":"voicecall.status"}'


def test_one_echoed_line_is_answered_after_ready_and_the_process_ends_with_zero(
    tmp_path: Path,
) -> None:
    done = run_once(tmp_path, STATUS + b"\n", configuration())
    messages = parsed(done.stdout)

    assert done.returncode == 0
    assert messages[0]["method"] == "sidecar.ready"
    assert answers(messages) == {1: {"jsonrpc": "2.0", "id": 1, "result": {"calls": []}}}
    others = [m for m in messages[1:] if "method" in m]
    assert [m["params"]["type"] for m in others] in ([], ["sidecar.draining"])
    assert b"Traceback" not in done.stderr


def test_ready_has_exactly_the_members_of_the_contract(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration()) as sidecar:
        ready = sidecar.ready()

        assert sidecar.messages[0] == {
            "jsonrpc": "2.0",
            "method": "sidecar.ready",
            "params": ready,
        }
        assert set(ready) == {
            "protocolVersion",
            "version",
            "pid",
            "provider",
            "webhookUrl",
            "publicUrl",
            "ws",
            "streamId",
            "lastSeq",
        }
        assert ready["protocolVersion"] == 1
        assert ready["pid"] == sidecar.process.pid
        assert ready["provider"] == "mock"
        assert ready["version"].count(".") == 2
        assert ready["webhookUrl"].startswith("http://127.0.0.1:")
        assert ready["webhookUrl"].endswith("/voice/webhook")
        assert ready["publicUrl"] is None
        assert ready["ws"]["url"].startswith("ws://127.0.0.1:")
        assert ready["ws"]["tokenFile"] is None, "the token came from the environment"
        uuid.UUID(ready["streamId"])
        assert ready["lastSeq"] == 0


def test_without_the_cli_socket_there_is_no_websocket_and_no_lock_file(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), args=["--no-cli-socket"]) as sidecar:
        assert sidecar.ready()["ws"] is None
        assert not (store_of(tmp_path).parent / "sidecar.json").exists()


def test_a_disabled_sidecar_opens_no_listener_and_refuses_verbs(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(enabled=False)) as sidecar:
        assert sidecar.ready()["webhookUrl"] is None
        error = sidecar.fails("voicecall.initiate", {"to": "+15550001234", "message": "Hi."})
        assert (error.code, error.kind) == (-32007, "disabled")
        assert sidecar.call("voicecall.status") == {"calls": []}
        for method, params in (
            ("voicecall.speak", {"callId": "x", "message": "a"}),
            ("voicecall.continue", {"callId": "x", "message": "a"}),
            ("voicecall.end", {"callId": "x"}),
        ):
            assert sidecar.fails(method, params).kind in ("disabled", "callNotFound")


def test_a_ping_is_answered_before_ready(tmp_path: Path) -> None:
    with Sidecar(tmp_path, args=["--await-initialize"]) as sidecar:
        result = sidecar.call("sidecar.ping")
        assert result["pong"] is True
        assert abs(result["at"] / 1000 - time.time()) < 60
        assert [m.get("method") for m in sidecar.messages] == [None]


def test_requests_sent_before_ready_are_answered_after_it(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration()) as sidecar:
        ids = [sidecar.request("voicecall.status") for _ in range(5)]
        for id in ids:
            assert sidecar.result(id) == {"calls": []}
        assert sidecar.messages[0]["method"] == "sidecar.ready"


def test_a_program_that_runs_sidecar_as_a_script_named_voicecall_works(tmp_path: Path) -> None:
    voicecall = Path(sys.executable).with_name("voicecall")
    if not voicecall.exists():
        pytest.skip("the console script is not installed")
    with Sidecar(tmp_path, configuration(), command=[str(voicecall)]) as sidecar:
        assert sidecar.ready()["provider"] == "mock"


def test_stdio_is_the_default_when_stdin_is_a_pipe(tmp_path: Path) -> None:
    done = run_once(tmp_path, STATUS + b"\n", configuration(), args=())
    assert answers(parsed(done.stdout))[1]["result"] == {"calls": []}


def test_a_file_as_stdin_without_flags_means_websocket(tmp_path: Path) -> None:
    with (
        open(os.devnull, "rb") as null,
        subprocess.Popen(
            [sys.executable, "-m", "sidecar", "serve", "--config", str(_config(tmp_path))],
            stdin=null,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(tmp_path),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["method"] == "sidecar.ready"
            assert ready["params"]["ws"]["url"].startswith("ws://127.0.0.1:")
        finally:
            process.terminate()
        assert process.wait(10) == 0
        assert process.stdout.read() == b"", "in WebSocket mode stdout has one line only"


def _config(home: Path) -> Path:
    path = home / "c.json"
    path.write_text(json.dumps(configuration()))
    return path


def test_a_regular_file_as_stdin_works(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(STATUS + b"\n" + STATUS.replace(b'"id":1', b'"id":2') + b"\n")
    with path.open("rb") as file:
        done = run_once(tmp_path, b"", configuration(), stdin=file)
    assert done.returncode == 0
    assert set(answers(parsed(done.stdout))) == {1, 2}


def test_a_configuration_from_stdin_needs_websocket_and_is_read_to_its_end(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sidecar", "serve", "--ws", "127.0.0.1:0", "--config", "-"]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(tmp_path),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        document = configuration(fromNumber="+15557770000")
        process.stdin.write(json.dumps(document).encode())
        process.stdin.close()
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["params"]["webhookUrl"].startswith("http://127.0.0.1:")
        finally:
            process.terminate()
        assert process.wait(10) == 0

    done = run_once(tmp_path, b"{}", args=("--stdio", "--config", "-"))
    assert done.returncode == 2
    assert done.stdout == b""


# -- framing ---------------------------------------------------------------------------------------


def test_crlf_blank_lines_bom_and_half_a_line_at_the_end(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + STATUS + b"\r\n\r\n\n  \n"
    data += STATUS.replace(b'"id":1', b'"id":2') + b"\n"
    data += STATUS.replace(b'"id":1', b'"id":3')
    done = run_once(tmp_path, data, configuration())
    messages = parsed(done.stdout)
    assert done.returncode == 0
    assert set(answers(messages)) == {1, 2}, "the unfinished last line is ignored"


def test_only_half_a_line_is_no_message_and_no_error(tmp_path: Path) -> None:
    done = run_once(tmp_path, b'{"jsonrpc":"2.0","id":1,"method":"sidecar.pi', configuration())
    assert done.returncode == 0
    assert answers(parsed(done.stdout)) == {}


def test_no_input_at_all_is_a_start_and_an_end(tmp_path: Path) -> None:
    done = run_once(tmp_path, b"", configuration())
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert {m.get("method") for m in parsed(done.stdout)} <= {"sidecar.ready", "voicecall.event"}


def test_a_message_may_come_byte_by_byte(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration()) as sidecar:
        for byte in b'{"jsonrpc":"2.0","id":"\xc3\xbc","method":"sidecar.ping"}\r\n':
            sidecar.send_bytes(bytes([byte]))
        assert sidecar.result("ü")["pong"] is True
        assert all(line.isascii() for line in sidecar.lines)


def test_what_is_written_is_ascii_even_when_the_text_is_not(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration()) as sidecar:
        text = "Grüße \u2028 \x7f Ende \U0001f600"
        call_id = sidecar.listening(message="Hi.", metadata={"note": text})
        assert sidecar.record(call_id)["metadata"] == {"note": text}
        assert all(line.isascii() and line.endswith(b"\n") for line in sidecar.lines)


# -- nothing else on stdout ------------------------------------------------------------------------

NOISE = """
import atexit, ctypes, os, subprocess, sys, threading
def noise():
    print("stray print", flush=True)
    sys.stdout.write("stray write\\n"); sys.stdout.flush()
    os.write(1, b"stray descriptor write\\n")
    os.system("echo stray child")
    code = "import sys; print('child', repr(sys.stdin.read()))"
    subprocess.run([sys.executable, "-S", "-c", code])
    libc = ctypes.CDLL(None); libc.puts(b"stray C library"); libc.fflush(None)
    with open("/proc/self/fd/1", "w") as out: out.write("stray reopened\\n")
if "serve" in sys.orig_argv:
    # Once the program has begun to serve, not before it could have claimed anything.
    timer = threading.Timer(float(os.environ["NOISE_AFTER"]), noise); timer.daemon = True
    timer.start(); atexit.register(noise)
"""


def test_stray_prints_children_and_c_libraries_never_reach_the_stream(tmp_path: Path) -> None:
    """The noise starts in a thread while the program serves, and again at its exit."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NOISE)
    env = {
        "PYTHONPATH": f"{site}:{Path(__file__).parents[2]}",
        "NOISE_AFTER": "0.3",
    }
    with Sidecar(tmp_path, configuration(), env=env) as sidecar:
        sidecar.ready()
        deadline = time.time() + 10
        while "stray C library" not in sidecar.stderr_text and time.time() < deadline:
            sidecar.call("sidecar.ping")
        call_id = sidecar.listening()
        sidecar.hang_up(call_id)
        sidecar.end_input()
        assert sidecar.wait() == 0
        for line in sidecar.lines:
            json.loads(line)
        for word in ("stray print", "stray child", "stray C library", "stray reopened"):
            assert word in sidecar.stderr_text
        assert "child ''" in sidecar.stderr_text, "a child cannot eat the stream either"


def test_the_token_is_not_left_for_children(tmp_path: Path) -> None:
    site, look = tmp_path / "site", tmp_path / "look"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import os, subprocess, sys, threading, time\n"
        "def look():\n"
        f"    while not os.path.exists({str(look)!r}): time.sleep(0.02)\n"
        "    out = subprocess.run(['env'], capture_output=True, text=True).stdout\n"
        "    print('ENV', 'VOICECALL_RPC_TOKEN' in out, 'HOME=' in out, file=sys.stderr)\n"
        "if 'serve' in sys.orig_argv: threading.Thread(target=look, daemon=True).start()\n"
    )
    env = {"PYTHONPATH": f"{site}:{Path(__file__).parents[2]}"}
    with Sidecar(tmp_path, configuration(), env=env) as sidecar:
        sidecar.ready()
        look.touch()
        wait_until(lambda: "ENV" in sidecar.stderr_text)
        assert "ENV False True" in sidecar.stderr_text
        assert TOKEN not in sidecar.stderr_text
