"""The configuration as people read it: the rows of the README's table, and a view without secrets.

Both walk the models, so that neither can fall behind them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from sidecar.config.model import Config
from sidecar.config.values import Path, is_secret, keys_of

_REDACTED = "***"
_USER_INFO = re.compile(r"(://)[^/?#\s]*@")
_VOICE_OF_NUMBER = ("numbers", "*", "tts")
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_BOUNDS = (
    ("exclusiveMinimum", ">"),
    ("minimum", "≥"),
    ("maximum", "≤"),
)
_BOUND_SHOWN_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """One key: `default` is JSON text, or empty when the key is unset by default."""

    key: str
    type: str
    default: str
    note: str


def reference_rows() -> list[Row]:
    """Every key in the order of the models. A section has no row of its own: its keys do, but the
    voice of a number has one row instead of a second copy of the voice's."""
    schema = Config.model_json_schema(by_alias=True)
    secrets = {path for path, field in keys_of(Config) if is_secret(field)}
    return [
        Row(".".join(path), kind, default, note)
        for path, kind, default, note in _rows(schema, schema["$defs"], (), secrets)
    ]


def _rows(
    schema: dict[str, Any], named: dict[str, Any], prefix: Path, secrets: set[Path]
) -> list[tuple[Path, str, str, str]]:
    rows: list[tuple[Path, str, str, str]] = []
    for key, member in schema["properties"].items():
        path = (*prefix, key)
        section, inner = _section(member, path)
        if path == _VOICE_OF_NUMBER:
            rows.append((path, "object, as `tts`", "", member["description"]))
        elif section is not None:
            rows += _rows(named[section], named, inner, secrets)
        else:
            kind = "secret" if path in secrets else _type(member)
            default = member.get("default", ...)
            text = "" if default is ... else json.dumps(default, ensure_ascii=False)
            rows.append((path, kind, text, member["description"]))
    return rows


def _section(member: dict[str, Any], path: Path) -> tuple[str | None, Path]:
    """The definition a member points to, and the path of its keys."""
    values = member.get("additionalProperties")
    for place, inner in ((member, path), (values, (*path, "*"))):
        if isinstance(place, dict) and "$ref" in place:
            return place["$ref"].rpartition("/")[2], inner
    return None, path


def _type(member: Mapping[str, Any]) -> str:
    if "enum" in member or "const" in member:
        return " | ".join(f"`{name}`" for name in member.get("enum", [member.get("const")]))
    if "anyOf" in member:
        return " or ".join(_type(branch) for branch in member["anyOf"])
    kind = member.get("type", "object")
    if kind == "array":
        return f"list of {_type(member.get('items', {}))}"
    if kind == "object":
        values = member.get("additionalProperties")
        return f"map to {_type(values)}" if isinstance(values, dict) and values else "object"
    bounds = [
        f"{sign} {member[name]:g}"
        for name, sign in _BOUNDS
        if name in member and member[name] <= _BOUND_SHOWN_MAX
    ]
    return " ".join([_PLAIN.get(kind, kind), ", ".join(bounds)]).strip()


def redacted(config: Config) -> dict[str, Any]:
    """The configuration as JSON values by wire names, for diagnostics: secrets and the user
    information of URLs are replaced, unset keys are left out."""
    view: dict[str, Any] = _hidden(config.model_dump(by_alias=True, exclude_none=True))
    return view


def _hidden(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _REDACTED
    if isinstance(value, str):
        return _USER_INFO.sub(rf"\g<1>{_REDACTED}@", value)
    if isinstance(value, Mapping):
        return {key: _hidden(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(member) for member in value]
    return value
