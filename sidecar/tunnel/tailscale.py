"""Tailscale serve and funnel as a tunnel, and for `voicecall expose`.

The `tailscale` program tells the machine's daemon what to serve and returns; the daemon goes on by
itself, also when the sidecar was killed, so what was served is taken back on `down` and taken over
by the next start. (The program's foreground mode would end with us, but holds a single path per
port.) What the program says is understood in `tailnet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from sidecar.errors import Problem, TunnelError
from sidecar.ports import Clock
from sidecar.tunnel import tailnet
from sidecar.tunnel.child import Outcome, child_environment, find_program, missing, run
from sidecar.tunnel.tailnet import Exposure, Served
from sidecar.tunnel.upkeep import Listener, Upkeep

log = structlog.get_logger()

Mode = Literal["serve", "funnel"]

COMMAND_PATIENCE_MS = 15_000
WITHDRAW_PATIENCE_MS = 3_000
LOOK_EVERY_MS = 30_000
"""How often to look whether everything still stands; somebody may reset it or log out."""


class Tailscale:
    """A tunnel whose address is this machine's name in its tailnet plus the public path."""

    def __init__(
        self, mode: Mode, place: tailnet.Place, clock: Clock, local_host: str = "127.0.0.1"
    ) -> None:
        self.name = f"tailscale-{mode}"
        self._mode: Mode = mode
        self._place = place
        self._local_host = local_host
        self._clock = clock
        self._upkeep = Upkeep(self.name, clock)
        self._publisher: _Publisher | None = None

    @property
    def problem(self) -> Problem | None:
        return self._upkeep.problem

    def on_change(self, listener: Listener) -> None:
        self._upkeep.on_change(listener)

    async def up(self, port: int) -> str:
        if self._publisher is None:
            exposure = Exposure(self._place, f"{self._local_host}:{port}")
            self._publisher = _Publisher(self._mode, exposure, self._clock)
        publisher = self._publisher
        return await self._upkeep.up(lambda: self._hold(publisher))

    async def down(self) -> None:
        await self._upkeep.stop()
        publisher, self._publisher = self._publisher, None
        if publisher is None or not publisher.touched:
            return
        try:
            await publisher.withdraw(WITHDRAW_PATIENCE_MS)
        except TunnelError as error:
            commands = [f"tailscale {' '.join(argv)}" for argv in publisher.undoing()]
            log.warning("tunnel.left", problem=error.problem.message, remove_with=commands)

    async def _hold(self, publisher: "_Publisher") -> None:
        """Publish, and look from time to time; ends by raising when it does not stand any more."""
        while True:
            self._upkeep.report(await publisher.publish())
            await self._clock.sleep_until(self._clock.now_ms() + LOOK_EVERY_MS)


@dataclass(frozen=True, slots=True)
class ExposeResult:
    """What `voicecall expose` did. `public`: the Internet reaches the addresses, not only the
    tailnet. With mode `off` there are no addresses, and `removed` lists the paths that were."""

    mode: str
    webhook_url: str | None = None
    stream_url: str | None = None
    public: bool = False
    removed: tuple[str, ...] = ()


async def expose(
    mode: str,
    path: str,
    port: int,
    serve_path: str,
    stream_path: str,
    local: int | str,
    clock: Clock,
) -> ExposeResult:
    """Serve the webhook and stream paths until told otherwise, or (mode `off`) no longer. `local`
    is the listener's port on 127.0.0.1 or its `host:port`. Raises `TunnelError`."""
    if mode not in ("off", "serve", "funnel"):
        text = "--mode must be off, serve or funnel"
        raise TunnelError(Problem("invalidParams", text, data={"key": "mode"}))
    target = f"127.0.0.1:{local}" if isinstance(local, int) else local
    exposure = Exposure(tailnet.place(path, port, serve_path, stream_path), target)
    if mode == "off":
        removed = await _Publisher("serve", exposure, clock).withdraw(COMMAND_PATIENCE_MS)
        return ExposeResult(mode, removed=removed)
    chosen: Mode = "funnel" if mode == "funnel" else "serve"
    url = await _Publisher(chosen, exposure, clock).publish()
    origin = url.removesuffix(exposure.place.path).replace("https://", "wss://", 1)
    stream_url = origin + exposure.place.public_stream_path
    return ExposeResult(mode, url, stream_url, public=mode == "funnel")


class _Publisher:
    """The commands that bring about one exposure, look at it, and undo it."""

    def __init__(self, mode: Mode, exposure: Exposure, clock: Clock) -> None:
        self.touched = False
        self._mode = mode
        self._exposure = exposure
        self._clock = clock

    async def publish(self) -> str:
        """Make it stand, if it does not yet; the public webhook URL."""
        wanted, place = self._exposure, self._exposure.place
        _refuse(tailnet.refusal(self._mode, place))
        host = await self._host()
        served = await self._served(host, COMMAND_PATIENCE_MS)
        if not tailnet.is_current(served, self._mode, wanted):
            _refuse(tailnet.conflict(served, self._mode, wanted))
            self.touched = True
            for path, local_path in place.mounts().items():
                flags = ["--bg", f"--https={place.port}", f"--set-path={path}"]
                await self._command([self._mode, *flags, f"http://{wanted.local}{local_path}"])
            served = await self._served(host, COMMAND_PATIENCE_MS)
            if not tailnet.is_current(served, self._mode, wanted):
                raise TunnelError(tailnet.explain("", self._mode))
        self.touched = True
        return f"https://{place.origin(host)}{place.path}"

    async def withdraw(self, patience_ms: int) -> tuple[str, ...]:
        """Take away the paths that are ours, and only those; gives them."""
        # A machine that is not connected keeps its serve configuration, so its state is no matter.
        machine = tailnet.parse_machine((await self._status(patience_ms)).output)
        if machine.host is None:
            raise TunnelError(machine.problem or tailnet.explain("", self._mode))
        served = await self._served(machine.host, patience_ms)
        removed = []
        for (path, local_path), argv in zip(
            self._exposure.place.mounts().items(), self.undoing(), strict=True
        ):
            if tailnet.is_ours(served.targets.get(path), self._exposure, local_path):
                await self._command(argv, patience_ms)
                removed.append(path)
        return tuple(removed)

    def undoing(self) -> list[list[str]]:
        """The commands that take each path away. `funnel ... off` would first ask whether funnel
        is allowed; `serve ... off` takes the funnel away too."""
        place = self._exposure.place
        return [
            ["serve", f"--https={place.port}", f"--set-path={path}", "off"]
            for path in place.mounts()
        ]

    async def _host(self) -> str:
        machine = tailnet.parse_machine((await self._status(COMMAND_PATIENCE_MS)).output)
        _refuse(machine.problem)
        assert machine.host is not None
        return machine.host

    async def _status(self, patience_ms: int) -> Outcome:
        return await self._command(["status", "--json", "--peers=false"], patience_ms)

    async def _served(self, host: str, patience_ms: int) -> Served:
        outcome = await self._command(["serve", "status", "--json"], patience_ms)
        served = tailnet.parse_served(outcome.output, host, self._exposure.place.port)
        if isinstance(served, Problem):
            raise TunnelError(served)
        return served

    async def _command(
        self, arguments: Sequence[str], patience_ms: int = COMMAND_PATIENCE_MS
    ) -> Outcome:
        program = find_program("tailscale")
        if program is None:
            where = "https://tailscale.com/download"
            raise TunnelError(missing("tailscale", where, "tailscale.mode"))
        environ = child_environment(["TS_", "TAILSCALE_"], {})
        argv = [program, *arguments]
        outcome = await run(argv, environ, self._clock, patience_ms, tailnet.asks_to_enable)
        log.debug("tailscale.ran", arguments=list(arguments), status=outcome.status)
        if outcome.status != 0 or tailnet.asks_to_enable(outcome.text):
            raise TunnelError(tailnet.explain(outcome.text, self._mode, outcome.status is None))
        return outcome


def _refuse(problem: Problem | None) -> None:
    if problem is not None:
        raise TunnelError(problem)
