"""A client of the protocol, whatever its door: what it sends, and bounded waits for the rest."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

PATIENCE_S = 10.0
TO = "+15550001234"


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
