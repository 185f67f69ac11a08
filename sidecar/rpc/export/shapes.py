"""JSON Schema of the wire models, in the form that client generators turn into clean code.

Each setting answers a fault of some generator: a title on a property becomes an exported alias, a
description beside a `$ref` a second class, a null branch a pointer to a pointer, an integer without
a format 32 bits.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from sidecar.rpc.schema.catalogue import METHODS, Method
from sidecar.rpc.schema.errors import ErrorObject

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF = "#/$defs/"


class WireSchema(GenerateJsonSchema):
    """Pydantic's generator with the settings of the contract."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {**super().int_schema(schema), "format": "int64"}

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return {**super().float_schema(schema), "format": "double"}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Optional means absent: neither a null branch nor a default of null. A required member
        that may be null keeps its branch."""
        if schema.get("default", ...) is None:
            return _without_null(self.generate_inner(schema["schema"]))
        shape = super().default_schema(schema)
        if "$ref" in shape:
            shape.pop("default", None)
        return shape


def _without_null(shape: JsonSchemaValue) -> JsonSchemaValue:
    branches = [branch for branch in shape.get("anyOf", ()) if branch != {"type": "null"}]
    if not branches:
        return shape
    if len(branches) == 1:
        rest = {key: value for key, value in shape.items() if key != "anyOf"}
        return {**branches[0], **rest}
    return {**shape, "anyOf": branches}


def types_of(method: Method) -> Iterator[tuple[Any, JsonSchemaMode]]:
    """The models of a method. What a client sends is read here, so it has the shape of validation;
    what the sidecar sends is written here."""
    incoming = method.direction == "clientToSidecar"
    yield method.params, "validation" if incoming else "serialization"
    if method.result is not None:
        yield method.result, "serialization" if incoming else "validation"


@cache
def definitions() -> dict[str, Any]:
    """Every type of the wire by name."""
    wanted: dict[int, tuple[Any, JsonSchemaMode]] = {}
    for method in METHODS:
        for model, mode in types_of(method):
            wanted.setdefault(id(model), (model, mode))
    wanted[id(ErrorObject)] = (ErrorObject, "serialization")
    _, document = TypeAdapter.json_schemas(
        [(key, mode, TypeAdapter(model)) for key, (model, mode) in wanted.items()],
        by_alias=True,
        schema_generator=WireSchema,
    )
    found: dict[str, Any] = tidy(document["$defs"])
    return found


def bundle() -> dict[str, Any]:
    """All types under `$defs`, and a root that is a catalogue of them, not a message."""
    types = definitions()
    return {
        "$schema": DIALECT,
        "title": "VoicecallProtocol",
        "description": "A catalogue of every type of the protocol; it is not a message itself.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name[0].lower() + name[1:]: {"$ref": REF + name} for name in types},
        "$defs": types,
    }


def rooted(name: str) -> dict[str, Any]:
    """A schema whose root is one type, with everything that type needs."""
    types = definitions()
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed.add(current)
            waiting.extend(references(types[current]))
    return {
        "$schema": DIALECT,
        "$ref": REF + name,
        "$defs": {each: types[each] for each in sorted(needed)},
    }


def config_schema() -> dict[str, Any]:
    """The configuration's schema."""
    from sidecar.config import Config

    shape = TypeAdapter(Config).json_schema(by_alias=True, schema_generator=WireSchema)
    document: dict[str, Any] = tidy({"$schema": DIALECT, **shape})
    return document


def references(shape: Any) -> Iterator[str]:
    """The names of the types that `shape` refers to."""
    if isinstance(shape, Mapping):
        target = shape.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(REF)
        for value in shape.values():
            yield from references(value)
    elif isinstance(shape, list):
        for value in shape:
            yield from references(value)


def inlined(shape: Any, types: Mapping[str, Any] | None = None) -> Any:
    """`shape` with every `$ref` replaced by what it points to; no type contains itself."""
    known = definitions() if types is None else types
    if isinstance(shape, Mapping):
        if "$ref" in shape:
            return inlined(known[shape["$ref"].removeprefix(REF)], known)
        return {
            key: inlined(value, known)
            for key, value in shape.items()
            # The mapping of a discriminator points at types that are no longer there.
            if key != "discriminator"
        }
    if isinstance(shape, list):
        return [inlined(value, known) for value in shape]
    return shape


def tidy(shape: Any) -> Any:
    """Descriptions come from docstrings, wrapped for the reader of the code; here on one line."""
    if isinstance(shape, Mapping):
        return {
            key: " ".join(value.split())
            if key == "description" and isinstance(value, str)
            else tidy(value)
            for key, value in shape.items()
        }
    if isinstance(shape, list):
        return [tidy(value) for value in shape]
    return shape
