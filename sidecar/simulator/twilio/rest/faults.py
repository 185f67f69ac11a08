"""REST answers that go wrong on purpose."""

from collections import deque
from collections.abc import Mapping

from aiohttp import web

from sidecar.simulator.pace import Pace
from sidecar.simulator.quirks import RestFault, Trouble

PATIENCE_S = 30.0
TEXTS = {429: (20429, "Too Many Requests"), 401: (20003, "Authenticate")}


class Faults:
    """What goes wrong with the next requests, by operation."""

    def __init__(self, first: Mapping[str, tuple[RestFault, ...]]) -> None:
        self._coming = {operation: deque(faults) for operation, faults in first.items()}

    def add(self, operation: str, fault: RestFault, times: int) -> None:
        self._coming.setdefault(operation, deque()).extend([fault] * times)

    def take(self, operation: str) -> RestFault | None:
        coming = self._coming.get(operation)
        return coming.popleft() if coming else None


def error_answer(status: int) -> web.Response:
    """An error as Twilio words it; gateway errors are not JSON."""
    if status >= 500:
        text = f"<html><body><h1>{status}</h1></body></html>"
        return web.Response(status=status, text=text, content_type="text/html")
    code, message = TEXTS.get(status, (20001, "Bad Request"))
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    headers = {"Twilio-Concurrent-Requests": "100"} if status == 429 else None
    return web.json_response(body, status=status, headers=headers)


async def cut(request: web.Request, pace: Pace, partial: bytes | None) -> web.Response:
    """Close the connection: without a word, or our half of it in the middle of an answer."""
    transport = request.transport
    if transport is not None and partial is not None:
        head = (
            "HTTP/1.1 201 CREATED\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(partial)}\r\n\r\n"
        )
        transport.write(head.encode() + partial[: len(partial) // 2])
        transport.write_eof()
        waited_s = 0.0
        while request.transport is not None and waited_s < PATIENCE_S:
            await pace.real_sleep(0.05)
            waited_s += 0.05
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def is_performed(fault: RestFault | None) -> bool:
    """Whether the request is carried out although its answer goes wrong."""
    if fault is None:
        return True
    if fault.trouble is Trouble.STATUS:
        return fault.performed
    return fault.trouble is not Trouble.UNREACHED
