"""A real sidecar process for measuring: spawned over stdio, spoken to in JSON lines."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent


class Sidecar:
    """`ready_s` is the time from spawning to the line `sidecar.ready`."""

    def __init__(self, config: dict[str, Any] | None = None, store: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="voicecall-bench-")
        home = Path(self._folder.name)
        given = {
            "serve": {"port": 0},
            "mock": {"speed": 0},
            "store": store or str(home / "calls.db"),
            **(config or {}),
        }
        path = home / "config.json"
        path.write_text(json.dumps(given))
        environ = {**os.environ, "HOME": str(home), "VOICECALL_RPC_TOKEN": "bench-token"}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sidecar", "serve", "--stdio", "--no-cli-socket",
             "--config", str(path), "--log-level", "error"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd=ROOT, env=environ,
        )  # fmt: skip
        self.ready = self.read()
        self.ready_s = time.perf_counter() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        self._folder.cleanup()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        message: dict[str, Any] = json.loads(self.process.stdout.readline())
        return message

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def ask(self, request_id: int, method: str, params: dict[str, Any] | None = None) -> Any:
        self.write(line(request_id, method, params))
        while (message := self.read()).get("id") != request_id:
            pass
        return message["result"]

    def cpu_s(self) -> float:
        """The time its threads have computed so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def rss_mb(self) -> float:
        for row in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if row.startswith("VmRSS:"):
                return int(row.split()[1]) / 1_024
        return float("nan")


def line(request_id: int, method: str, params: dict[str, Any] | None = None) -> bytes:
    request: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        request["params"] = params
    return json.dumps(request).encode() + b"\n"
