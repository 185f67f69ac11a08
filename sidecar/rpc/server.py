"""All connections of this process: they open together, share one set of methods, end together.

The doors they come through are `stdio` and `websocket`; the methods are `methods`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from sidecar.engine.journal import Journal
from sidecar.ports import Clock, Counters
from sidecar.rpc.agents import AgentDoor
from sidecar.rpc.connection import Connection
from sidecar.rpc.dispatch import Dispatcher, Handler, RequestContext
from sidecar.rpc.handshake import Configure, House, Shared
from sidecar.rpc.outgoing import Outgoing
from sidecar.rpc.schema import SubscribeParams, validate

REFUSE_S = 0.5
FLUSH_S = 1.0

_log = structlog.get_logger()


class RpcServer:
    """Until `open`, pings are answered and everything else is kept.

    `on_configure` is set, before the first message is read, when a client brings the
    configuration: its `initialize` calls it, and it must have called `open` when it returns.
    """

    def __init__(self, *, version: str, clock: Clock, counters: Counters | None = None) -> None:
        self._shared = Shared(clock, version, counters or Counters())
        self._connections: list[Connection] = []
        self._lingering: list[Connection] = []
        self._warming: asyncio.Task[None] | None = None

    @property
    def agents(self) -> AgentDoor:
        return self._shared.agents

    @property
    def counters(self) -> Counters:
        return self._shared.counters

    @property
    def connections(self) -> Sequence[Connection]:
        return tuple(self._connections)

    @property
    def on_configure(self) -> Configure | None:
        return self._shared.on_configure

    @on_configure.setter
    def on_configure(self, configure: Configure | None) -> None:
        self._shared.on_configure = configure

    def open(
        self,
        journal: Journal,
        handlers: Mapping[str, Handler],
        ready_params: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Everything is up: send `sidecar.ready`, then work on what has been kept."""
        dispatcher = Dispatcher({"events.subscribe": _subscribe, **handlers})
        house = House(journal, dispatcher, ready_params)
        self._shared.house = house
        for connection in self._connections:
            connection.open(house)
        self._warming = asyncio.get_running_loop().create_task(dispatcher.warm())

    def connect(
        self,
        outgoing: Outgoing,
        *,
        configures: bool = False,
        cut: Callable[[], None] | None = None,
    ) -> Connection:
        """A client came. `configures` tells that it may bring the configuration, `cut` how to end
        it when its reader stalls."""
        connection = Connection(self._shared, outgoing, configures=configures, cut=cut)
        self._connections.append(connection)
        self._shared.counters.count("rpc.connected")
        _log.info("client.connected", connection=connection.name)
        if self._shared.house is not None:
            connection.open(self._shared.house)
        return connection

    async def disconnect(self, connection: Connection) -> None:
        """A client went; what it has committed to still comes to its end."""
        if connection in self._connections:
            self._connections.remove(connection)
            _log.info("client.disconnected", connection=connection.name)
        await connection.close()
        self._lingering = [one for one in (*self._lingering, connection) if one.busy]

    async def finish(self, grace_ms: int) -> None:
        """Give running requests `grace_ms`, answer the rest with `shuttingDown`, write everything
        out and close. Bounded: a client that does not read cannot hold the process."""
        connections = (*self.connections, *self._lingering)
        if not await _within(grace_ms / 1_000, [one.finish() for one in connections]):
            for connection in connections:
                connection.refuse_rest()
            await _within(REFUSE_S, [one.finish() for one in connections])
        await _within(FLUSH_S, [one.drained() for one in connections])
        await _within(REFUSE_S, [self.disconnect(one) for one in connections])
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait([self._warming])


async def _subscribe(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
    wanted = validate(SubscribeParams, params)
    context.connection.subscribe(wanted.types, wanted.call_ids)
    return {}


async def _within(limit_s: float, work: Sequence[Coroutine[Any, Any, None]]) -> bool:
    """Whether all of `work` was done in time; what was not is cancelled."""
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.gather(*work)
    except TimeoutError:
        return False
    return True
