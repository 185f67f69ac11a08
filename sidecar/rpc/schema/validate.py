"""Params of a client, checked against their model; every bad field told in words for people."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sidecar.errors import HostError, Problem
from sidecar.rpc.schema.kit import DIGITS_PATTERN, E164_PATTERN, ParamsModel

Model = TypeVar("Model", bound=BaseModel)

_SENTENCES = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "list_type": "must be a list",
    "string_too_short": "must not be empty",
    "string_unicode": "must be valid Unicode text",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
}
_PATTERNS = {
    E164_PATTERN: "must be a phone number in E.164 form, such as +15550001234",
    DIGITS_PATTERN: "may hold only 0-9, A-D, *, #, w and W",
}


def validate(model: type[Model], params: Mapping[str, Any]) -> Model:
    """`params` as an instance of `model`; raises `HostError` (`invalidParams`) naming every bad
    field."""
    nulls = _nulls(model, params)
    try:
        instance = model.model_validate(dict(params), by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        problems = nulls | {k: v for k, v in _problems(model, errors).items() if k not in nulls}
    else:
        if not nulls:
            return instance
        problems = nulls
    raise HostError(_problem(problems)) from None


def _nulls(model: type[BaseModel], params: Mapping[str, Any]) -> dict[str, str]:
    """Optional means absent; the handshake alone is lenient."""
    if not issubclass(model, ParamsModel):
        return {}
    known = set(_wire_names(model))
    return {
        name: "must not be null; leave it out instead"
        for name, value in params.items()
        if value is None and name in known
    }


def _problem(problems: Mapping[str, str]) -> Problem:
    text = "; ".join(f"{field} {what}" for field, what in problems.items())
    return Problem(
        "invalidParams",
        f"The params are wrong: {text}.",
        data={
            "errors": [{"field": field, "problem": what} for field, what in problems.items()],
            "field": next(iter(problems)),
        },
    )


def _problems(model: type[BaseModel], errors: Iterable[ErrorDetails]) -> dict[str, str]:
    """What is wrong by wire name; the first word on a field counts. That another branch of a
    union does not fit either is no news once the likely branch has told what is wrong."""
    found: dict[str, str] = {}
    for error in errors:
        unknown = error["type"] == "extra_forbidden"
        if not unknown and _is_literal_branch(error["loc"][-1:]):
            continue
        context = error.get("ctx", {})
        field = context.get("field") or _path(error["loc"], keep_last=unknown)
        found.setdefault(field, _sentence(model, error, context))
    return found


def _path(location: tuple[int | str, ...], *, keep_last: bool) -> str:
    """The dotted wire name. Pydantic puts the branch of a union into the path: a class name or
    `literal[...]`; wire names begin with a small letter and hold no bracket. The last part of an
    unknown member is the client's own word, whatever it looks like."""
    names = list(map(str, location))
    last = len(names) - 1 if keep_last else -1
    parts = [
        name
        for place, name in enumerate(names)
        if place == last
        or not (name[:1].isupper() and name.isidentifier())
        and not _is_literal_branch((name,))
    ]
    return ".".join(parts) or "params"


def _is_literal_branch(end: tuple[int | str, ...]) -> bool:
    return any(isinstance(part, str) and part.startswith("literal[") for part in end)


def _sentence(model: type[BaseModel], error: ErrorDetails, context: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "sentence":
        return error["msg"]
    if kind == "extra_forbidden":
        return _unknown(model, str(error["loc"][-1]))
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], "has the wrong form")
    return _SENTENCES.get(kind, "has the wrong form").format(**context)


def _unknown(model: type[BaseModel], name: str) -> str:
    known = _wire_names(model)
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return "is not known here" + (f' (did you mean "{near[0]}"?)' if near else "")


def _wire_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
