"""10,000 half-open connections at the listener: what they cost in memory, and how long somebody
who calls meanwhile has to wait. The design asks for flat memory and names no number."""

import asyncio
import resource
import time

from bench.figures import Figure
from bench.load import Connection
from bench.sidecar import Sidecar
from bench.twilio import Twilio
from bench.webhooks import free_port

COUNT, RUNS, AT_ONCE = 10_000, 3, 100
FLAT_MB, SOON_MS = 32, 1_000
BEGINNINGS = (
    b"",
    b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nX-A: ",
    b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nX-Twilio-Signature: a\r\n",
)


def measure() -> list[Figure]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    port = free_port()
    growth, waits = [], []
    # The sidecar keeps the limit it was started with; only the strangers need more.
    with Sidecar(Twilio(port).config()) as sidecar:
        sidecar.ask(1, "voicecall.status")
        time.sleep(0.7)  # what is loaded after ready belongs to the idle process
        before_mb = sidecar.rss_mb()
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, COUNT + 1_000), hard))
        try:
            for run in range(RUNS):
                twilio = Twilio(port, f"CA{run:032x}")
                waits.append(asyncio.run(_flood(port, twilio.arrival())))
                growth.append(sidecar.rss_mb() - before_mb)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    method = f"{RUNS} floods of {COUNT:,} connections, silent or in the middle of a head"
    return [
        Figure("flood", "memory beside the idle process", "MB", f"flat, <= {FLAT_MB}",
               max(growth) <= FLAT_MB, growth, method),
        Figure("flood", "answer to a call during the flood", "ms", f"<= {SOON_MS}",
               max(waits) <= SOON_MS, waits, method),
    ]  # fmt: skip


async def _flood(port: int, call: bytes) -> float:
    """How long the call took, in the middle of everything."""
    writers: list[asyncio.StreamWriter] = []

    async def half_open(number: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(BEGINNINGS[number % len(BEGINNINGS)])
        writers.append(writer)

    for start in range(0, COUNT, AT_ONCE):
        await asyncio.gather(*(half_open(start + i) for i in range(AT_ONCE)))
    begun = time.perf_counter()
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
    assert await connection.ask(call) == 200
    took_ms = (time.perf_counter() - begun) * 1_000
    connection.close()
    for writer in writers:
        writer.transport.abort()
    return took_ms
