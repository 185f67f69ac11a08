"""JSON text to a classified message and back. Pure.

What a message means to a connection (ids in flight, the handshake, answers) is not here.
"""

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from sidecar.errors import Problem
from sidecar.rpc.errors import invalid_request

MESSAGE_LIMIT_BYTES = 1024 * 1024
BATCH_LIMIT = 100
DEPTH_LIMIT = 64

Id = str | int | None


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants exactly one answer. `params` is None when absent."""

    id: Id
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Notification:
    """A call that is never answered, not even with an error."""

    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a request of ours, or to none; not checked any further."""

    id: Any
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invalid:
    """Something that is answered with an error: not JSON, or not a message."""

    id: Id
    problem: Problem


Element = Request | Notification | Response | Invalid


@dataclass(frozen=True, slots=True)
class Batch:
    elements: tuple[Element, ...]


class _NotFinite(ValueError):
    """A number that JSON does not have."""


def parse(text: bytes | str) -> Element | Batch:
    """Classify one JSON text; never raises."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        # A ValueError is bad UTF-8, bad JSON, a number that is not finite or one too long to read.
        return Invalid(None, Problem("parseError", "The message is not valid JSON in UTF-8."))
    if _is_too_deep(text, value):
        return Invalid(
            None, Problem("parseError", f"The message is nested deeper than {DEPTH_LIMIT} levels.")
        )
    if not isinstance(value, list):
        return _classify(value)
    if not value:
        return Invalid(None, invalid_request("A batch must not be empty."))
    if len(value) > BATCH_LIMIT:
        return Invalid(None, invalid_request(f"A batch has at most {BATCH_LIMIT} elements."))
    return Batch(tuple(_classify(element) for element in value))


def too_long() -> Invalid:
    """What a message over the size limit is, unread."""
    return Invalid(None, invalid_request(f"A message has at most {MESSAGE_LIMIT_BYTES} bytes."))


def dump(value: Any) -> bytes:
    """Compact JSON in ASCII; raises ValueError, TypeError or RecursionError for what has no
    JSON form."""
    return _ENCODER.encode(value).encode("ascii")


def notification(method: str, params: Any) -> bytes:
    return dump({"jsonrpc": "2.0", "method": method, "params": params})


def _classify(value: Any) -> Element:
    if not isinstance(value, dict):
        return Invalid(None, invalid_request("A message must be a JSON object."))
    if "method" not in value:
        if "result" in value or "error" in value:
            return Response(value.get("id"), value)
        return Invalid(_readable_id(value), invalid_request("A request needs a method."))
    request_id = value.get("id")
    if not _is_id(request_id):
        return Invalid(None, invalid_request("An id must be a string, an integer or null."))
    method = value["method"]
    if value.get("jsonrpc") != "2.0":
        return Invalid(request_id, invalid_request('The member jsonrpc must be "2.0".'))
    if not isinstance(method, str):
        return Invalid(request_id, invalid_request("The method must be a string."))
    params = value.get("params")
    if "id" not in value:
        return Notification(method, params)
    if params is not None and not isinstance(params, dict | list):
        return Invalid(request_id, invalid_request("The params must be an object."))
    return Request(request_id, method, params)


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _readable_id(value: dict[str, Any]) -> Id:
    request_id: Id = value.get("id")
    return request_id if _is_id(request_id) else None


def _is_too_deep(text: str, value: Any) -> bool:
    # Brackets inside strings count here too, which only costs the walk below.
    if text.count("[") + text.count("{") <= DEPTH_LIMIT:
        return False
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_LIMIT):
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NotFinite
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise _NotFinite(name)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
