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

Message = dict[str, Any]

TOKEN = "test-token-3f9c1b7a"
PATIENCE_S = 10.0
TO = "+15550001234"
ROOT = Path(__file__).parents[2]


class RpcError(Exception):
    """A request was answered with an error."""

    def __init__(self, error: Message) -> None:
        super().__init__(json.dumps(error))
        self.error = error
        self.code: int = error["code"]
        self.data: Message = error.get("data", {})
        self.kind: str = self.data.get("kind", "")


class Inbox:
    """Everything that came in, in order, with waits that end."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self.items: list[Any] = []
        self.closed = False

    def put(self, item: Any) -> None:
        with self._news:
            self.items.append(item)
            self._news.notify_all()

    def close(self) -> None:
        with self._news:
            self.closed = True
            self._news.notify_all()

    def wait(
        self, wanted: Callable[[Any], bool], since: int = 0, timeout: float = PATIENCE_S
    ) -> tuple[int, Any]:
        """The first item from `since` on that is wanted, and its place."""
        until = time.monotonic() + timeout
        place = since
        with self._news:
            while True:
                while place < len(self.items):
                    if wanted(self.items[place]):
                        return place, self.items[place]
                    place += 1
                left = until - time.monotonic()
                if left <= 0 or (self.closed and place >= len(self.items)):
                    why = "the stream ended" if self.closed else "time is up"
                    last = "\n".join(str(item)[:200] for item in self.items[since:][-25:])
                    raise AssertionError(f"{why}; what came from {since} on:\n{last}")
                self._news.wait(left)

    def wait_closed(self, timeout: float = PATIENCE_S) -> None:
        until = time.monotonic() + timeout
        with self._news:
            while not self.closed:
                left = until - time.monotonic()
                assert left > 0, "the stream did not end"
                self._news.wait(left)


class Peer:
    """A client of the protocol; how its texts travel is a subclass's matter."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._last_id = 0
        self._ids = threading.Lock()

    # -- sending --------------------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        raise NotImplementedError

    def send(self, message: Any) -> None:
        self.send_text(json.dumps(message))

    def request(self, method: str, params: Any = None, id: Any = None) -> Any:
        """Send a request; gives its id."""
        if id is None:
            with self._ids:
                self._last_id += 1
                id = f"r{self._last_id}"
        message = {"jsonrpc": "2.0", "id": id, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        return id

    def notify(self, method: str, params: Any = None) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)

    # -- receiving ------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        return list(self.inbox.items)

    @property
    def mark(self) -> int:
        """The place in the stream where what comes from now on will stand."""
        return len(self.inbox.items)

    def answer(self, id: Any, timeout: float = PATIENCE_S) -> Message:
        """The response to a request: the whole message."""

        def is_answer(message: Any) -> bool:
            return (
                isinstance(message, dict)
                and "method" not in message
                and message.get("id") == id
                and type(message.get("id")) is type(id)
            )

        message: Message = self.inbox.wait(is_answer, 0, timeout)[1]
        assert message["jsonrpc"] == "2.0"
        return message

    def result(self, id: Any, timeout: float = PATIENCE_S) -> Any:
        message = self.answer(id, timeout)
        if "error" in message:
            raise RpcError(message["error"])
        assert set(message) == {"jsonrpc", "id", "result"}
        return message["result"]

    def call(self, method: str, params: Any = None, timeout: float = PATIENCE_S) -> Any:
        return self.result(self.request(method, params), timeout)

    def fails(self, method: str, params: Any = None, timeout: float = PATIENCE_S) -> RpcError:
        """The error that the request is answered with, its shape checked."""
        message = self.answer(self.request(method, params), timeout)
        assert set(message) == {"jsonrpc", "id", "error"}, message
        return checked_error(message["error"])

    def notification(self, method: str, since: int = 0, timeout: float = PATIENCE_S) -> Any:
        """The params of the first such notification or request of the sidecar."""
        found = self.inbox.wait(
            lambda message: isinstance(message, dict) and message.get("method") == method,
            since,
            timeout,
        )
        return found[1].get("params")

    def event(
        self, type: str, call_id: str | None = None, since: int = 0, timeout: float = PATIENCE_S
    ) -> Message:
        def is_it(message: Any) -> bool:
            return (
                isinstance(message, dict)
                and message.get("method") == "voicecall.event"
                and message["params"]["type"] == type
                and (call_id is None or message["params"].get("callId") == call_id)
            )

        params: Message = self.inbox.wait(is_it, since, timeout)[1]["params"]
        return params

    def asked(self, since: int = 0, timeout: float = PATIENCE_S) -> Message:
        """The first `agent.respond` from `since` on: the whole request."""
        message: Message = self.inbox.wait(
            lambda one: isinstance(one, dict) and one.get("method") == "agent.respond",
            since,
            timeout,
        )[1]
        assert set(message) == {"jsonrpc", "id", "method", "params"}
        return message

    def events(self, call_id: str | None = None, since: int = 0) -> list[Message]:
        """The events so far, of one call or of all."""
        return [
            message["params"]
            for message in self.messages[since:]
            if isinstance(message, dict)
            and message.get("method") == "voicecall.event"
            and (call_id is None or message["params"].get("callId") == call_id)
        ]

    def types(self, call_id: str | None = None, since: int = 0) -> list[str]:
        return [event["type"] for event in self.events(call_id, since)]

    def settle(self) -> None:
        """Wait until everything sent so far has been read and worked on, as far as one can tell
        from outside: two answers behind it that need the store."""
        for _ in range(2):
            self.call("voicecall.status", {"callId": "none"})

    # -- moves that many tests share ------------------------------------------------------------

    def ready(self, timeout: float = 20.0) -> Message:
        params: Message = self.notification("sidecar.ready", 0, timeout)
        return params

    def initialize(self, **members: Any) -> Any:
        params = {"protocolVersion": 1, "client": {"name": "test", "version": "0"}, **members}
        return self.call("initialize", params)

    def dial(self, message: str | None = "Hello.", **params: Any) -> str:
        """Place a call in mode conversation and give its id."""
        wish = {"to": TO, "mode": "conversation", **params}
        if message is not None:
            wish["message"] = message
        result = self.call("voicecall.initiate", wish)
        assert result["initiated"] is True
        call_id: str = result["callId"]
        return call_id

    def listening(self, **params: Any) -> str:
        """A call that has said its first message and listens."""
        call_id = self.dial(**params)
        self.event("call.listening", call_id)
        return call_id

    def hang_up(self, call_id: str) -> Message:
        assert self.call("voicecall.end", {"callId": call_id}) == {"success": True}
        return self.event("call.ended", call_id)

    def record(self, call_id: str) -> Message:
        result = self.call("voicecall.status", {"callId": call_id})
        assert result["found"] is True
        call: Message = result["call"]
        return call


def checked_error(error: Message) -> RpcError:
    """The error, once its shape is what every error of the contract has."""
    assert set(error) == {"code", "message", "data"}, error
    assert isinstance(error["code"], int)
    assert error["message"].strip()
    assert "Traceback" not in error["message"]
    assert isinstance(error["data"]["kind"], str)
    assert isinstance(error["data"]["retryable"], bool)
    if error["code"] == -32602:
        assert error["data"]["errors"], error
        for entry in error["data"]["errors"]:
            assert set(entry) == {"field", "problem"}
    return RpcError(error)


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
