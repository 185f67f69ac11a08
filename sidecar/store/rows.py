"""Values to JSON text and back: the call record, its transcript lines and turns, event bodies.

Works on any of the core's dataclasses by their field types, so a new field needs nothing here: a
field the text lacks takes its default, a member the class lacks is ignored. Which text belongs in
which table is not known here.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from sidecar.call.model import Call, Line, Turn
from sidecar.ports import NewEvent

_Value = TypeVar("_Value")
_Decode = Callable[[Any], Any]
_Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

_UPGRADES: tuple[_Upgrade, ...] = ()
"""Entry n turns a call's record of format n + 1 into one of format n + 2. Only for members that
changed their meaning or name; added and dropped ones need no entry."""

FORMAT = len(_UPGRADES) + 1
"""The format that records are written in; every row says which one it has."""


class RowError(ValueError):
    """A stored text is not what it should be."""


def dump_call(call: Call) -> str:
    """The record without its transcript and turns, which have rows of their own."""
    return dump(dataclasses.replace(call, transcript=(), turns=()))


def load_call(
    text: str, written_format: int, lines: tuple[Line, ...], turns: tuple[Turn, ...]
) -> Call:
    """The whole call; raises `RowError`."""
    call = load(Call, text, _UPGRADES[written_format - 1 :])
    return dataclasses.replace(call, transcript=lines, turns=turns)


def dump(value: object) -> str:
    """Compact JSON text of a dataclass."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:
        # orjson refuses what JSON allows and a host may send: lone surrogates, integers beyond
        # 64 bits. The standard library writes both, a little slower.
        return _ascii(value)


def load(kind: type[_Value], text: str, upgrades: Iterable[_Upgrade] = ()) -> _Value:
    """The dataclass `kind` from its JSON text; raises `RowError`."""
    try:
        # The standard parser keeps large integers and lone surrogates as they were written.
        plain = json.loads(text)
        for upgrade in upgrades:
            plain = upgrade(plain)
        return cast(_Value, _decoder(cast(Any, kind))(plain))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RowError(f"The stored text is not a {kind.__name__}.") from error


def dump_event(event: NewEvent) -> str:
    """The body of an event behind its `seq`, which is known only when it is written."""
    body: dict[str, Any] = {"at": event.at_ms, "type": event.type}
    if event.call_id is not None:
        body["callId"] = event.call_id
    body.update(event.members)
    return _ascii(body)[1:]


def event_body(seq: int, rest: str) -> str:
    """The whole body from `seq` and what `dump_event` gave."""
    return f'{{"seq":{seq},{rest}'


def _ascii(value: object) -> str:
    try:
        return json.dumps(value, default=_plain, separators=(",", ":"), allow_nan=False)
    except ValueError:
        # Numbers on the wire are finite; an infinite one that slipped in becomes null rather than
        # failing the write of a running call.
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    """What JSON writers do not know by themselves."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored.")


def _finite(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case None | str() | int():
            return value
        case list() | tuple():
            return [_finite(item) for item in value]
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case _:
            return _finite(_plain(value))


@cache
def _decoder(kind: Any) -> _Decode:
    """A function from plain JSON values to `kind`, which is a type or a type expression."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _optional(kind)
    if origin is tuple:
        item = _decoder(get_args(kind)[0])
        return lambda plain: tuple(item(each) for each in plain)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _record(kind)
    return _scalar(kind)


def _optional(kind: Any) -> _Decode:
    inner = [each for each in get_args(kind) if each is not NoneType]
    if len(inner) != 1:
        raise TypeError(f"{kind} has no one way to be read back.")
    decode = _decoder(inner[0])
    return lambda plain: None if plain is None else decode(plain)


def _scalar(kind: Any) -> _Decode:
    if kind not in (str, int, float, bool):
        return lambda plain: plain
    accepted = (int, float) if kind is float else (kind,)

    def check(plain: Any) -> Any:
        if not isinstance(plain, accepted):
            raise TypeError("A member has another type.")
        return plain

    return check


def _record(kind: type) -> _Decode:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)}

    def build(plain: Any) -> Any:
        if not isinstance(plain, dict):
            raise TypeError("A record is not an object.")
        known = {name: decode(plain[name]) for name, decode in decoders.items() if name in plain}
        return kind(**known)

    return build
