"""Host requests that wait for the call's answer."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sidecar.errors import HostError, Problem


class Requests:
    """One future per request id, from before its event is submitted until it is answered."""

    def __init__(self) -> None:
        self._asking: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def expect(self, request_id: str) -> asyncio.Future[Mapping[str, Any]]:
        """The answer to come: a result, or `HostError`."""
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._asking[request_id] = future
        return future

    def forget(self, request_id: str) -> None:
        self._asking.pop(request_id, None)

    def answer(self, request_id: str, answer: Mapping[str, Any] | Problem) -> None:
        """Whoever asked may have gone; then nobody is told."""
        future = self._asking.get(request_id)
        if future is None or future.done():
            return
        if isinstance(answer, Problem):
            future.set_exception(HostError(answer))
        else:
            future.set_result(answer)
