"""What one connection still has to write, in order, counted and bounded.

Who takes it away (a thread for stdio, a task for a WebSocket) lives with the transport; which
events are put in, and when, is `pump`.
"""

import asyncio
from collections import deque
from collections.abc import Callable

LIMIT_BYTES = 4 * 1024 * 1024
DISPENSABLE_BYTES = 64 * 1024


class Outgoing:
    """A queue of whole messages. `size` is what has not been written yet, in bytes.

    `on_data` is called once per loop turn in which there is something to take, `on_over` once when
    the queue has grown over its limit, `on_close` once when nothing more will come. Until `begin`,
    messages are kept back, because something else has to come first.
    """

    def __init__(self, terminator: bytes = b"") -> None:
        self._terminator = terminator
        self._pending: deque[bytes] = deque()
        self._kept: list[bytes] | None = []
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._announced = False
        self._limit = LIMIT_BYTES
        self.size = 0
        self.written_bytes = 0
        self.closed = False
        self.on_data: Callable[[], None] | None = None
        self.on_over: Callable[[], None] | None = None
        self.on_close: Callable[[], None] | None = None

    @property
    def over(self) -> bool:
        return self.size > self._limit

    def begin(self, first: bytes | None = None) -> None:
        """Queue `first`, then what was kept back."""
        kept, self._kept = self._kept or [], None
        if first is not None:
            self.put(first)
        self._pending.extend(kept)
        if kept and not self.closed:
            self._announce()

    def put(self, message: bytes, at_once: bool = False) -> None:
        """Queue a message; `at_once` also where others are kept back."""
        if self.closed:
            return
        line = message + self._terminator
        if self.size == 0:
            # One message that is larger than the limit by itself is nobody's slowness.
            self._limit = LIMIT_BYTES + (len(line) if len(line) > LIMIT_BYTES else 0)
        self.size += len(line)
        if self._kept is None or at_once:
            self._pending.append(line)
            self._announce()
        else:
            self._kept.append(line)
        if self.over and self.on_over is not None:
            on_over, self.on_over = self.on_over, None
            on_over()

    def put_if_idle(self, message: bytes) -> bool:
        """Queue something that may be lost; False when it was, because too much is waiting."""
        if self.closed or self.size > DISPENSABLE_BYTES:
            return False
        self.put(message)
        return True

    def take(self) -> list[bytes]:
        """Everything that waits; `wrote` is told when it has been written."""
        taken = list(self._pending)
        self._pending.clear()
        return taken

    def wrote(self, count: int) -> None:
        if self.closed:
            return
        self.size -= count
        self.written_bytes += count
        self._wake()

    async def below(self, size: int) -> None:
        """Wait until no more than `size` bytes are waiting, or the queue is closed."""
        if self.closed or self.size <= size:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, waiter)
        self._waiters.append(entry)
        try:
            await waiter
        finally:
            if entry in self._waiters:
                self._waiters.remove(entry)

    async def flush(self) -> None:
        await self.below(0)

    def close(self) -> None:
        """Drop what waits and take nothing more."""
        if self.closed:
            return
        self.closed = True
        self.size = 0
        self._pending.clear()
        self._kept = None
        self._wake()
        if self.on_close is not None:
            self.on_close()

    def _announce(self) -> None:
        if not self._announced and self.on_data is not None:
            self._announced = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._announced = False
        if self._pending and self.on_data is not None:
            self.on_data()

    def _wake(self) -> None:
        if not self._waiters:
            return
        waiting, self._waiters = self._waiters, []
        for size, waiter in waiting:
            if self.closed or self.size <= size:
                if not waiter.done():
                    waiter.set_result(None)
            else:
                self._waiters.append((size, waiter))
