"""`initialize`: when it may come, what it settles, and what it answers.

Its place in the flow of messages is `connection`; the stream it restarts is `pump`.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.engine.journal import Journal
from sidecar.errors import HostError, Problem
from sidecar.ports import Clock, Counters
from sidecar.rpc.agents import AgentDoor
from sidecar.rpc.dispatch import Dispatcher, RequestContext
from sidecar.rpc.errors import bad_field, invalid_request
from sidecar.rpc.pump import Wish
from sidecar.rpc.schema import InitializeParams, validate

PROTOCOL_VERSION = 1
SERVER_NAME = "voicecall-sidecar"
INITIALIZE = "initialize"
PING = "sidecar.ping"

Configure = Callable[[Mapping[str, Any] | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class House:
    """What is there to talk about once everything is up."""

    journal: Journal
    dispatcher: Dispatcher
    ready_params: Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class Shared:
    """What every connection of this process has in common. `house` is None until all is up;
    `on_configure` is set when a client brings the configuration."""

    clock: Clock
    version: str
    counters: Counters
    agents: AgentDoor = field(default_factory=AgentDoor)
    house: House | None = None
    on_configure: Configure | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The outcome of a handshake: its answer, and what begins once that is out."""

    answer: dict[str, Any]
    wish: Wish
    agent: bool


class Handshake:
    """The handshake of one connection. `configures` tells whether this is the client that brings
    the configuration, if any does."""

    def __init__(self, shared: Shared, configures: bool) -> None:
        self._shared = shared
        self._configures = configures
        self._too_late = False
        self._running = False
        self._done = False

    @property
    def brings_configuration(self) -> bool:
        """Whether everything waits for this connection's `initialize`."""
        shared = self._shared
        return self._configures and shared.on_configure is not None and shared.house is None

    @property
    def running(self) -> bool:
        return self._running

    def passed_over(self) -> None:
        """Something else was read. It does not count while nothing is up and everything waits for
        `initialize`: it is kept, not handled."""
        if not self.brings_configuration:
            self._too_late = True

    def begin(self) -> None:
        """An `initialize` was read; raises when it may not come now."""
        if self._running or self._done:
            raise HostError(invalid_request("initialize may be sent once per connection."))
        if self._too_late:
            raise HostError(invalid_request("initialize must come before anything else."))
        self._running = True

    def end(self, succeeded: bool) -> None:
        """A failed one does not count."""
        self._running = False
        self._done = succeeded

    async def run(self, context: RequestContext, params: dict[str, Any]) -> Agreement:
        _check_version(params.get("protocolVersion"))
        wanted = validate(InitializeParams, params)
        if self.brings_configuration and self._shared.on_configure is not None:
            # Doors that are half open cannot be taken back.
            context.commit()
            await self._shared.on_configure(wanted.config)
        elif wanted.config is not None:
            raise bad_field("config", "needs a sidecar started with --stdio --await-initialize")
        house = self._shared.house
        if house is None:
            raise RuntimeError("configured, but not open")
        wish, resync = _wish(wanted, house.journal)
        capabilities = wanted.capabilities
        return Agreement(
            answer={
                "protocolVersion": PROTOCOL_VERSION,
                "server": {"name": SERVER_NAME, "version": self._shared.version},
                "capabilities": {"agent": True, "events": True},
                "streamId": house.journal.stream_id,
                "lastSeq": house.journal.last_seq,
                "resync": resync,
                "methods": sorted({*house.dispatcher.names, INITIALIZE, PING}),
            },
            wish=wish,
            agent=bool(capabilities is not None and capabilities.agent),
        )


def _check_version(version: Any) -> None:
    """Before anything else is looked at: another version may give it another shape."""
    if isinstance(version, int) and not isinstance(version, bool) and version != PROTOCOL_VERSION:
        raise HostError(
            Problem(
                "unsupportedVersion",
                f"protocolVersion {version} is not supported; use {PROTOCOL_VERSION}.",
                data={"supported": [PROTOCOL_VERSION]},
            )
        )


def _wish(wanted: InitializeParams, journal: Journal) -> tuple[Wish, bool]:
    """What the stream becomes, and whether it cannot give what was asked for."""
    events = wanted.capabilities.events if wanted.capabilities is not None else None
    if events is False:
        return Wish(enabled=False), False
    if events is None:
        return Wish(), False
    since, resync = events.since, False
    if events.stream_id is not None and events.stream_id != journal.stream_id:
        # Its numbers mean nothing here: the client begins like one that has seen nothing.
        since, resync = None, True
    elif since is not None and since > journal.last_seq:
        # The journal was set back, or the client counts wrongly; either way it must look again.
        since, resync = journal.last_seq, True
    elif since is not None:
        resync = since + 1 < journal.first_seq
    return Wish(True, since, filter_of(events.types), filter_of(events.call_ids)), resync


def filter_of(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
