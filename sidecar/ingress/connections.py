"""The open connections of the listener: a bound on how many there are, and what a request that is
not HTTP gets.

How many requests may be worked on is in `limits`.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from sidecar.ingress.limits import Limits
from sidecar.ingress.messages import response_of
from sidecar.ports import Counters, HttpAnswer

READ_BYTES = 16 * 1024
HEADER_MAX_BYTES = 8 * 1024

Handle = Callable[[BaseRequest], Awaitable[StreamResponse]]


class Connections(Server):
    """At most so many connections; the one that has been idle longest makes room for a new one.

    A connection is idle until its first request's head is complete, and again after each answer.
    Half-open sockets thus push out each other, while a carrier, whose request follows at once, is
    served. Connections with a request at work are bounded by the places and lines in `limits`.
    """

    def __init__(self, handle: Handle, limits: Limits, counters: Counters) -> None:
        super().__init__(
            self._serve,
            access_log=None,
            logger=_quiet_logger(),
            keepalive_timeout=limits.idle_ms / 1_000,
            lingering_time=limits.linger_ms / 1_000,
            read_bufsize=READ_BYTES,
            max_line_size=HEADER_MAX_BYTES,
            max_field_size=HEADER_MAX_BYTES,
            # The signature covers the body as it was sent, and nobody unpacks a stranger's bomb.
            auto_decompress=False,
        )
        self._handle = handle
        self._limits = limits
        self._counters = counters
        self._idle: OrderedDict[RequestHandler, None] = OrderedDict()
        self._open: dict[RequestHandler, asyncio.Transport] = {}

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._counters, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open[handler] = transport
        self._idle[handler] = None
        if len(self._open) > self._limits.connections:
            # With no idle one the new connection is the only idle one, and goes itself.
            oldest, _ = self._idle.popitem(last=False)
            self._open.pop(oldest).abort()
            self._counters.count("listener.connections_dropped")

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.pop(handler, None)
        self._idle.pop(handler, None)

    def drop_idle(self) -> None:
        """Cut every connection on which no request is being answered."""
        for handler in tuple(self._idle):
            if isinstance(handler, _Connection) and not handler.answering:
                self._open[handler].abort()

    async def _serve(self, request: BaseRequest) -> StreamResponse:
        handler = request.protocol
        self._idle.pop(handler, None)
        try:
            return await self._handle(request)
        finally:
            if handler in self._open:
                self._idle[handler] = None


class _Connection(RequestHandler):
    """A connection whose errors are answered in our words: the library's repeat what was sent."""

    __slots__ = ("_counters",)

    def __init__(self, server: Server, counters: Counters, **options: Any) -> None:
        super().__init__(server, **options)
        self._counters = counters

    @property
    def answering(self) -> bool:
        return self._request_in_progress

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages and not isinstance(self._messages[-1][0], RawRequestMessage):
            # The parser gave up, perhaps in the middle of a body. The library keeps that for the
            # next turn and lets who reads the body wait.
            request = self._current_request
            if request is not None and not request.content.is_eof():
                request.content.set_exception(RequestPayloadError())

    def connection_lost(self, exc: BaseException | None) -> None:
        task = self._task_handler
        if task is not None and not self.answering:
            # It may still wait for the rest of a body that was refused; that will not come now.
            task.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        self._counters.count(f"listener.bad_http.{status}")
        text = '{"error":"badRequest"}' if status < 500 else '{"error":"internalError"}'
        response = response_of(HttpAnswer(status, text))
        response.force_close()
        return response


def _quiet_logger() -> logging.Logger:
    """The library logs what strangers send with a trace; it is counted here instead."""
    logger = logging.getLogger("sidecar.ingress.library")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
