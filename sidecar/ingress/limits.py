"""What a stranger may cost: places for work that is not verified yet, and the bytes and time of a
body.

The number of open connections is bounded in `connections`.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

BODY_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the listener; tests shorten the times."""

    in_flight: int = 64
    in_flight_per_source: int = 8
    waiting: int = 256
    place_wait_ms: int = 5_000
    body_bytes: int = BODY_MAX_BYTES
    body_ms: int = 5_000
    connections: int = 1_024
    idle_ms: int = 75_000
    linger_ms: int = 3_000


class Refusal(Exception):
    """The request goes no further and is answered with `status`."""

    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers


class Places:
    """At most so many requests at once, in total and per source; further ones stand in line.

    Each source has a line of its own and the lines take turns, so that one source with a long line
    does not keep the others waiting.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0
        self._by_source: dict[str, int] = {}
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        # The sources whose line may move: somebody waits, and the source has a place of its own.
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._waiting = 0

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def waiting(self) -> int:
        return self._waiting

    @asynccontextmanager
    async def hold(self, source: str) -> AsyncIterator[None]:
        """A place for the length of the block; `Refusal` 429 when none became free in time."""
        if self._has_room(source):
            self._grant(source)
        else:
            await self._stand_in_line(source)
        try:
            yield
        finally:
            self._release(source)

    def _has_room(self, source: str) -> bool:
        limits = self._limits
        return (
            self._taken < limits.in_flight
            and self._by_source.get(source, 0) < limits.in_flight_per_source
        )

    def _grant(self, source: str) -> None:
        self._taken += 1
        self._by_source[source] = self._by_source.get(source, 0) + 1

    async def _stand_in_line(self, source: str) -> None:
        # Who waits keeps a connection and some of its body in memory, so the lines are bounded too.
        if self._waiting >= self._limits.waiting:
            raise Refusal(429, "tooManyRequests")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(source, deque()).append(turn)
        self._waiting += 1
        self._mark(source)
        try:
            async with asyncio.timeout(self._limits.place_wait_ms / 1_000):
                await turn
        except TimeoutError:
            self._give_up(source, turn)
            raise Refusal(429, "tooManyRequests") from None
        except asyncio.CancelledError:
            self._give_up(source, turn)
            raise
        finally:
            self._waiting -= 1

    def _give_up(self, source: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            # The place came at the very moment in which we stopped waiting for it.
            self._release(source)
            return
        line = self._lines.get(source)
        if line is not None and turn in line:
            line.remove(turn)
        self._mark(source)

    def _release(self, source: str) -> None:
        self._taken -= 1
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]
        self._mark(source)
        while self._ready and self._taken < self._limits.in_flight:
            self._call_next()

    def _call_next(self) -> None:
        source, _ = self._ready.popitem(last=False)
        line = self._lines[source]
        while line:
            turn = line.popleft()
            if not turn.done():
                self._grant(source)
                turn.set_result(None)
                break
        self._mark(source)

    def _mark(self, source: str) -> None:
        line = self._lines.get(source)
        if not line:
            self._lines.pop(source, None)
            self._ready.pop(source, None)
        elif self._by_source.get(source, 0) >= self._limits.in_flight_per_source:
            self._ready.pop(source, None)
        elif source not in self._ready:
            self._ready[source] = None


class ByteStream(Protocol):
    """The body of a request as the HTTP library gives it."""

    def is_eof(self) -> bool: ...

    def read_nowait(self, n: int = -1) -> bytes: ...

    async def readany(self) -> bytes: ...


async def read_body(stream: ByteStream, announced: int | None, limits: Limits) -> bytes:
    """The whole body; `Refusal` 413 when it is too long, 408 when it is too slow."""
    most = limits.body_bytes
    if announced is not None and announced > most:
        raise Refusal(413, "bodyTooLarge")
    if stream.is_eof():
        body = stream.read_nowait()
        if len(body) > most:
            raise Refusal(413, "bodyTooLarge")
        return body
    received = bytearray()
    try:
        async with asyncio.timeout(limits.body_ms / 1_000):
            while chunk := await stream.readany():
                received += chunk
                if len(received) > most:
                    raise Refusal(413, "bodyTooLarge")
    except TimeoutError:
        raise Refusal(408, "bodyTooSlow") from None
    return bytes(received)
