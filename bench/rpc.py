"""P6: the round trip of a request over stdio, and how many go through a pipe."""

import threading
import time

from bench.figures import Figure, percentile
from bench.sidecar import Sidecar, line

ROUND_TRIPS, PIPELINED, RUNS = 2_000, 20_000, 5


def measure() -> list[Figure]:
    with Sidecar() as sidecar:
        sidecar.ask(0, "voicecall.status")
        trips = [_round_trip_ms(sidecar, number) for number in range(1, ROUND_TRIPS + 1)]
        rates = [_pipelined(sidecar) for _ in range(RUNS)]
    return [
        Figure(
            "P6", "voicecall.status round trip", "ms", "p50 <= 0.5", percentile(trips, 50) <= 0.5,
            trips, f"{ROUND_TRIPS} requests, one after the other",
            {"p95": percentile(trips, 95), "p99": percentile(trips, 99)},
        ),
        Figure(
            "P6", "voicecall.status pipelined", "requests/s", ">= 4000", min(rates) >= 4_000,
            rates, f"{PIPELINED} requests, at most 500 unanswered, {RUNS} runs",
        ),
    ]  # fmt: skip


def _round_trip_ms(sidecar: Sidecar, number: int) -> float:
    started = time.perf_counter()
    sidecar.ask(number, "voicecall.status")
    return (time.perf_counter() - started) * 1_000


def _pipelined(sidecar: Sidecar) -> float:
    room = threading.Semaphore(500)

    def write() -> None:
        for number in range(PIPELINED):
            room.acquire()
            sidecar.write(line(number, "voicecall.status"))

    writer = threading.Thread(target=write)
    started = time.perf_counter()
    writer.start()
    for _ in range(PIPELINED):
        assert "result" in sidecar.read()
        room.release()
    writer.join()
    return PIPELINED / (time.perf_counter() - started)
