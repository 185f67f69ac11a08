"""The real program as a stranger sees it: spawned, spoken to over its own doors, and reaped.

Nothing of `sidecar` is imported here: what the tests know is the contract. Every wait is bounded.
"""

import contextlib
import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.process.peer import PATIENCE_S, Message, Peer

TOKEN = "test-token-3f9c1b7a"
ROOT = Path(__file__).parents[2]


class WebSocketPeer(Peer):
    """A client on the WebSocket door."""

    def __init__(self, url: str, token: str | None = TOKEN, **options: Any) -> None:
        super().__init__()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})
        self._stack = contextlib.ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(
            connect(
                url,
                additional_headers=headers,
                max_size=None,
                proxy=None,
                close_timeout=2,
                **options,
            )
        )
        self.close_code: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for text in self.socket:
                self.inbox.put(json.loads(text))
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else None
        else:
            self.close_code = self.socket.close_code
        self.inbox.close()

    def send_text(self, text: str) -> None:
        self.socket.send(text)

    def close(self) -> None:
        self._stack.close()
        self._reader.join(5)

    def __enter__(self) -> "WebSocketPeer":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Sidecar(Peer):
    """One process of the program. With stdio it is the client on that door too."""

    def __init__(
        self,
        home: Path,
        config: Mapping[str, Any] | None = None,
        *,
        args: Sequence[str] = (),
        env: Mapping[str, str | None] | None = None,
        ws: bool = False,
        stdin: Any = subprocess.PIPE,
        read: bool = True,
        command: Sequence[str] = (sys.executable, "-m", "sidecar"),
    ) -> None:
        super().__init__()
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        door = ["--ws", "127.0.0.1:0"] if ws else ["--stdio"]
        words = [*command, "serve", *door]
        if config is not None:
            words += ["--config", str(write_config(home, config))]
        self.stderr: list[str] = []
        self.lines: list[bytes] = []
        self._ws = ws
        self._say: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            [*words, *args],
            stdin=subprocess.DEVNULL if ws and stdin is subprocess.PIPE else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home, env),
            cwd=ROOT,
        )
        self.spawned_at = time.monotonic()
        self._threads = [threading.Thread(target=self._read_stderr, daemon=True)]
        if read:
            self._threads.append(threading.Thread(target=self._read_stdout, daemon=True))
        for thread in self._threads:
            thread.start()

    # -- streams --------------------------------------------------------------------------------

    def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            try:
                self.inbox.put(json.loads(line))
            except ValueError:
                self.inbox.put(line)
        self.inbox.close()

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr.append(line.decode("utf-8", "replace").rstrip("\n"))

    def send_bytes(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send_text(self, text: str) -> None:
        self.send_bytes(text.encode() + b"\n")

    # -- doors ----------------------------------------------------------------------------------

    def websocket(self, **options: Any) -> WebSocketPeer:
        peer = WebSocketPeer(self.ready()["ws"]["url"], **options)
        peer.ready()
        return peer

    def webhook(
        self, *events: Mapping[str, Any], token: str | None = TOKEN, body: bytes | None = None
    ) -> tuple[int, Any]:
        """POST carrier news of the mock line; gives status and answer."""
        url = urlsplit(self.ready()["webhookUrl"])
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        text = body if body is not None else json.dumps({"events": events}).encode()
        return http_request("POST", f"{url.scheme}://{url.netloc}{url.path}", text, headers)

    # -- the end --------------------------------------------------------------------------------

    def end_input(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = PATIENCE_S) -> int:
        """Wait for the end of the process; gives its exit code."""
        code = self.process.wait(timeout)
        for thread in self._threads:
            thread.join(5)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.wait()

    def stop(self) -> None:
        """Leave nothing behind, whatever the test has done."""
        if self.process.poll() is None:
            if self.process.stdin is not None:
                self.end_input()
            if self._ws:
                self.signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for thread in self._threads:
            thread.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> "Sidecar":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def stderr_text(self) -> str:
        return "\n".join(self.stderr)


def configuration(**members: Any) -> Message:
    """A configuration for tests: a free port and a line without delays."""
    config: Message = {"serve": {"port": 0}, "mock": {"speed": 0}, "maxConcurrentCalls": 100}
    for name, value in members.items():
        if isinstance(value, dict) and isinstance(config.get(name), dict):
            config[name] = {**config[name], **value}
        else:
            config[name] = value
    return config


def write_config(home: Path, config: Mapping[str, Any]) -> Path:
    path = home / "config.json"
    path.write_text(json.dumps(config))
    return path


def environment(home: Path, more: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Nothing of the developer's own: no credentials, no other store."""
    kept = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
    given: dict[str, str | None] = {
        **kept,
        "HOME": str(home),
        "OPENCLAW_STATE_DIR": str(home / "state"),
        "VOICECALL_RPC_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
        **(more or {}),
    }
    return {name: value for name, value in given.items() if value is not None}


def store_of(home: Path) -> Path:
    return home / "state" / "voice-calls" / "calls.db"


def http_request(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """One request on a connection of its own; gives status and answer, parsed where it is JSON."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, parts.path or "/", body, dict(headers or {}))
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


def run_once(
    home: Path,
    data: bytes,
    config: Mapping[str, Any] | None = None,
    *,
    args: Sequence[str] = ("--stdio",),
    env: Mapping[str, str | None] | None = None,
    stdin: Any = None,
    timeout: float = 20.0,
) -> subprocess.CompletedProcess[bytes]:
    """`serve` with `data` as all of its input, to its end."""
    home.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "sidecar", "serve", *args]
    if config is not None:
        words += ["--config", str(write_config(home, config))]
    given: dict[str, Any] = {"input": data} if stdin is None else {"stdin": stdin}
    return subprocess.run(
        words,
        **given,
        capture_output=True,
        env=environment(home, env),
        cwd=ROOT,
        timeout=timeout,
        check=False,
    )


def parsed(stdout: bytes) -> list[Any]:
    """The messages of a whole stdout; every line must be one."""
    assert stdout.endswith(b"\n") or not stdout
    assert stdout.isascii()
    return [json.loads(line) for line in stdout.splitlines()]


def answers(messages: Sequence[Any]) -> dict[Any, Message]:
    """The responses among them, by id."""
    return {
        message["id"]: message
        for message in messages
        if isinstance(message, dict) and "method" not in message
    }


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def wait_until(true: Callable[[], bool], timeout: float = PATIENCE_S, step: float = 0.02) -> float:
    """Look until it is true; gives how long that took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < timeout, "it did not come true in time"
        time.sleep(step)
    return time.monotonic() - begun


@contextlib.contextmanager
def sidecar(home: Path, **members: Any) -> Iterator[Sidecar]:
    """A stdio sidecar that is ready, with `members` over the tests' configuration."""
    with Sidecar(home, configuration(**members)) as process:
        process.ready()
        yield process
