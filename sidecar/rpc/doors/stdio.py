"""The door to the process that spawned us: lines on two descriptors.

Reading and writing use threads, so that regular files work and a parent that stops reading never
blocks the loop. The descriptors come from `sidecar.descriptors`; what a line means is `connection`.
"""

import asyncio
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import structlog

from sidecar.ports import Clock
from sidecar.rpc.connection import Connection
from sidecar.rpc.message import MESSAGE_LIMIT_BYTES
from sidecar.rpc.outgoing import Outgoing
from sidecar.rpc.server import RpcServer

CHUNK_BYTES = 64 * 1024
CHUNKS_AHEAD = 4
LINES_PER_TURN = 50
LOOK_AROUND_S = 1.0
LOOK_AROUND_MS = 1_000

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r"
_log = structlog.get_logger()


class Ending(StrEnum):
    """Why the door is shut."""

    INPUT_ENDED = "input-ended"
    OUTPUT_CLOSED = "output-closed"


class LineSplitter:
    """Bytes to lines, in whatever pieces they come. A line over the limit is given as None, once,
    and thrown away up to its end without being kept. Blank lines are left out."""

    def __init__(self, limit_bytes: int = MESSAGE_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._rest = bytearray()
        self._at_start = True
        self._discarding = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        *whole, rest = chunk.split(b"\n")
        lines: list[bytes | None] = []
        for piece in whole:
            if self._discarding:
                self._discarding = False
            else:
                self._rest += piece
                self._finish(lines)
        if not self._discarding:
            self._rest += rest
            # A little more, because a BOM and a CR do not belong to the line.
            if len(self._rest) > self._limit + len(_BOM) + 1:
                self._discarding = True
                self._at_start = False
                self._rest.clear()
                lines.append(None)
        return lines

    def _finish(self, lines: list[bytes | None]) -> None:
        line = bytes(self._rest)
        self._rest.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        line = line.removesuffix(b"\r")
        if len(line) > self._limit:
            lines.append(None)
        elif line.strip(_BLANK):
            lines.append(line)


class StdioDoor:
    """One client, on the descriptors that were stdin and stdout."""

    def __init__(self, stdin_fd: int, stdout_fd: int, server: RpcServer) -> None:
        self._stdin_fd = stdin_fd
        self._stdout_fd = stdout_fd
        self._server = server
        self._outgoing = Outgoing(terminator=b"\n")
        self._handed: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(CHUNKS_AHEAD)
        self._arrived: deque[Sequence[bytes | None]] = deque()
        self._news = asyncio.Event()
        self._input_ended = False

    async def run(self) -> Ending:
        """Serve until the input has ended or the output is closed. After the end of the input,
        answers are still written, until the server finishes."""
        loop = asyncio.get_running_loop()
        self._outgoing.on_data = self._hand_over
        self._outgoing.on_close = self._output_ended
        connection = self._server.connect(self._outgoing, configures=True)
        for work, name in ((self._write_forever, "rpc-writer"), (self._read_forever, "rpc-reader")):
            # Daemons: a read that never returns must not keep the process.
            threading.Thread(target=work, args=(loop,), name=name, daemon=True).start()
        ending = await self._consume(connection)
        _log.info("stdio.ended", ending=ending)
        if ending is Ending.OUTPUT_CLOSED:
            await self._server.disconnect(connection)
        else:
            connection.input_ended()
        return ending

    # -- on the loop ----------------------------------------------------------------------------

    async def _consume(self, connection: Connection) -> Ending:
        while not self._outgoing.closed:
            if not self._arrived:
                if self._input_ended:
                    return Ending.INPUT_ENDED
                self._news.clear()
                await self._news.wait()
                continue
            lines = self._arrived.popleft()
            for start in range(0, len(lines), LINES_PER_TURN):
                if start:
                    # Let the answers out before more is taken in.
                    await asyncio.sleep(0)  # noqa: TID251 - yields, lets no time pass
                for line in lines[start : start + LINES_PER_TURN]:
                    if line is None:
                        connection.feed_too_long()
                    else:
                        connection.feed(line)
                if connection.congested:
                    await connection.relieved()
            self._room.release()
        return Ending.OUTPUT_CLOSED

    def _hand_over(self) -> None:
        self._handed.put(b"".join(self._outgoing.take()))

    def _output_ended(self) -> None:
        self._handed.put(None)
        self._news.set()

    def _arrive(self, lines: Sequence[bytes | None]) -> None:
        self._arrived.append(lines)
        self._news.set()

    def _end_input(self) -> None:
        self._input_ended = True
        self._news.set()

    # -- in the threads -------------------------------------------------------------------------

    def _read_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        splitter = LineSplitter()
        while chunk := _read(self._stdin_fd):
            lines = splitter.feed(chunk)
            if lines:
                self._room.acquire()
                if not _tell(loop, self._arrive, lines):
                    return
        _tell(loop, self._end_input)

    def _write_forever(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            try:
                data = self._handed.get(timeout=LOOK_AROUND_S)
            except queue.Empty:
                if _has_no_reader(self._stdout_fd):
                    break
                continue
            if data is None:
                return
            if not self._write(loop, data):
                break
        _tell(loop, self._outgoing.close)

    def _write(self, loop: asyncio.AbstractEventLoop, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            count = write_some(self._stdout_fd, rest[:CHUNK_BYTES])
            if count is None or not _tell(loop, self._outgoing.wrote, count):
                return False
            rest = rest[count:]
        return True


def write_some(fd: int, data: bytes | memoryview) -> int | None:
    """Write what goes; None when nobody can read it any more."""
    while True:
        try:
            return os.write(fd, data)
        except BlockingIOError:
            # Somebody who shares the description made it non-blocking.
            select.select([], [fd], [])
        except OSError:
            return None


def _read(fd: int) -> bytes:
    """The next bytes; none at the end, however it came about."""
    while True:
        try:
            return os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            select.select([fd], [], [])
        except OSError:
            # A socket whose peer is gone, a terminal that was hung up: the input has ended.
            return b""


def _has_no_reader(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *args: Any) -> bool:
    """Call `function` on the loop; False when the loop is gone."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        return False
    return True


async def watch_parent(parent_pid: int, clock: Clock) -> None:
    """Return when the process `parent_pid`, which spawned us, is gone: an inherited copy of the
    pipe can keep it open. A parent that was init all along never goes."""
    while os.getppid() == parent_pid:
        await clock.sleep_until(clock.now_ms() + LOOK_AROUND_MS)
    _log.info("parent.gone")
