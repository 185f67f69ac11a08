"""P2: signed Twilio webhooks, each verified, looked up, journalled on disk and answered.

A load process on another core sends requests that were signed before it began; the sidecar has one
core. A client follows the events on stdio meanwhile, as a Gateway does.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.figures import Figure
from bench.sidecar import ROOT, Sidecar, line
from bench.twilio import KINDS, Twilio

RUNS, COUNT, CONNECTIONS = 5, 4_000, 64
RATE, HALF_RATE, P99_MS = 2_000, 1_000, 50
HALF_COUNT = 4_000
OLD_EVENTS = 6_000
FLAT = 0.85
"""A call with many events keeps this part of the rate at least; less is not noise any more."""


@dataclass(frozen=True)
class Seen:
    """What the load process saw in one run."""

    per_s: float
    per_cpu_s: float
    p50: float
    p99: float


class Field:
    """A sidecar with one call that has been answered, and the load process beside it."""

    def __init__(self) -> None:
        self._port = free_port()
        self._twilio = Twilio(self._port)
        self._sent = 10
        with _core(0):
            self.sidecar = Sidecar(self._twilio.config())
        self._call_id = ""
        self._follower = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Field":
        sidecar = self.sidecar
        client = {"name": "bench", "version": "1"}
        wish = {"protocolVersion": 1, "client": client, "capabilities": {"events": {}}}
        sidecar.ask(1, "initialize", wish)
        self._call_id = self._take_a_call()
        self._follower.start()
        return self

    def __exit__(self, *failure: Any) -> None:
        self.sidecar.__exit__(None, None, None)
        self._follower.join(10)

    def run(self, count: int, rate: float = 0, kinds: tuple[str, ...] = ("digits",)) -> Seen:
        task = {
            "port": self._port, "callId": self._call_id, "first": self._sent, "count": count,
            "kinds": kinds, "rate": rate, "connections": CONNECTIONS,
        }  # fmt: skip
        self._sent += count
        before_s = self.sidecar.cpu_s()
        with _core(1):
            done = subprocess.run(
                [sys.executable, "-m", "bench.load"], input=json.dumps(task).encode(),
                stdout=subprocess.PIPE, cwd=ROOT, check=True,
            )  # fmt: skip
        seen = json.loads(done.stdout)
        assert seen["statuses"] == {"200": count}, seen["statuses"]
        cpu_s = self.sidecar.cpu_s() - before_s
        return Seen(count / seen["seconds"], count / cpu_s, seen["p50"], seen["p99"])

    def _take_a_call(self) -> str:
        request = self._twilio.arrival()
        head, _, body = request.partition(b"\r\n\r\n")
        first, *rows = head.decode().split("\r\n")
        headers = dict(row.split(": ", 1) for row in rows)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("POST", first.split()[1], body, headers)
        assert connection.getresponse().status == 200
        connection.close()
        call_id: str = self.sidecar.ask(2, "voicecall.status")["calls"][0]["callId"]
        return call_id

    def _follow(self) -> None:
        """Reads and acknowledges events until the sidecar ends."""
        out = self.sidecar.process.stdout
        assert out is not None
        for number, text in enumerate(out):
            if number % 100 == 99 and b'"seq"' in text:
                seq = json.loads(text)["params"]["seq"]
                self.sidecar.write(line(number, "voicecall.ack", {"seq": seq}))


def measure() -> list[Figure]:
    fresh, half, mixed = [], [], []
    for _ in range(RUNS):
        with Field() as field:
            field.run(500)
            fresh.append(field.run(COUNT))
            half.append(field.run(HALF_COUNT, HALF_RATE))
            mixed.append(field.run(COUNT, kinds=KINDS))
    old, old_half = [], []
    with Field() as field:
        field.run(OLD_EVENTS)
        for _ in range(RUNS):
            old.append(field.run(COUNT))
            old_half.append(field.run(HALF_COUNT, HALF_RATE))
    method = f"{RUNS} runs of {COUNT:,} on {CONNECTIONS} connections, one core, store on disk"
    flat = [after.per_s / median(run.per_s for run in fresh) for after in old]
    return [
        _rate("key presses, each an event of the call", fresh, method),
        _rate("key presses, late speech and status in turn", mixed, method),
        _delay("p99 at half the rate", half),
        Figure(
            "P2", f"rate once the call has {OLD_EVENTS:,} events, to a new one's", "ratio", "flat",
            median(flat) >= FLAT, flat, f"{method}; flat is at least {FLAT}", _extra(old),
        ),
        _delay(f"p99 at half the rate, {OLD_EVENTS:,} events", old_half),
    ]  # fmt: skip


def _rate(what: str, runs: Sequence[Seen], method: str) -> Figure:
    values = [run.per_s for run in runs]
    reached = median(values) >= RATE
    return Figure("P2", what, "webhooks/s", f">= {RATE}", reached, values, method, _extra(runs))


def _delay(what: str, runs: Sequence[Seen]) -> Figure:
    values = [run.p99 for run in runs]
    method = f"{RUNS} runs of {HALF_COUNT:,}, due at {HALF_RATE:,}/s, each timed from when it was"
    return Figure(
        "P2", what, "ms", f"<= {P99_MS}", median(values) <= P99_MS, values, method,
        {"p50": median(run.p50 for run in runs)},
    )  # fmt: skip


def _extra(runs: Sequence[Seen]) -> dict[str, float]:
    """On a shared machine the rate per second of computing says more than the one per second."""
    return {
        "p50": median(run.p50 for run in runs),
        "p99": median(run.p99 for run in runs),
        "perCpuSecond": median(run.per_cpu_s for run in runs),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _core(number: int) -> Iterator[None]:
    """What is spawned inside runs on this core alone, where there are two."""
    allowed = os.sched_getaffinity(0)
    cores = sorted(allowed)
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
