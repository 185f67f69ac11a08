"""The listener: its routes, and the way between HTTP on the wire and plain values.

What a webhook means is in `webhook`, how many connections there may be in `connections`, and how
the port is had in `sockets`.
"""

import asyncio
from dataclasses import replace
from typing import Protocol

import structlog
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from sidecar.config import Config
from sidecar.engine.desk.inbound import Inbound
from sidecar.ingress.connections import Connections
from sidecar.ingress.limits import Limits, Places, Refusal
from sidecar.ingress.messages import (
    body_of,
    head_of,
    plain_path,
    refusal_of,
    require_method,
    response_of,
    target_of,
)
from sidecar.ingress.probe import ProbeWatch
from sidecar.ingress.replay import Replays
from sidecar.ingress.sockets import BACKLOG, affordable, bind
from sidecar.ingress.trust.public_url import PublicUrls
from sidecar.ingress.trust.verify import Signatures
from sidecar.ingress.webhook import Webhooks
from sidecar.ports import Carrier, Clock, Counters, HttpAnswer, Store

HEALTH_PATH = "/healthz"
CLOSE_S = 2.0
HEALTHY = HttpAnswer(200, '{"status": "ok"}')

log = structlog.get_logger()


class MediaDoor(Protocol):
    """What serves the streaming paths."""

    async def handle(self, request: BaseRequest) -> StreamResponse: ...


class Listener:
    """The only part that strangers can reach."""

    def __init__(
        self,
        config: Config,
        carrier: Carrier,
        inbound: Inbound,
        store: Store,
        clock: Clock,
        counters: Counters,
        *,
        limits: Limits | None = None,
    ) -> None:
        self._serve = config.serve
        self._streaming = config.streaming.enabled
        self._media: MediaDoor | None = None
        self._limits = limits or Limits()
        self._counters = counters
        self.urls = PublicUrls(config)
        self.probe = ProbeWatch()
        signatures = Signatures(config, carrier, self.urls, store, clock, counters)
        self._places = Places(self._limits)
        replays = Replays(carrier.name, store, clock, counters)
        self._webhooks = Webhooks(
            carrier, inbound, signatures, self._places, replays, clock, counters
        )
        self._webhook_path = plain_path(config.serve.path)
        self._stream_path = plain_path(config.streaming.stream_path)
        self._connections: Connections | None = None
        self._listening: list[asyncio.Server] = []

    # -- life -------------------------------------------------------------------------------------

    async def start(self) -> int:
        """Listen; gives the port. Raises `PortTaken` or `ListenFailed`."""
        sockets = await bind(self._serve.bind, self._serve.port)
        limits = replace(self._limits, connections=affordable(self._limits.connections))
        self._connections = Connections(self._handle, limits, self._counters)
        loop = asyncio.get_running_loop()
        for listening in sockets:
            server = await loop.create_server(self._connections, sock=listening, backlog=BACKLOG)
            self._listening.append(server)
        port: int = sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Take no more connections, let what is being answered finish, and cut the rest."""
        for server in self._listening:
            server.close()
        self._listening = []
        if self._connections is not None:
            self._connections.pre_shutdown()
            self._connections.drop_idle()
            await self._connections.shutdown(CLOSE_S)
            self._connections = None

    @property
    def busy(self) -> int:
        """Requests that are not verified yet."""
        return self._places.taken

    def set_public_url(self, url: str | None) -> None:
        """The tunnel's address; it counts when `publicUrl` is not configured."""
        self.urls.set_tunnel(url)

    def open_media(self, door: MediaDoor) -> None:
        """Serve the stream paths too, when streaming is on."""
        self._media = door if self._streaming else None

    # -- requests ---------------------------------------------------------------------------------

    async def _handle(self, request: BaseRequest) -> StreamResponse:
        try:
            return await self._route(request)
        except Refusal as refusal:
            self._counters.count(f"listener.refused.{refusal.status}")
            return refusal_of(request, refusal)
        except OSError:
            # The peer went away while its body was read; nobody hears this answer.
            self._counters.count("listener.peer_gone")
            return refusal_of(request, Refusal(400, "badRequest"))
        except Exception:
            # Task root: a fault of ours must not take the listener down.
            log.exception("listener.failed")
            self._counters.count("listener.failed")
            return refusal_of(request, Refusal(500, "internalError"))

    async def _route(self, request: BaseRequest) -> StreamResponse:
        target = target_of(request)
        path = plain_path(target.partition("?")[0])
        self.probe.look(request, path)
        if path == self._webhook_path:
            require_method(request, "POST")
            return response_of(await self._webhook(request, target))
        if target.partition("?")[0] == HEALTH_PATH:
            require_method(request, "GET")
            return response_of(HEALTHY)
        if self._media is not None and self._is_stream(path):
            require_method(request, "GET")
            return await self._media.handle(request)
        raise Refusal(404, "notFound")

    def _is_stream(self, path: str) -> bool:
        base, _, token = path.rpartition("/")
        return path == self._stream_path or (base == self._stream_path and bool(token))

    async def _webhook(self, request: BaseRequest, target: str) -> HttpAnswer:
        head = head_of(request, target)
        source = self.urls.source(head)
        return await self._webhooks.answer(head, source, lambda: body_of(request, self._limits))
