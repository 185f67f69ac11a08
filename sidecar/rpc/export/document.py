"""The OpenRPC document: every request a client may send, complete in itself.

It follows OpenRPC 1.2.6, whose methods must have a result; notifications and the sidecar's own
requests are in `methods.json`.
"""

from typing import Any

from sidecar import __version__
from sidecar.rpc.export.samples import sample
from sidecar.rpc.export.shapes import definitions, inlined
from sidecar.rpc.schema.catalogue import METHODS, Method, errors_of
from sidecar.rpc.schema.errors import KINDS


def document() -> dict[str, Any]:
    """The document, with params, results and errors inline and an example of each method."""
    return {
        "openrpc": "1.2.6",
        "info": {
            "title": "voicecall-sidecar",
            "version": __version__,
            "description": "Telephone calls over JSON-RPC 2.0, protocol version 1.",
            "license": {"name": "MIT"},
        },
        "methods": [
            _method(method)
            for method in METHODS
            if method.is_request and method.direction == "clientToSidecar"
        ],
    }


def type_name(model: object) -> str:
    """The wire name of a model or of a named union."""
    return str(getattr(model, "__name__", model))


def _method(method: Method) -> dict[str, Any]:
    params, result = type_name(method.params), type_name(method.result)
    shape = definitions()[params]
    required = shape.get("required", [])
    values = sample(params)
    return {
        "name": method.method,
        "summary": method.summary,
        "paramStructure": "by-name",
        # OpenRPC wants required params before optional ones.
        "params": [
            _content(name, inlined(shape["properties"][name]), name in required)
            for name in sorted(
                shape.get("properties", {}), key=lambda name: (name not in required, name)
            )
        ],
        "result": {"name": result, "schema": inlined(definitions()[result])},
        "errors": [
            {
                "code": row.code,
                "message": row.text,
                "data": {"kind": row.kind, "retryable": row.retryable},
            }
            for row in KINDS
            if row.kind in errors_of(method)
        ],
        "examples": [
            {
                "name": f"{method.name}Example",
                "params": [{"name": name, "value": value} for name, value in values.items()],
                "result": {"name": result, "value": sample(result)},
            }
        ],
    }


def _content(name: str, shape: dict[str, Any], required: bool) -> dict[str, Any]:
    content: dict[str, Any] = {"name": name, "required": required, "schema": shape}
    if "description" in shape:
        content["description"] = shape["description"]
    return content
