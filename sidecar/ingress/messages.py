"""HTTP messages of the listener as plain values, and plain values as HTTP messages."""

import re
from urllib.parse import unquote

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response

from sidecar.ingress.limits import Limits, Refusal, read_body
from sidecar.ingress.trust.hosts import plain_address
from sidecar.ports import HttpAnswer, HttpRequest

SERVER_NAME = "voicecall"
_BROKEN_BODY = (RequestPayloadError, HttpProcessingError)


def target_of(request: BaseRequest) -> str:
    """Path and query as they were sent; `Refusal` 400 for what no URL may hold."""
    target = request.raw_path
    if not (target.isascii() and target.isprintable()) or " " in target:
        raise Refusal(400, "badRequest")
    if "://" in target and not target.startswith("/"):
        # A client that takes us for a proxy names the whole URL; its path is what is meant.
        rest = target.partition("://")[2]
        start = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        target = rest[start:] if rest[start:].startswith("/") else "/" + rest[start:]
    return target.partition("#")[0]


def plain_path(path: str) -> str:
    """A path in the spelling in which routes are compared: decoded, without a trailing slash. A
    slash that was written as `%2F` is not one that divides."""
    if "%" in path:
        path = unquote(re.sub("%2f", "%252F", path, flags=re.IGNORECASE))
    return path[:-1] if path.endswith("/") and path != "/" else path


def head_of(request: BaseRequest, target: str) -> HttpRequest:
    """The request without its body. A repeated header keeps its first value."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), value if value.isascii() else _as_latin(value))
    return HttpRequest(
        request.method, target, headers, b"", plain_address(request.remote or ""), ""
    )


def _as_latin(value: str) -> str:
    """Bytes of a header, one character each: text that can be compared, stored and logged."""
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


async def body_of(request: BaseRequest, limits: Limits) -> bytes:
    """The body within its limits; raises `Refusal`, or OSError when the peer has gone."""
    announced = request.content_length
    expect = request.headers.get("Expect")
    if expect is not None:
        await _continue(request, expect, announced, limits)
    try:
        return await read_body(request.content, announced, limits)
    except _BROKEN_BODY as error:
        raise Refusal(400, "badRequest") from error


async def _continue(
    request: BaseRequest, expect: str, announced: int | None, limits: Limits
) -> None:
    """Who asks before it sends its body is told to go on, unless the body is too long anyway."""
    if expect.lower() != "100-continue":
        raise Refusal(417, "expectationFailed")
    if announced is None or announced <= limits.body_bytes:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # The library takes anything written for the beginning of the answer.
        request.writer.output_size = 0


def response_of(answer: HttpAnswer, headers: dict[str, str] | None = None) -> Response:
    kind = answer.content_type
    if kind.startswith("text/") and "charset" not in kind:
        kind += "; charset=utf-8"
    return Response(
        status=answer.status,
        body=answer.body.encode("utf-8", "replace"),
        headers={"Content-Type": kind, "Server": SERVER_NAME, **(headers or {})},
    )


def refusal_of(request: BaseRequest, refusal: Refusal) -> Response:
    """The answer to a request that goes no further."""
    answer = HttpAnswer(refusal.status, f'{{"error":"{refusal.error}"}}')
    response = response_of(answer, refusal.headers)
    if not request.content.is_eof():
        # The rest of the body is not wanted; the next request cannot be found behind it.
        response.force_close()
    return response


def require_method(request: BaseRequest, method: str) -> None:
    if request.method != method:
        raise Refusal(405, "methodNotAllowed", {"Allow": method})
