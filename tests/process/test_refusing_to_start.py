"""What keeps the program from starting: its exit code, and the sentence that says why."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import (
    Sidecar,
    configuration,
    environment,
    is_alive,
    run_once,
    sidecar,
    store_of,
)


def refuses(home: Path, config: dict[str, Any], code: int, *args: str) -> str:
    """The program exits with `code`, writes nothing to stdout and no stack; gives stderr."""
    done = run_once(home, b"", config, args=args or ("--stdio",))
    text = done.stderr.decode()
    assert done.returncode == code, text
    assert done.stdout == b""
    assert "Traceback" not in text
    return text


def test_a_second_sidecar_on_the_store_exits_4_and_names_the_first(tmp_path: Path) -> None:
    with sidecar(tmp_path) as first:
        pid = str(first.process.pid)
        assert pid in refuses(tmp_path, configuration(), 4)
        assert pid in refuses(tmp_path, configuration(), 4, "--ws", "127.0.0.1:0")
        lock = json.loads((store_of(tmp_path).parent / "sidecar.json").read_text())
        assert lock["pid"] == first.process.pid, "the loser leaves the winner's lock alone"
        assert first.call("sidecar.ping")["pong"] is True
        first.kill()
    with sidecar(tmp_path) as second:
        assert second.call("voicecall.status") == {"calls": []}, "no stale lock stays behind"


def test_a_link_to_the_store_is_the_same_store(tmp_path: Path) -> None:
    with sidecar(tmp_path) as first:
        link = tmp_path / "link"
        link.symlink_to(store_of(tmp_path).parent)
        text = refuses(tmp_path, configuration(store=str(link / "calls.db")), 4)
        assert str(first.process.pid) in text


def test_a_taken_port_exits_2_and_kills_nobody(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        text = refuses(tmp_path, configuration(serve={"port": port}), 2)
        assert str(port) in text
        assert "pid" not in text.lower().replace(str(port), "")
        text = refuses(tmp_path, configuration(), 2, "--ws", f"127.0.0.1:{port}")
        assert str(port) in text
    assert not (store_of(tmp_path).parent / "sidecar.json").exists()


def test_a_port_that_is_ours_names_the_owner(tmp_path: Path) -> None:
    with sidecar(tmp_path / "first") as first:
        ready = first.ready()
        port = int(ready["webhookUrl"].split(":")[2].split("/")[0])
        text = refuses(tmp_path / "second", configuration(serve={"port": port}), 2)
        assert str(port) in text
        assert str(first.process.pid) in text
        port = int(ready["ws"]["url"].rsplit(":", 1)[1].strip("/"))
        text = refuses(tmp_path / "third", configuration(), 2, "--ws", f"127.0.0.1:{port}")
        assert str(port) in text
        assert str(first.process.pid) in text
        assert is_alive(first.process.pid)
        assert first.call("sidecar.ping")["pong"] is True


def test_a_bad_configuration_exits_2_and_lists_everything(tmp_path: Path) -> None:
    bad = {
        "provider": "twillio",
        "serve": {"port": 70_000, "prot": 1},
        "outbound": {"quietHours": {"start": "25:00", "end": "08:00"}},
        "maxConcurentCalls": 3,
        "fromNumber": "555",
    }
    text = refuses(tmp_path, bad, 2)
    for path in ("provider", "serve.port", "serve.prot", "outbound.quietHours", "fromNumber"):
        assert path in text, path
    assert "maxConcurrentCalls" in text, "the nearest known key is suggested"
    assert not store_of(tmp_path).exists()


def test_a_configuration_that_is_no_json5_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.json5"
    path.write_text("{provider: 'mock',, }")
    done = run_once(tmp_path, b"", args=("--stdio", "--config", str(path)))
    assert done.returncode == 2
    assert str(path) in done.stderr.decode() or "broken.json5" in done.stderr.decode()
    done = run_once(tmp_path, b"", args=("--stdio", "--config", str(tmp_path / "none.json")))
    assert done.returncode == 2
    assert "none.json" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("data", [b"\xff\xfe{}", b"{", b"[]", b"7"])
def test_a_configuration_from_stdin_that_makes_no_sense(tmp_path: Path, data: bytes) -> None:
    done = run_once(tmp_path, data, args=("--ws", "127.0.0.1:0", "--config", "-"))
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert done.stderr.strip()


def test_a_missing_variable_names_key_and_variable_and_no_value(tmp_path: Path) -> None:
    config = configuration(agentId="${NO_SUCH_NAME}", twilio={"authToken": "tok-98765"})
    text = refuses(tmp_path, config, 2)
    assert "agentId" in text
    assert "NO_SUCH_NAME" in text
    assert "tok-98765" not in text


@pytest.mark.parametrize(
    "args",
    [
        ("--stdio", "--ws", "127.0.0.1:0"),
        ("--ws", "nonsense"),
        ("--ws", "127.0.0.1:99999"),
        ("--stdio", "--nonsense"),
        ("--stdio", "--log-format", "xml"),
        ("--stdio", "--log-level", "loud"),
    ],
)
def test_wrong_options_exit_2(tmp_path: Path, args: tuple[str, ...]) -> None:
    done = run_once(tmp_path, b"", args=args)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr


# -- the store -------------------------------------------------------------------------------------


def test_a_corrupt_store_exits_5_and_is_set_aside_only_on_repair(tmp_path: Path) -> None:
    path = store_of(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this is no database, " * 500)
    before = path.read_bytes()
    assert str(path) in refuses(tmp_path, configuration(), 5)
    assert path.read_bytes() == before, "nothing is overwritten"
    assert os.listdir(path.parent).count("calls.db") == 1
    with Sidecar(tmp_path, configuration(), args=["--repair"]) as process:
        assert process.ready()["lastSeq"] == 0
        (aside,) = path.parent.glob("calls.db.corrupt-*")
        assert aside.read_bytes() == before
        process.hang_up(process.listening())


def test_a_newer_store_exits_5_and_is_left_alone(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        process.end_input()
        process.wait()
    path = store_of(tmp_path)
    database = sqlite3.connect(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    assert version > 0
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.commit()
    database.close()
    text = refuses(tmp_path, configuration(), 5)
    assert str(path) in text
    assert "newer" in text
    assert "newer" in refuses(tmp_path, configuration(), 5, "--stdio", "--repair")


def test_a_store_that_cannot_be_written_exits_5(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    text = refuses(tmp_path, configuration(store=str(tmp_path / "file" / "calls.db")), 5)
    assert str(tmp_path / "file") in text
    text = refuses(tmp_path, configuration(store="/proc/nowhere/calls.db"), 5)
    assert "/proc/nowhere" in text


def test_a_full_disk_exits_5(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    text = refuses(tmp_path, configuration(store="/dev/full"), 5)
    assert "/dev/full" in text


def test_a_read_only_folder_exits_5(tmp_path: Path) -> None:
    # The system's own folder, because root may write into any that we could make.
    folder = Path("/proc/sys/kernel")
    if os.geteuid() != 0:
        folder = tmp_path / "readonly"
        folder.mkdir(mode=0o500)
    assert str(folder) in refuses(tmp_path, configuration(store=str(folder / "calls.db")), 5)


def test_a_postgresql_store_is_a_configuration_error_for_now(tmp_path: Path) -> None:
    text = refuses(tmp_path, configuration(store="postgresql://user:secret77@host/db"), 2)
    assert "store" in text
    assert "secret77" not in text


def test_a_token_file_that_cannot_be_had_exits_2(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder, Path("/proc/nowhere/token")):
        done = run_once(
            tmp_path,
            b"",
            configuration(),
            args=("--stdio", "--token-file", str(path)),
            env={"VOICECALL_RPC_TOKEN": None},
        )
        assert done.returncode == 2
        assert b"--token-file" in done.stderr
        assert b"Traceback" not in done.stderr


# -- the environment -------------------------------------------------------------------------------


def test_with_no_file_at_all_the_mock_line_runs(tmp_path: Path) -> None:
    """The embedded default: its port is 3334, so this one asks for another by a file of the
    Gateway's."""
    config = tmp_path / ".openclaw" / "openclaw.json"
    config.parent.mkdir()
    entry = {"enabled": True, "config": configuration()}
    config.write_text(json.dumps({"plugins": {"entries": {"voice-call": entry}}}))
    with Sidecar(tmp_path) as process:
        assert process.ready()["provider"] == "mock"
    other = tmp_path / "other.json5"
    other.write_text("// JSON5\n{serve: {port: 0,}, fromNumber: '+15557770000'}")
    with Sidecar(tmp_path, env={"OPENCLAW_CONFIG_PATH": str(other)}) as process:
        assert process.record(process.dial())["from"] == "+15557770000"


def test_closed_standard_streams_do_not_break_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(configuration()))
    command = f'"{sys.executable}" -m sidecar serve --stdio --config "{path}"'
    for redirect in ("<&-", "2>&-", "<&- >&- 2>&-", "< /dev/null"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {redirect}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(tmp_path),
            timeout=15,
            check=False,
        )
        assert done.returncode == 0, redirect
        assert b"Traceback" not in done.stderr
        for line in done.stdout.splitlines():
            json.loads(line)


def test_the_store_and_its_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with sidecar(tmp_path) as process:
            process.hang_up(process.listening())
            folder = store_of(tmp_path).parent
            assert folder.stat().st_mode & 0o777 == 0o700
            for path in folder.iterdir():
                assert path.stat().st_mode & 0o777 == 0o600, path
    finally:
        os.umask(old)


def test_a_signal_while_it_starts_is_a_clean_end(tmp_path: Path) -> None:
    with Sidecar(tmp_path, args=["--await-initialize"]) as process:
        process.call("sidecar.ping")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert "Traceback" not in process.stderr_text
