"""Run, read and stop a child program: no shell, no inherited secrets, none left behind.

What the programs say and what it means is in `ngrok` and `tailnet`. A child gets an environment of
its own, nothing on its stdin, and a process group of its own, so that a Ctrl-C in the terminal
reaches us first and stopping reaches what the child started too.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.config import process_environment
from sidecar.errors import Problem, TunnelError
from sidecar.ports import Clock
from sidecar.tasks import TaskSet

STOP_PATIENCE_MS = 3_000
_DRAIN_PATIENCE_MS = 500
_CHUNK_BYTES = 1 << 16
_LINE_BYTES_MAX = 1 << 14
_LINES_MAX = 10_000

CANNOT_RUN = 126
"""The exit status of a program that is there but could not be started (see `leash`)."""

_PASSED_ON = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
    + ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
    + ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "LD_LIBRARY_PATH")
)


def child_environment(prefixes: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """What a child may know: the few variables every program needs, those whose names start with
    one of `prefixes` (its own settings), and `own`. Never our credentials for other services."""
    passed = {
        name: value
        for name, value in process_environment().items()
        if name.upper() in _PASSED_ON or name.startswith(tuple(prefixes))
    }
    return {**passed, **own}


def find_program(name: str) -> str | None:
    """The absolute path of an executable on the search path; None when it is not installed."""
    found = shutil.which(name, path=process_environment().get("PATH"))
    return os.path.abspath(found) if found else None


async def in_time(clock: Clock, patience_ms: int, work: Coroutine[Any, Any, Any]) -> bool:
    """Do `work` for at most `patience_ms`; False when it was cut short."""
    tasks = TaskSet()
    try:
        job = tasks.spawn(work, "tunnel.work")
        timer = tasks.spawn(clock.sleep_until(clock.now_ms() + patience_ms), "tunnel.patience")
        await asyncio.wait({job, timer}, return_when=asyncio.FIRST_COMPLETED)
        return job.done()
    finally:
        await tasks.close()


class Child:
    """One running program. Whoever starts it must `stop` it."""

    def __init__(self, process: asyncio.subprocess.Process, clock: Clock) -> None:
        self._process = process
        self._clock = clock

    @classmethod
    async def start(
        cls, argv: Sequence[str], environ: Mapping[str, str], clock: Clock, merged: bool = False
    ) -> "Child":
        """Start `argv`, whose first member is an absolute path. `merged`: stderr is read as part
        of stdout. Raises `TunnelError` when it cannot be run."""
        try:
            process = await asyncio.create_subprocess_exec(
                *_leashed(argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT if merged else asyncio.subprocess.PIPE,
                env=dict(environ),
                start_new_session=True,
            )
        except OSError:
            raise TunnelError(cannot_run(argv[0])) from None
        return cls(process, clock)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit status; negative for the signal that ended it."""
        return await self._process.wait()

    async def read_lines(self, hear: Callable[[str], object]) -> None:
        """Give `hear` each line of stdout until the child closes it. Whatever the bytes are, a
        line is text; one longer than 16 KiB is cut."""
        await _read_lines(self._process.stdout, hear)

    async def read_errors(self, hear: Callable[[str], object]) -> None:
        """The same for stderr, when it is not merged."""
        await _read_lines(self._process.stderr, hear)

    async def stop(self) -> None:
        """Ask it to end, insist after 3 s, and wait until it is gone. May be called twice, but
        not while somebody reads from it."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            if await in_time(self._clock, STOP_PATIENCE_MS, self._over()):
                return
            self._signal(signal.SIGKILL)
        # A process that it started and that left the group may hold the pipes open for ever.
        await in_time(self._clock, _DRAIN_PATIENCE_MS, self._over())

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # pragma: no cover - a race with its end
            return  # it ended by itself (macOS answers EPERM for a group of zombies)

    async def _over(self) -> None:
        # asyncio calls a process ended when its pipes are closed too, so they are read to the end.
        for stream in (self._process.stdout, self._process.stderr):
            while stream is not None and await stream.read(_CHUNK_BYTES):
                continue
        await self._process.wait()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command. `status` is None when it was stopped before it ended."""

    status: int | None
    output: str
    errors: str

    @property
    def text(self) -> str:
        return f"{self.output}\n{self.errors}"


async def run(
    argv: Sequence[str],
    environ: Mapping[str, str],
    clock: Clock,
    patience_ms: int,
    enough: Callable[[str], bool] = lambda line: False,
) -> Outcome:
    """Run a command to its end, for at most `patience_ms`, or until `enough` says of a line that
    nothing more is to be expected."""
    child = await Child.start(argv, environ, clock)
    said: tuple[list[str], list[str]] = ([], [])
    satisfied = asyncio.Event()
    ended: list[int] = []

    def into(lines: list[str]) -> Callable[[str], None]:
        def hear(line: str) -> None:
            if len(lines) < _LINES_MAX:
                lines.append(line)
            if enough(line):
                satisfied.set()

        return hear

    async def follow() -> None:
        await asyncio.gather(child.read_lines(into(said[0])), child.read_errors(into(said[1])))
        ended.append(await child.wait())

    async def first_of_both() -> None:
        tasks = TaskSet()
        try:
            following = tasks.spawn(follow(), "tunnel.follow")
            waiting = tasks.spawn(satisfied.wait(), "tunnel.satisfied")
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.close()

    try:
        await in_time(clock, patience_ms, first_of_both())
    finally:
        await child.stop()
    if ended == [CANNOT_RUN]:
        raise TunnelError(cannot_run(argv[0]))
    return Outcome(ended[0] if ended else None, "\n".join(said[0]), "\n".join(said[1]))


def missing(program: str, where: str, key: str) -> Problem:
    """`program` is not installed; `where` says how to get it, `key` asked for it."""
    text = (
        f"{program} is not installed or not on the PATH, and {key} needs it: install it ({where})"
    )
    return Problem("notConfigured", text, data={"key": key, "program": program})


def cannot_run(path: str) -> Problem:
    name = os.path.basename(path)
    text = f"{name} is installed but cannot be run: check that it is an executable for this machine"
    return Problem("notConfigured", text, data={"program": name})


def _leashed(argv: Sequence[str]) -> list[str]:
    """`argv`, held to our life where the system can do that."""
    if sys.platform != "linux" or not sys.executable:
        return list(argv)
    script = Path(__file__).with_name("leash.py")
    return [sys.executable, "-I", "-S", str(script), str(os.getpid()), *argv]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


async def _read_lines(stream: asyncio.StreamReader | None, hear: Callable[[str], object]) -> None:
    assert stream is not None
    rest = b""
    while chunk := await stream.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        # What exceeds the cap is dropped piece by piece; the line's end still ends the line.
        rest = rest[:_LINE_BYTES_MAX]
        for line in whole:
            hear(_text(line[:_LINE_BYTES_MAX]))
    if rest:
        hear(_text(rest))
