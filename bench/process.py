"""P5: from spawning to `sidecar.ready`, and the memory of an idle process."""

import time

from bench.figures import Figure
from bench.sidecar import Sidecar

RUNS = 10


TWILIO = {
    "provider": "twilio",
    "fromNumber": "+15550001111",
    "twilio": {"accountSid": "AC" + "0" * 32, "authToken": "0" * 32},
    "publicUrl": "https://example.com/voice/webhook",
}


def measure() -> list[Figure]:
    figures = []
    for name, config in (("mock", {}), ("twilio", TWILIO)):
        times, memory = [], []
        with Sidecar(config):
            pass  # warms the disk cache
        for _ in range(RUNS):
            with Sidecar(config) as sidecar:
                times.append(sidecar.ready_s)
                sidecar.ask(1, "voicecall.status")
                time.sleep(0.7)  # what is loaded after ready belongs to the idle process
                memory.append(sidecar.rss_mb())
        method = f"{RUNS} spawns over stdio, warm cache"
        figures += [
            Figure(
                "P5", f"spawn to ready, {name}", "s", "<= 0.6", max(times) <= 0.6, times, method
            ),
            Figure("P5", f"idle RSS, {name}", "MB", "<= 70", max(memory) <= 70, memory, method),
        ]
    return figures
