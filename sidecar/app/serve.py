"""Runs the process: which doors it serves, what ends it, and with which exit code (cli.md)."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from sidecar.app.house import House, ServeOptions
from sidecar.app.settings import must_be_openable
from sidecar.config import Loaded, load_config
from sidecar.descriptors import Claimed
from sidecar.errors import ConfigError, StoreError
from sidecar.rpc.doors.stdio import StdioDoor, watch_parent
from sidecar.store.owner import OwnedElsewhere
from sidecar.tasks import TaskSet

DRAIN_MS = 10_000
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_DONE, EXIT_CONFIG, EXIT_OWNED, EXIT_STORE, EXIT_INTERRUPTED = 0, 2, 4, 5, 130
EXIT_DEADLINE_S = 4.5
"""With stdio, the process is gone 5 s after its parent's last word, whatever is stuck."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """One `voicecall serve`. `claimed` is set for stdio; `config_text` came with `--config -`."""

    options: ServeOptions = field(default_factory=ServeOptions)
    claimed: Claimed | None = None
    config_path: str | None = None
    config_text: str | None = None
    await_initialize: bool = False


class _Failure(Exception):
    """The house could not be opened: an exit code and the sentence for a person."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def serve(request: ServeRequest) -> int:
    """Serve until something ends it; gives the exit code."""
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        code = runner.run(_Process(request).run())
    # All is closed. A signal that comes now, as from a Gateway that has lost patience, has nothing
    # to end any more and must not spoil the exit code.
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return code


class _Process:
    """The life of one serving process."""

    def __init__(self, request: ServeRequest) -> None:
        self._request = request
        self._house = House(request.options, self._end)
        self._ending = asyncio.Event()
        self._drain_ms = DRAIN_MS
        self._hurry = asyncio.Event()
        self._signals = 0
        self._tasks = TaskSet()
        self._failure: _Failure | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()

        def caught(number: int, frame: object) -> None:
            # A closed loop has nothing left to end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._signalled)

        for number in ENDING_SIGNALS:
            # Not the loop's own handlers: those are gone before the loop is.
            signal.signal(number, caught)
        try:
            code = await self._serve()
        except _Failure as failure:
            self._say(str(failure))
            code = failure.code
        self._tasks.spawn(self._exit_hard(code), "exit deadline")
        await self._house.close()
        await self._tasks.close()
        return code

    async def _serve(self) -> int:
        request = self._request
        if request.claimed is not None:
            door = StdioDoor(
                request.claimed.stdin_fd, request.claimed.stdout_fd, self._house.server
            )
            if request.await_initialize:
                self._house.server.on_configure = self._configure
            self._tasks.spawn(self._stdio(door), "stdio")
            self._tasks.spawn(self._watch_parent(request.claimed.parent_pid), "parent")
        if not request.await_initialize:
            await self._open(None)
        if request.claimed is None:
            self._print_ready()
        await self._ending.wait()
        if self._failure is not None:
            raise self._failure
        await self._drain()
        return EXIT_DONE

    # -- opening ----------------------------------------------------------------------------------

    async def _open(self, given: Mapping[str, Any] | None) -> None:
        request = self._request
        try:
            loaded = load_config(
                request.config_path, given=given, stdin_document=request.config_text
            )
            must_be_openable(loaded.config)
        except ConfigError as error:
            if request.await_initialize:
                raise
            lines = "\n".join(f"  {path}: {what}" for path, what in error.problems)
            raise _Failure(EXIT_CONFIG, f"The configuration has errors:\n{lines}") from error
        await self._open_house(loaded)

    async def _open_house(self, loaded: Loaded) -> None:
        for warning in loaded.warnings:
            log.warning("config.warning", text=warning)
        try:
            await self._house.open(loaded)
        except OwnedElsewhere as error:
            raise _Failure(EXIT_OWNED, str(error)) from error
        except StoreError as error:
            raise _Failure(EXIT_STORE, str(error)) from error
        except ConfigError as error:
            raise _Failure(EXIT_CONFIG, str(error)) from error

    async def _configure(self, given: Mapping[str, Any] | None) -> None:
        """`initialize` brought the configuration; what is wrong with it goes back to the client,
        what is wrong with the machine ends the process."""
        try:
            await self._open(given)
        except _Failure as failure:
            self._failure = failure
            self._ending.set()
            raise ConfigError([("config", str(failure))]) from failure

    def _print_ready(self) -> None:
        notification = {
            "jsonrpc": "2.0",
            "method": "sidecar.ready",
            "params": self._house.ready_params(),
        }
        print(json.dumps(notification, separators=(",", ":")), flush=True)  # noqa: T201

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    # -- ending -----------------------------------------------------------------------------------

    def _end(self, drain_ms: int) -> None:
        """Begin the end; once begun, a wish for no patience at all still counts."""
        if not self._ending.is_set():
            self._drain_ms = drain_ms
            self._ending.set()
        elif drain_ms == 0:
            self._hurry.set()

    async def _drain(self) -> None:
        """Give the calls their time, but no longer than somebody is there to give it."""
        draining = self._tasks.spawn(self._house.drain(self._drain_ms), "drain")
        hurried = self._tasks.spawn(self._hurry.wait(), "hurry")
        await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not draining.done() and self._drain_ms:
            draining.cancel()
            await self._house.drain(0)
        await asyncio.wait((draining,))

    def _signalled(self) -> None:
        self._signals += 1
        if self._signals > 1:
            os._exit(EXIT_INTERRUPTED)
        self._end(DRAIN_MS)

    async def _stdio(self, door: StdioDoor) -> None:
        ending = await door.run()
        log.info("stdio.closed", ending=str(ending))
        self._parent_left()

    async def _watch_parent(self, parent_pid: int) -> None:
        await watch_parent(parent_pid, self._house.clock)
        self._parent_left()

    def _parent_left(self) -> None:
        """Nobody is there to hear a goodbye for: hang up and go, soon."""
        self._end(0)
        self._tasks.spawn(self._exit_hard(EXIT_DONE), "exit deadline")

    async def _exit_hard(self, code: int) -> None:
        """The last resort against anything that hangs while we leave."""
        clock = self._house.clock
        await clock.sleep_until(clock.now_ms() + int(EXIT_DEADLINE_S * 1_000))
        log.error("exit.forced")
        os._exit(code)
