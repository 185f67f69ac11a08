"""The ngrok agent as a tunnel: one child process, kept running and listened to.

What its lines mean is in `ngrok_log`. The token travels in the environment only; the agent repeats
it in its own messages, so every line is cleaned before it is logged.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from sidecar.config import Tunnel as Settings
from sidecar.errors import Problem, TunnelError
from sidecar.ports import Clock
from sidecar.tasks import TaskSet
from sidecar.tunnel.child import (
    CANNOT_RUN,
    Child,
    cannot_run,
    child_environment,
    find_program,
    missing,
)
from sidecar.tunnel.ngrok_log import Said, cleaned, explain, parse_line
from sidecar.tunnel.upkeep import Listener, Upkeep

log = structlog.get_logger()

ADDRESS_PATIENCE_MS = 30_000
RECONNECT_PATIENCE_MS = 5_000
"""How long a lost session may take to come back before the address counts as gone."""
SAME_ADDRESS_AFTER_MS = 1_000
"""How long to wait for a new address once the session is back."""


class Ngrok:
    """A tunnel whose address is the origin that ngrok gave plus the webhook path."""

    name = "ngrok"

    def __init__(
        self, settings: Settings, webhook_path: str, clock: Clock, local_host: str = "127.0.0.1"
    ) -> None:
        token = settings.ngrok_auth_token
        self._token = token.get_secret_value() if token is not None else None
        self._domain = settings.ngrok_domain
        self._webhook_path = webhook_path
        self._local_host = local_host
        self._clock = clock
        self._upkeep = Upkeep(self.name, clock)

    @property
    def problem(self) -> Problem | None:
        return self._upkeep.problem

    def on_change(self, listener: Listener) -> None:
        self._upkeep.on_change(listener)

    async def up(self, port: int) -> str:
        return await self._upkeep.up(lambda: self._attempt(port))

    async def down(self) -> None:
        await self._upkeep.stop()

    async def _attempt(self, port: int) -> None:
        """Run one agent until it ends or proves useless; always ends by raising."""
        program = find_program("ngrok")
        if program is None:
            raise TunnelError(missing("ngrok", "https://ngrok.com/download", "tunnel.provider"))
        own = {"NGROK_AUTHTOKEN": self._token} if self._token else {}
        environ = child_environment(["NGROK_"], own)
        child = await Child.start(self._argv(program, port), environ, self._clock, merged=True)
        run = _Run(self._clock, self._hear, self._report)
        try:
            await run.follow(child)
        finally:
            await child.stop()
        if run.status == CANNOT_RUN:
            raise TunnelError(cannot_run(program))
        raise TunnelError(explain(run.trouble, run.had_address, self._domain))

    def _argv(self, program: str, port: int) -> list[str]:
        # An address instead of a port: "localhost" may mean ::1 to the agent, where nobody listens.
        argv = [program, "http", f"http://{self._local_host}:{port}"]
        argv += ["--log", "stdout", "--log-format", "json", "--log-level", "info"]
        if self._domain is not None:
            argv += ["--url", f"https://{self._domain}"]
        return argv

    def _hear(self, line: str) -> Said:
        if line.strip():
            log.debug("ngrok.said", line=cleaned(line, self._token))
        return parse_line(line)

    def _report(self, origin: str | None) -> None:
        if origin is None:
            text = "ngrok lost its connection: check the network; it connects again by itself"
            self._upkeep.suffer(Problem("notConfigured", text, True, {"key": "tunnel.provider"}))
            self._upkeep.report(None)
        else:
            self._upkeep.report(origin + self._webhook_path)


class _Run:
    """One run of the agent, as far as its log has told."""

    def __init__(
        self, clock: Clock, hear: Callable[[str], Said], report: Callable[[str | None], None]
    ) -> None:
        self.had_address = False
        self.trouble = Said()
        self.status: int | None = None
        self._clock = clock
        self._hear = hear
        self._report = report
        self._origin: str | None = None
        self._tasks = TaskSet()
        self._timer: asyncio.Task[Any] | None = None
        self._useless = asyncio.Event()

    async def follow(self, child: Child) -> None:
        """Read the log until the agent ends or gave no address in time."""
        self._after(ADDRESS_PATIENCE_MS, self._useless.set)
        reading = self._tasks.spawn(self._read(child), "ngrok.read")
        useless = self._tasks.spawn(self._useless.wait(), "ngrok.useless")
        try:
            await asyncio.wait({reading, useless}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._tasks.close()

    async def _read(self, child: Child) -> None:
        await child.read_lines(self._take)
        self.status = await child.wait()

    def _take(self, line: str) -> None:
        said = self._hear(line)
        if said.trouble:
            # The code comes once, in the first or last of several lines about one failure.
            code = said.code if said.code is not None else self.trouble.code
            outdated = said.outdated or self.trouble.outdated
            self.trouble = Said(code=code, trouble=True, outdated=outdated)
        if said.url is not None:
            self._disarm()
            self._origin = said.url
            self.had_address = True
            self.trouble = Said()
            self._report(said.url)
        elif self._origin is None:
            return
        elif said.session is True:
            self.trouble = Said()
            # An agent that is connected again tells of its address only when it is another one.
            self._after(SAME_ADDRESS_AFTER_MS, lambda: self._report(self._origin))
        elif said.session is False:
            self._after(RECONNECT_PATIENCE_MS, lambda: self._report(None))

    def _after(self, delay_ms: int, act: Callable[[], None]) -> None:
        async def wait() -> None:
            await self._clock.sleep_until(self._clock.now_ms() + delay_ms)
            act()

        self._disarm()
        self._timer = self._tasks.spawn(wait(), "ngrok.timer")

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
