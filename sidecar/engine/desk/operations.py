"""`continue` without a waiting request: begun with one request, its result fetched with another."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from sidecar.errors import HostError, Problem, SidecarError
from sidecar.ports import Clock
from sidecar.tasks import TaskSet

KEPT_MS = 600_000
"""How long a result is kept after it is there (calls.md)."""

FAULT = Problem("internalError", "The operation failed for a reason of our own; see the log.")

log = structlog.get_logger()


class Operations:
    """Results by operation id, in memory: they end with the process, as the calls' waiters do."""

    def __init__(self, clock: Clock, new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._running: dict[str, asyncio.Task[None]] = {}
        self._settled: dict[str, tuple[int, Mapping[str, Any] | Problem]] = {}
        self._tasks = TaskSet()

    def begin(self, work: Coroutine[Any, Any, Mapping[str, Any]]) -> str:
        """Run `work` to its end; gives the id under which its result can be asked for."""
        self._forget_old()
        operation_id = self._new_id()
        self._running[operation_id] = self._tasks.spawn(
            self._run(operation_id, work), f"operation {operation_id}"
        )
        return operation_id

    def result(self, operation_id: str) -> Mapping[str, Any] | Problem | None:
        """The result or its problem; None while it is pending. Raises `notFound`."""
        self._forget_old()
        if operation_id in self._running:
            return None
        settled = self._settled.get(operation_id)
        if settled is None:
            raise HostError(
                Problem(
                    "notFound",
                    "There is no operation with this operationId; results are kept 10 minutes.",
                )
            )
        return settled[1]

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self, operation_id: str, work: Coroutine[Any, Any, Mapping[str, Any]]) -> None:
        outcome: Mapping[str, Any] | Problem
        try:
            outcome = await work
        except SidecarError as error:
            outcome = error.problem
        # The root of the operation's task: whoever asks for its result must find one.
        except Exception:
            log.exception("operation.fault", operation_id=operation_id)
            outcome = FAULT
        finally:
            self._running.pop(operation_id, None)
        self._settled[operation_id] = (self._clock.now_ms() + KEPT_MS, outcome)

    def _forget_old(self) -> None:
        now_ms = self._clock.now_ms()
        old = [key for key, (until_ms, _) in self._settled.items() if until_ms <= now_ms]
        for key in old:
            del self._settled[key]
