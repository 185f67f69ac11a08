"""A client of the sidecar: requests, answers, events, over any link that carries JSON texts.

It never acknowledges an event: whoever must have handled them is the Gateway, not somebody who
looks. It offers `agent` only when it is made with one, which only the demonstration does.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from sidecar import __version__
from sidecar.cli.exits import NoSidecar, Refused
from sidecar.tasks import TaskSet

READY_S = 10
CONNECT_S = 5
MESSAGE_BYTES = 64 * 1024 * 1024
UNAUTHORIZED = 401

Event = Mapping[str, Any]
Agent = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class TokenRefused(NoSidecar):
    """A sidecar runs, but this user's token is not its token."""


class Link(Protocol):
    """Carries one JSON text at a time."""

    async def send(self, text: str) -> None:
        """Raises `NoSidecar` when the other side is gone."""

    async def receive(self) -> str | None:
        """The next text; None when the other side is gone."""

    async def close(self) -> None:
        """Always works."""


class WebSocketLink:
    """A link to the WebSocket door."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, url: str, token: str) -> "WebSocketLink":
        """Raises `NoSidecar`, also when what answers is no sidecar."""
        try:
            socket = await connect(
                url,
                additional_headers={"Authorization": f"Bearer {token}"},
                compression=None,
                max_size=MESSAGE_BYTES,
                open_timeout=CONNECT_S,
                # The door is on this machine, whatever proxy the user has for the rest.
                proxy=None,
            )
        except InvalidStatus as error:
            if error.response.status_code == UNAUTHORIZED:
                raise TokenRefused(
                    "A sidecar runs, but it refused the token.",
                    "Set VOICECALL_RPC_TOKEN to the token it was started with.",
                ) from error
            raise NoSidecar(f"No sidecar answers at {url}.") from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise NoSidecar(f"No sidecar answers at {url}.") from error
        return cls(socket)

    async def send(self, text: str) -> None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as error:
            raise NoSidecar("The sidecar has ended.") from error

    async def receive(self) -> str | None:
        try:
            message = await self._socket.recv()
        except ConnectionClosed:
            return None
        return message if isinstance(message, str) else message.decode("utf-8", "replace")

    async def close(self) -> None:
        await self._socket.close()


class Client:
    """One connection. Open it, ask, read events, close it."""

    def __init__(self, link: Link, agent: Agent | None = None) -> None:
        self._link = link
        self._agent = agent
        self._tasks = TaskSet()
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._ready: asyncio.Future[Mapping[str, Any]] | None = None
        self._over = False

    async def open(self, events: Mapping[str, Any] | bool) -> Mapping[str, Any]:
        """Shake hands; gives the params of `sidecar.ready`. `events` is what this connection wants
        of them: False for none, True for all from now on, or options of the handshake."""
        self._ready = asyncio.get_running_loop().create_future()
        self._tasks.spawn(self._read(), "client")
        try:
            async with asyncio.timeout(READY_S):
                ready = await self._ready
                wanted = {"since": ready.get("lastSeq", 0)} if events is True else events
                await self.request("initialize", _hello(wanted, self._agent is not None))
        except TimeoutError as error:
            raise NoSidecar("The sidecar does not get ready.") from error
        return ready

    async def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result; raises `Refused` with the error, `NoSidecar` when the link breaks."""
        if self._over:
            raise NoSidecar("The sidecar has ended.")
        self._last_id += 1
        request_id = self._last_id
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            await self._send({"id": request_id, "method": method, "params": params or {}})
            message = await answer
        finally:
            self._waiting.pop(request_id, None)
        if "error" in message:
            raise Refused(message["error"])
        result: dict[str, Any] = message["result"]
        return result

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        await self._send({"method": method, "params": params})

    async def events(self) -> AsyncIterator[Event]:
        """Every event from here on; ends when the sidecar does."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        await self._link.close()
        await self._tasks.close()

    # -- reading ----------------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while (text := await self._link.receive()) is not None:
                self._take(json.loads(text))
        finally:
            # Also when what came makes no sense: nobody may wait for more of it.
            self._gone()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            self._answered(message)
        elif "id" in message:
            self._tasks.spawn(self._serve(message), "agent")
        else:
            self._told(message["method"], message.get("params", {}))

    def _answered(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(message.get("id", 0))
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def _told(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "voicecall.event":
            self._events.put_nowait(params)
        elif method == "sidecar.ready" and self._ready is not None and not self._ready.done():
            self._ready.set_result(params)

    def _gone(self) -> None:
        self._over = True
        for waiting in (self._ready, *self._waiting.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(NoSidecar("The sidecar ended before it answered."))
        self._events.put_nowait(None)

    async def _serve(self, message: Mapping[str, Any]) -> None:
        assert self._agent is not None
        result = await self._agent(message["params"])
        try:
            await self._send({"id": message["id"], "result": result})
        except NoSidecar:
            # The call and its sidecar ended while the agent thought.
            return

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._link.send(json.dumps({"jsonrpc": "2.0", **message}))


def _hello(events: Mapping[str, Any] | bool, agent: bool) -> dict[str, Any]:
    capabilities: dict[str, Any] = {"events": events}
    if agent:
        capabilities["agent"] = True
    return {
        "protocolVersion": 1,
        "client": {"name": "voicecall", "version": __version__},
        "capabilities": capabilities,
    }
