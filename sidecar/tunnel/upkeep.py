"""Keeping a public address up: try, wait longer after each failure, tell of every change.

What one attempt is belongs to `ngrok` and `tailscale`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from sidecar.errors import Problem, TunnelError
from sidecar.ports import Clock
from sidecar.tasks import TaskSet

log = structlog.get_logger()

Listener = Callable[[str | None], None]
Attempt = Callable[[], Coroutine[Any, Any, None]]

RETRY_FIRST_MS = 1_000
RETRY_MAX_MS = 60_000
STEADY_MS = 60_000
"""An attempt that lasted this long was a good one: the next delay starts from the first again."""


def retry_delay_ms(failures: int) -> int:
    """How long to wait after the given number of failures in a row (from 1 on)."""
    return min(RETRY_FIRST_MS << min(failures - 1, 16), RETRY_MAX_MS)


class Upkeep:
    """One address, the last thing that was wrong with it, and those who want to know.

    An attempt calls `report` with the address when it has one and ends only by raising
    `TunnelError`. Before the first address a problem that trying again cannot help is final.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.url: str | None = None
        self.problem: Problem | None = None
        self._name = name
        self._clock = clock
        self._listeners: list[Listener] = []
        self._tasks = TaskSet()
        self._first: asyncio.Future[str] | None = None

    def on_change(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def up(self, attempt: Attempt) -> str:
        """The first address. Cancelling this stops the waiting, not the trying."""
        if self._first is None:
            self._first = asyncio.get_running_loop().create_future()
            self._tasks.spawn(self._keep(attempt, self._first), f"tunnel.{self._name}")
        return await asyncio.shield(self._first)

    async def stop(self) -> None:
        """Stop trying; whoever still waits in `up` gets a `TunnelError`."""
        await self._tasks.close()
        if self._first is not None and not self._first.done():
            text = "the tunnel was closed before it had a public address"
            _fail(self._first, TunnelError(Problem("shuttingDown", text)))
        self._first = None
        self.url = None

    def report(self, url: str | None) -> None:
        """The address is `url` now; None when there is none."""
        if url is not None:
            self.problem = None
            if self._first is not None and not self._first.done():
                self._first.set_result(url)
        if url == self.url:
            return
        self.url = url
        log.info("tunnel.address", provider=self._name, url=url)
        for listener in self._listeners:
            listener(url)

    def suffer(self, problem: Problem) -> None:
        """Something is wrong; logged once, not with every attempt."""
        if problem != self.problem:
            log.warning("tunnel.problem", provider=self._name, problem=problem.message)
        self.problem = problem

    async def _keep(self, attempt: Attempt, first: asyncio.Future[str]) -> None:
        failures = 0
        while True:
            started_ms = self._clock.now_ms()
            try:
                await attempt()
            except TunnelError as error:
                self.suffer(error.problem)
                self.report(None)
                if not error.problem.retryable and not first.done():
                    _fail(first, error)
                    return
            steady = self._clock.now_ms() - started_ms >= STEADY_MS and first.done()
            failures = 1 if steady else failures + 1
            await self._clock.sleep_until(self._clock.now_ms() + retry_delay_ms(failures))


def _fail(first: asyncio.Future[str], error: TunnelError) -> None:
    first.set_exception(error)
    # Looked at here, so that asyncio does not complain when nobody waits any more.
    first.exception()
