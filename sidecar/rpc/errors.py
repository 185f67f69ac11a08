"""Problems as JSON-RPC errors: the single place where a failure gets its code on the wire."""

from collections.abc import Mapping
from typing import Any

from sidecar.errors import HostError, Problem
from sidecar.rpc.schema.errors import CODES

RETRY_AFTER_MS = 1_000


def error_object(problem: Problem) -> dict[str, Any]:
    """`{code, message, data: {kind, retryable, ...}}`; a kind the contract does not know is a
    fault of ours and becomes `internalError`."""
    code = CODES.get(problem.kind)
    if code is None:
        return internal_error()
    return {
        "code": code,
        "message": problem.message,
        "data": {**problem.data, "kind": problem.kind, "retryable": problem.retryable},
    }


def internal_error() -> dict[str, Any]:
    """What a client is told of a fault of ours; the log has the rest."""
    return error_object(
        Problem("internalError", "The sidecar failed while it worked on this; its log says more.")
    )


def error_response(request_id: str | int | None, problem: Problem) -> dict[str, Any]:
    return failed_response(request_id, error_object(problem))


def failed_response(request_id: str | int | None, error: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error, "id": request_id}


def invalid_request(message: str) -> Problem:
    return Problem("invalidRequest", message)


def bad_field(field: str, problem: str) -> HostError:
    """`invalidParams` about one field."""
    return HostError(
        Problem(
            "invalidParams",
            f"The params are wrong: {field} {problem}.",
            data={"errors": [{"field": field, "problem": problem}], "field": field},
        )
    )


def overloaded(message: str) -> Problem:
    return Problem("overloaded", message, retryable=True, data={"retryAfterMs": RETRY_AFTER_MS})
