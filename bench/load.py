"""A load process: sends prepared requests over keep-alive connections and notes how long each
answer took. Reads what to do from stdin, writes what it saw to stdout, both JSON."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import uvloop

from bench.figures import percentile
from bench.twilio import LEG, Twilio

PATIENCE_S = 120


class Connection(asyncio.Protocol):
    """One request at a time; the answer is read to its end."""

    def __init__(self) -> None:
        # The transports of uvloop are not of asyncio's classes.
        self._transport: Any = None
        self._received = bytearray()
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    async def ask(self, request: bytes) -> int:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = bytes(self._received).partition(b"\r\n\r\n")
        if not blank or self._answer is None:
            return
        lowered = head.lower()
        start = lowered.index(b"content-length:") + len(b"content-length:")
        if len(body) >= int(lowered[start:].partition(b"\r\n")[0]):
            self._received.clear()
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the sidecar closed a connection"))

    def close(self) -> None:
        self._transport.close()


class Load:
    """`rate` 0 is as fast as the answers come; else requests are due at even intervals, and an
    answer's time counts from when its request was due."""

    def __init__(self, requests: list[bytes], rate: float) -> None:
        self._requests: Iterator[tuple[int, bytes]] = enumerate(requests)
        self._rate = rate
        self._begun = 0.0
        self.took_ms: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def run(self, port: int, connections: int) -> float:
        """Gives how many seconds it took."""
        loop = asyncio.get_running_loop()
        pool = [
            (await loop.create_connection(Connection, "127.0.0.1", port))[1]
            for _ in range(connections)
        ]
        self._begun = time.perf_counter()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for connection in pool:
                group.create_task(self._work(connection))
        took_s = time.perf_counter() - self._begun
        for connection in pool:
            connection.close()
        return took_s

    async def _work(self, connection: Connection) -> None:
        for number, request in self._requests:
            due = time.perf_counter()
            if self._rate:
                due = self._begun + number / self._rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.statuses[await connection.ask(request)] += 1
            self.took_ms.append((time.perf_counter() - due) * 1_000)


async def main(task: dict[str, Any]) -> dict[str, Any]:
    twilio = Twilio(task["port"], task.get("leg", LEG))
    twilio.skip(task["first"])
    news = twilio.news(task["callId"], tuple(task["kinds"]))
    load = Load(list(islice(news, task["count"])), task["rate"])
    took_s = await load.run(task["port"], task["connections"])
    p50, p99 = (percentile(load.took_ms, percent) for percent in (50, 99))
    return {"seconds": took_s, "p50": p50, "p99": p99, "statuses": dict(load.statuses)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(json.load(sys.stdin)))))
