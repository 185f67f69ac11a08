"""The listener's public address: configured, or of a tunnel that may come and change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from sidecar.errors import StoreError, TunnelError
from sidecar.ports import Check, Tunnel
from sidecar.tasks import TaskSet

PATIENCE_S = 3
"""How long `sidecar.ready` waits for a tunnel; its address follows as an event (rpc.md)."""

log = structlog.get_logger()

Tell = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class PublicAddress:
    """`configured` decides the address even when a tunnel runs beside it."""

    def __init__(
        self, configured: str | None, tunnel: Tunnel | None, on_tunnel: Callable[[str | None], None]
    ) -> None:
        """`on_tunnel` is told the tunnel's address whenever it changes."""
        self._configured = configured
        self._tunnel = tunnel
        self._on_tunnel = on_tunnel
        self._tunnel_url: str | None = None
        self._tell: Tell | None = None
        self._try: Callable[[str], Awaitable[None]] | None = None
        self._tasks = TaskSet()

    @property
    def url(self) -> str | None:
        return self._configured or self._tunnel_url

    async def open(self, port: int) -> None:
        """Set the tunnel up; returns when its address is known, it failed, or patience is over."""
        if self._tunnel is None:
            return
        self._tunnel.on_change(self._changed)
        rising = self._tasks.spawn(self._up(self._tunnel, port), "tunnel")
        await asyncio.wait((rising,), timeout=PATIENCE_S)

    def follow(self, tell: Tell, probe: Callable[[str], Awaitable[None]]) -> None:
        """From now on tell clients of every new address, and try whether it leads to us."""
        self._tell = tell
        self._try = probe
        if self.url is not None:
            self._tasks.spawn(self._probe(probe, self.url), "probe")

    async def close(self) -> None:
        await self._tasks.close()
        if self._tunnel is not None:
            await self._tunnel.down()

    def checks(self) -> list[Check]:
        """For `voicecall.setup`."""
        tunnel = self._tunnel
        if tunnel is None:
            return []
        problem = tunnel.problem
        if problem is not None:
            fix = problem.data.get("hint")
            return [Check("tunnel", "fail", problem.message, key="tunnel", fix=fix)]
        if self._tunnel_url is None:
            text = f"The {tunnel.name} tunnel is still being set up."
            return [Check("tunnel", "warn", text, key="tunnel")]
        return [Check("tunnel", "ok", f"The {tunnel.name} tunnel is up.", key="tunnel")]

    async def _up(self, tunnel: Tunnel, port: int) -> None:
        try:
            self._changed(await tunnel.up(port))
        except TunnelError as error:
            log.error("tunnel.failed", tunnel=tunnel.name, reason=error.problem.message)

    def _changed(self, url: str | None) -> None:
        if url == self._tunnel_url:
            return
        self._tunnel_url = url
        self._on_tunnel(url)
        log.info("tunnel.url", url=url)
        if url is None or self._configured is not None:
            return
        if self._tell is not None:
            self._tasks.spawn(self._announce(self._tell, url), "public url")
        if self._try is not None:
            self._tasks.spawn(self._probe(self._try, url), "probe")

    async def _probe(self, probe: Callable[[str], Awaitable[None]], url: str) -> None:
        await probe(url)

    async def _announce(self, tell: Tell, url: str) -> None:
        try:
            await tell("sidecar.publicUrl", {"url": url})
        except StoreError as error:
            log.warning("tunnel.not_told", reason=str(error))
