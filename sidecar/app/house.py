"""Builds the house from a configuration, opens its doors in order, and closes it in reverse.

Opening: store, engine, open calls of the last process, webhook listener, tunnel, command line's
WebSocket, `sidecar.ready`, and only then the carrier is asked about those calls.
"""

import errno
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from sidecar import __version__
from sidecar.app.address import PublicAddress
from sidecar.app.carriers import carrier_of, unsupported
from sidecar.app.lockfile import Running, remove_lock, write_lock
from sidecar.app.port_owner import DoorTaken
from sidecar.app.probe import Probe
from sidecar.app.settings import settings_of
from sidecar.app.token import RpcToken, take_token
from sidecar.config import Config, Loaded, store_path
from sidecar.engine.clock import SystemClock
from sidecar.engine.desk.dialling import Dialling
from sidecar.engine.desk.farewell import drain
from sidecar.engine.desk.inbound import Inbound
from sidecar.engine.desk.operations import Operations
from sidecar.engine.desk.restore import Restore
from sidecar.engine.engine import Engine
from sidecar.engine.journal import Journal
from sidecar.errors import ConfigError, StoreError
from sidecar.ingress import Listener, ListenFailed, PortTaken
from sidecar.ports import Carrier, Check, Counters, Tunnel
from sidecar.rpc.handshake import PROTOCOL_VERSION
from sidecar.rpc.methods import Services, handlers
from sidecar.rpc.methods.reading import record
from sidecar.rpc.server import RpcServer
from sidecar.store.owner import StoreOwner
from sidecar.store.sqlite import SqliteStore
from sidecar.tasks import TaskSet

if TYPE_CHECKING:
    from sidecar.rpc.doors.websocket import WebSocketDoor

PRUNE_EVERY_MS = 3_600_000
DAY_MS = 86_400_000
ANSWER_GRACE_MS = 1_000
SETTLE_MS = 1_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the process was asked to serve. `ws` is the host and port of `--ws`."""

    ws: tuple[str, int] | None = None
    cli_socket: bool = True
    token_file: str | None = None
    repair: bool = False


@dataclass(slots=True)
class _Doors:
    """What is open to the outside, as `sidecar.ready` tells it."""

    webhook_url: str | None = None
    ws_url: str | None = None
    token: RpcToken = field(default_factory=lambda: RpcToken("", None))


class House:
    """One sidecar process. `open` may be called once; `close` always works."""

    def __init__(self, options: ServeOptions, on_shutdown: Callable[[int], None]) -> None:
        """`on_shutdown(drain_ms)` is called when a client asks the process to end."""
        self.clock = SystemClock()
        self.counters = Counters()
        self.server = RpcServer(version=__version__, clock=self.clock, counters=self.counters)
        self._options = options
        self._on_shutdown = on_shutdown
        self._doors = _Doors()
        self._tasks = TaskSet()
        self._owner: StoreOwner | None = None
        self._store: SqliteStore | None = None
        self._store_path = ""
        self._journal: Journal | None = None
        self._engine: Engine | None = None
        self._dialling: Dialling | None = None
        self._inbound: Inbound | None = None
        self._operations: Operations | None = None
        self._carrier: Carrier | None = None
        self._listener: Listener | None = None
        self._address: PublicAddress | None = None
        self._probe: Probe | None = None
        self._websocket: WebSocketDoor | None = None
        self._draining = False

    # -- opening ----------------------------------------------------------------------------------

    async def open(self, loaded: Loaded) -> None:
        """Raises `ConfigError`, `StoreError` (also `OwnedElsewhere`) or `DoorTaken`."""
        config = loaded.config
        self._store_path = store_path(config)
        journal = await self._open_store()
        self._doors.token = take_token(
            self._options.token_file, str(Path(self._store_path).parent / "rpc-token")
        )
        engine, inbound, restore = await self._open_engine(config, journal)
        if config.enabled:
            await self._open_listener(config, inbound)
        await self._open_websocket(config)
        services = self._services(loaded, engine)
        if self._address is not None and self._probe is not None:
            self._address.follow(engine.tell, self._probe.run)
        self.server.open(journal, handlers(services), self._ready_params(config, journal))
        log.info("sidecar.ready", provider=config.provider, webhook_url=self._doors.webhook_url)
        self._tasks.spawn(restore.run(), "restore")
        self._tasks.spawn(self._prune(config), "prune")

    async def _open_store(self) -> Journal:
        path = self._store_path
        self._owner = StoreOwner(path)
        self._owner.acquire()
        self._store = SqliteStore(path, repair=self._options.repair)
        self._journal = Journal(self._store)
        await self._journal.start()
        return self._journal

    async def _open_engine(
        self, config: Config, journal: Journal
    ) -> tuple[Engine, Inbound, Restore]:
        assert self._store is not None
        settings = settings_of(config, unsupported(config))
        carrier = self._carrier = carrier_of(
            config, self._doors.token.value, self._public_url, self.clock
        )
        engine = self._engine = Engine(
            self._store, journal, self.clock, carrier, self.server.agents, record, self.counters
        )
        self._dialling = Dialling(engine, settings, _new_id)
        self._operations = Operations(self.clock, _new_id)
        inbound = self._inbound = Inbound(engine, settings, _new_id)
        await carrier.start(engine.submit)
        engine.start()
        restore = Restore(engine)
        loaded = await restore.load()
        if loaded:
            log.info("restore.loaded", calls=loaded)
        return engine, inbound, restore

    async def _open_listener(self, config: Config, inbound: Inbound) -> None:
        assert self._carrier is not None
        assert self._store is not None
        listener = Listener(config, self._carrier, inbound, self._store, self.clock, self.counters)
        try:
            port = await listener.start()
        except PortTaken as error:
            remedy = "stop it, or choose another port (0 picks a free one)"
            raise DoorTaken("serve.port", error.port, remedy) from error
        except ListenFailed as error:
            raise ConfigError([("serve", str(error))]) from error
        self._listener = listener
        host = f"[{config.serve.bind}]" if ":" in config.serve.bind else config.serve.bind
        self._doors.webhook_url = f"http://{host}:{port}{config.serve.path}"
        self._address = PublicAddress(
            config.public_url, _tunnel(config, self.clock), listener.set_public_url
        )
        self._probe = Probe(config, listener.probe)
        await self._address.open(port)

    async def _open_websocket(self, config: Config) -> None:
        options = self._options
        if options.ws is None and not options.cli_socket:
            return
        # Loading websockets takes a sixth of the start; without this door nobody needs it.
        from sidecar.rpc.doors.websocket import WebSocketDoor

        host, port = options.ws or ("127.0.0.1", 0)
        door = WebSocketDoor(
            self.server,
            host,
            port,
            self._doors.token.value,
            config.rpc.allowed_hosts,
            config.rpc.allowed_origins,
        )
        try:
            self._doors.ws_url = await door.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise DoorTaken("--ws", port, "choose another port (0 picks one)") from error
            raise ConfigError([("--ws", f"{host}:{port} cannot be listened on")]) from error
        self._websocket = door
        write_lock(
            self._store_path, Running(os.getpid(), self._doors.ws_url, self._doors.token.file)
        )

    def _ready_params(self, config: Config, journal: Journal) -> Callable[[], dict[str, Any]]:
        def params() -> dict[str, Any]:
            doors = self._doors
            ws = None
            if doors.ws_url is not None:
                ws = {"url": doors.ws_url, "tokenFile": doors.token.file}
            return {
                "protocolVersion": PROTOCOL_VERSION,
                "version": __version__,
                "pid": os.getpid(),
                "provider": config.provider,
                "webhookUrl": doors.webhook_url,
                "publicUrl": self._public_url(),
                "ws": ws,
                "streamId": journal.stream_id,
                "lastSeq": journal.last_seq,
            }

        self.ready_params = params
        return params

    def _public_url(self) -> str | None:
        return self._address.url if self._address is not None else None

    def _services(self, loaded: Loaded, engine: Engine) -> Services:
        assert self._dialling is not None
        assert self._operations is not None
        return Services(
            config=loaded.config,
            warnings=loaded.warnings,
            engine=engine,
            dialling=self._dialling,
            operations=self._operations,
            counters=self.counters,
            checks=self._checks,
            gauges=self._gauges,
            begin_shutdown=self._on_shutdown,
        )

    def _checks(self) -> list[Check]:
        checks = list(self._carrier.checks()) if self._carrier is not None else []
        checks.append(Check("store", "ok", f"The store is {self._store_path}.", key="store"))
        if self._address is not None:
            checks += self._address.checks()
        if self._probe is not None:
            checks += self._probe.checks()
        if self._doors.webhook_url is not None:
            checks.append(
                Check("listener", "ok", f"The webhook listener is {self._doors.webhook_url}.")
            )
        return checks

    def _gauges(self) -> dict[str, int]:
        assert self._engine is not None
        assert self._journal is not None
        return {
            "calls.open": len(self._engine.open_calls),
            "rpc.connections": len(self.server.connections),
            "journal.lastSeq": self._journal.last_seq,
            "journal.ackedSeq": self._journal.acked_seq,
        }

    async def _prune(self, config: Config) -> None:
        assert self._store is not None
        days = config.store_retention_days
        while True:
            now_ms = self.clock.now_ms()
            before_ms = now_ms - days * DAY_MS if days else 0
            try:
                await self._store.prune(before_ms, now_ms)
            except StoreError as error:
                log.warning("prune.failed", reason=str(error))
            await self.clock.sleep_until(now_ms + PRUNE_EVERY_MS)

    # -- closing ----------------------------------------------------------------------------------

    async def drain(self, drain_ms: int) -> None:
        """Refuse new calls, say so once, and bring the running ones to their end."""
        if self._engine is None or self._dialling is None or self._inbound is None:
            return
        self._dialling.close()
        self._inbound.close()
        if not self._draining:
            self._draining = True
            try:
                await self._engine.tell("sidecar.draining", {})
            except StoreError as error:
                log.warning("drain.not_told", reason=str(error))
        await drain(self._engine, drain_ms)
        # The last words on each call are decided; let them reach the journal and the clients.
        await self._engine.settle(SETTLE_MS)

    async def close(self) -> None:
        """Answer what is still asked, then close every door and the store."""
        await self.server.finish(ANSWER_GRACE_MS)
        if self._websocket is not None:
            await self._websocket.close()
            remove_lock(self._store_path)
        if self._listener is not None:
            await self._listener.close()
        if self._address is not None:
            await self._address.close()
        await self._tasks.close()
        if self._operations is not None:
            await self._operations.close()
        if self._engine is not None:
            await self._engine.close()
        if self._carrier is not None:
            await self._carrier.close()
        if self._store is not None:
            await self._store.close()
        if self._owner is not None:
            self._owner.release()


def _tunnel(config: Config, clock: SystemClock) -> Tunnel | None:
    """The configured tunnel, loaded only when there is one."""
    if config.tunnel.provider == "none" and config.tailscale.mode == "off":
        return None
    from sidecar.tunnel import select

    return select(config, clock)


def _new_id() -> str:
    return str(uuid.uuid4())
