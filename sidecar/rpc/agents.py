"""The clients that offered to answer `agent.respond`, and the requests the sidecar has sent them.

When a reply is wanted and what becomes of it is the engine's matter.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from sidecar.errors import HostError
from sidecar.ports import AgentAnswer, AgentFailed, AgentGone
from sidecar.rpc.message import Response, dump, notification
from sidecar.rpc.schema import AgentDeltaParams, AgentRespondResult, validate

_log = structlog.get_logger()


class Client(Protocol):
    """A connection, as far as it can be asked something."""

    name: str

    def send(self, message: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    client: Client
    answer: asyncio.Future[AgentAnswer]
    on_delta: Callable[[str], None]


class AgentDoor:
    """Implements `ports.Agents` over the connections."""

    def __init__(self) -> None:
        self._clients: list[Client] = []
        self._asked: dict[str, _Asked] = {}
        self._listeners: list[Callable[[], None]] = []
        self._last_id = 0

    # -- for the engine -------------------------------------------------------------------------

    @property
    def available(self) -> bool:
        return bool(self._clients)

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    async def respond(
        self, params: Mapping[str, Any], on_delta: Callable[[str], None]
    ) -> AgentAnswer:
        """Ask the client that offered itself last. Raises `AgentGone` when it disconnects and
        `AgentFailed` when its answer is an error or makes no sense."""
        if not self._clients:
            raise AgentGone("No client that answers agent.respond is connected.")
        client = self._clients[-1]
        self._last_id += 1
        request_id = f"s{self._last_id}"
        answer: asyncio.Future[AgentAnswer] = asyncio.get_running_loop().create_future()
        self._asked[request_id] = _Asked(client, answer, on_delta)
        client.send(
            dump(
                {
                    "jsonrpc": "2.0",
                    "id": request_id,
                    "method": "agent.respond",
                    "params": dict(params),
                }
            )
        )
        try:
            return await answer
        except asyncio.CancelledError:
            if request_id in self._asked:
                client.send(notification("$/cancelRequest", {"id": request_id}))
            raise
        finally:
            self._asked.pop(request_id, None)

    # -- for the connections --------------------------------------------------------------------

    def offer(self, client: Client) -> None:
        """`client` answers from now on, before those that offered themselves earlier."""
        self._clients.append(client)
        self._changed()

    def withdraw(self, client: Client) -> None:
        """`client` has gone; what it was asked is not answered any more."""
        for asked in list(self._asked.values()):
            if asked.client is client and not asked.answer.done():
                asked.answer.set_exception(AgentGone("The client disconnected."))
        if client in self._clients:
            self._clients.remove(client)
            self._changed()

    def respond_arrived(self, client: Client, response: Response) -> None:
        """An answer to a request of ours; one to a request that is over, or never was, is
        ignored."""
        asked = self._asked.get(response.id) if isinstance(response.id, str) else None
        if asked is None or asked.client is not client or asked.answer.done():
            return
        body = response.body
        if "error" in body:
            asked.answer.set_exception(AgentFailed("The agent answered with an error."))
            return
        try:
            if not isinstance(body["result"], dict):
                raise AgentFailed("The agent's result is not an object.")
            asked.answer.set_result(_answer(body["result"]))
        except AgentFailed as error:
            _log.warning("agent.malformed", client=client.name)
            asked.answer.set_exception(error)

    def delta_arrived(self, client: Client, params: Any) -> None:
        """A piece of a reply; one that is malformed or belongs to nothing is ignored."""
        try:
            delta = validate(AgentDeltaParams, params if isinstance(params, dict) else {})
        except HostError:
            _log.warning("agent.malformed", client=client.name)
            return
        asked = self._asked.get(delta.request_id)
        if asked is not None and asked.client is client and not asked.answer.done():
            asked.on_delta(delta.text)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()


def _answer(result: dict[str, Any]) -> AgentAnswer:
    try:
        checked = validate(AgentRespondResult, result)
    except HostError as error:
        raise AgentFailed("The agent's result is not {text?, endCall?}.") from error
    return AgentAnswer(text=checked.text, end_call=checked.end_call or False)
