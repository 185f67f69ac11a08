"""The files of `schemas/`: their names and texts, writing them, and comparing a directory."""

import json
from pathlib import Path
from typing import Any

from sidecar.rpc.export.document import document, type_name
from sidecar.rpc.export.readme import README
from sidecar.rpc.export.samples import sample
from sidecar.rpc.export.shapes import bundle, config_schema, definitions, inlined, rooted
from sidecar.rpc.schema.catalogue import METHODS, Method, errors_of
from sidecar.rpc.schema.errors import KINDS

_EXAMPLES = "examples"


def build() -> dict[str, str]:
    """Every file by name, the same text every time."""
    files = {
        "voicecall.schema.json": _text(bundle()),
        "events.schema.json": _text(rooted("Event")),
        "openrpc.json": _text(document()),
        "methods.json": _text([_index(method) for method in METHODS]),
        "errors.json": _text(
            [
                {"code": row.code, "kind": row.kind, "retryable": row.retryable, "text": row.text}
                for row in KINDS
            ]
        ),
        "config.schema.json": _text(config_schema()),
        "voice_call.tool.json": _text(_tool()),
        "README.md": README,
    }
    for name in definitions():
        files[f"{_EXAMPLES}/{name}.json"] = _text(sample(name))
    return files


def write(out: Path) -> list[str]:
    """Write every file; examples of types that are gone are removed."""
    files = build()
    (out / _EXAMPLES).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    for name in _left_over(out, files):
        if name.startswith(f"{_EXAMPLES}/"):
            (out / name).unlink()
    return sorted(files)


def check(out: Path) -> list[str]:
    """Problems, one sentence each; none when the directory is up to date."""
    files = build()
    problems = []
    for name, text in sorted(files.items()):
        path = out / name
        if not path.is_file():
            problems.append(f"{name} is missing.")
        elif path.read_bytes() != text.encode("utf-8"):
            problems.append(f"{name} is stale.")
    problems += [f"{name} is left over." for name in _left_over(out, files)]
    return problems


def _left_over(out: Path, files: dict[str, str]) -> list[str]:
    present = [*out.glob("*.json"), *(out / _EXAMPLES).glob("*.json")]
    return sorted(
        name for name in (path.relative_to(out).as_posix() for path in present) if name not in files
    )


def _text(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _index(method: Method) -> dict[str, Any]:
    return {
        "method": method.method,
        "name": method.name,
        "direction": method.direction,
        "kind": "request" if method.is_request else "notification",
        "params": type_name(method.params),
        "result": None if method.result is None else type_name(method.result),
        "errors": list(errors_of(method)),
        "since": method.since,
    }


def _tool() -> dict[str, Any]:
    """The agent tool, complete in itself: agents' hosts do not follow references."""
    parameters = inlined(definitions()["ToolParams"])
    return {
        "name": "voice_call",
        "label": "Voice call",
        "description": "Places telephone calls and talks on them: initiate_call (message, to?, "
        "mode?, dtmfSequence?), continue_call (callId, message) speaks and waits for the answer, "
        "speak_to_user (callId, message) only speaks, send_dtmf (callId, digits), "
        "end_call (callId), get_status (callId).",
        "parameters": parameters,
    }
