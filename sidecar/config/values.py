"""The kinds of value that configuration keys hold, and the base of every section.

Each kind is an annotated type with its check. A check never repeats the value it refuses: it may be
a secret or a phone number. Which keys exist is in `model`, `providers` and `speech`.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

INT_MAX = 2_147_483_647

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_PREFIX = re.compile(r"\+(?:[1-9][0-9]{0,14})?\*")
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.?)*[A-Za-z0-9]|[A-Za-z0-9]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_PATH = re.compile(r"/[^\s?#{}]*")
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")


class Section(BaseModel):
    """One object of the configuration. Wire names are camelCase; instances are frozen.

    `strict` refuses `true` and `"5"` for an integer; `defer_build` makes one validator for the
    whole tree instead of one more for every section, which start-up would pay for.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        defer_build=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Optional means absent: no null branches, no `default: null`, no titles on properties."""
        schema = handler(core_schema)
        for member in handler.resolve_ref_schema(schema).get("properties", {}).values():
            _without_null(member)
        return schema


def _without_null(member: dict[str, Any]) -> None:
    member.pop("title", None)
    if member.get("default", ...) is None:
        del member["default"]
    branches = member.get("anyOf", [])
    kept = [branch for branch in branches if branch != {"type": "null"}]
    if len(kept) == len(branches):
        return
    del member["anyOf"]
    member.update(kept[0] if len(kept) == 1 else {"anyOf": kept})


def section(description: str) -> Any:
    """A subsection that is always there. Its default is an empty object, validated in place."""
    return Field(default_factory=dict, validate_default=True, description=description)


Path = tuple[str, ...]
"""A key as its wire names from the root; `*` stands for any key of a map."""


Location = tuple[str | int, ...]
"""A place in a document: wire names, and indexes of lists."""


def dotted(location: Location) -> str:
    """A place as people read it: `outbound.allowTo[1]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def keys_of(model: type[Section], prefix: Path = ()) -> Iterator[tuple[Path, FieldInfo]]:
    """Every key of a section and of the sections in it, parents first."""
    for name, field in model.model_fields.items():
        path = (*prefix, field.alias or name)
        yield path, field
        inner = _named(field.annotation, Section)
        if inner is not None:
            is_map = getattr(field.annotation, "__origin__", None) is dict
            yield from keys_of(inner, (*path, "*") if is_map else path)


def is_secret(field: FieldInfo) -> bool:
    return _named(field.annotation, SecretStr) is not None


def _named(annotation: object, kind: type[Any]) -> Any:
    """The subclass of `kind` that an annotation names, however wrapped."""
    if isinstance(annotation, type) and issubclass(annotation, kind):
        return annotation
    for part in get_args(annotation):
        found = _named(part, kind)
        if found is not None:
            return found
    return None


def merge(lower: Any, upper: Any) -> Any:
    """Objects merge key by key, anything else replaces. A secret reference is one value: half of
    one reference and half of another would name something nobody wrote."""
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    if "source" in lower or "source" in upper:
        return upper
    merged = dict(lower)
    for key, value in upper.items():
        merged[key] = merge(merged[key], value) if key in merged else value
    return merged


def is_e164(text: str) -> bool:
    """Whether `text` is a number as the configuration writes it: `+`, then 2 to 15 digits."""
    return _E164.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether a host name or address of the configuration means this machine only."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _e164(value: str) -> str:
    if not is_e164(value):
        raise ValueError("must be an E.164 number such as +15551234567")
    return value


def _number_or_prefix(value: str) -> str:
    if not is_e164(value) and _PREFIX.fullmatch(value) is None:
        raise ValueError("must be an E.164 number such as +15551234567 or a prefix such as +44*")
    return value


def split_url(value: str) -> SplitResult:
    """The parts of an http(s) URL without user information; raises ValueError with our words."""
    try:
        parts = urlsplit(value)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("must be an http:// or https:// URL with a valid host and port") from None
    if _SPACE_OR_CONTROL.search(value) or parts.scheme not in ("http", "https"):
        raise ValueError("must be an http:// or https:// URL")
    if not valid or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL with a valid host and port")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password")
    return parts


def _public_url(value: str) -> str:
    if split_url(value).fragment:
        raise ValueError("must not have a fragment (#)")
    return value


def _base_url(value: str) -> str:
    parts = split_url(value)
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https; plain http is for loopback hosts only")
    return value.rstrip("/")


def _url_path(value: str) -> str:
    if _PATH.fullmatch(value) is None:
        raise ValueError("must be a path that starts with / and has no spaces, ?, #, { or }")
    return value.rstrip("/") or "/"


def _host(value: str) -> str:
    if _HOST.fullmatch(value) is None:
        raise ValueError("must be a host name without scheme, port or path")
    return value


def _label(value: str) -> str:
    if _LABEL.fullmatch(value) is None:
        raise ValueError("must be a name of lower-case letters, digits and hyphens")
    return value


def _clock(value: str) -> str:
    if _CLOCK.fullmatch(value) is None:
        raise ValueError("must be a time of day as HH:MM, 00:00 to 23:59")
    return value


def _timezone(value: str) -> str:
    # Reading the zone database costs start-up time that only users of quiet hours owe.
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as Europe/Paris") from None
    return value


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a CIDR range such as 10.0.0.0/8") from None
    return value


def _address(value: str) -> str:
    if not value or _SPACE_OR_CONTROL.search(value) or "/" in value:
        raise ValueError("must be an address or host name to listen on, such as 127.0.0.1")
    return value


def _store(value: str) -> str:
    scheme, found, _ = value.partition("://")
    if found and scheme not in ("postgresql", "postgres"):
        raise ValueError("must be a path or a postgresql:// URL")
    if not value or "\0" in value:
        raise ValueError("must be a path or a postgresql:// URL")
    return value


def _flat(value: object) -> object:
    """Acknowledgements per language become one list."""
    if not isinstance(value, dict):
        return value
    words: list[object] = []
    for language in value.values():
        if not isinstance(language, list):
            raise ValueError("must be a list of words, or an object of language and list of words")
        words += language
    return words


Positive = Annotated[int, Field(gt=0, le=INT_MAX)]
Count = Annotated[int, Field(ge=0, le=INT_MAX)]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]

Number = Annotated[str, AfterValidator(_e164)]
NumberOrPrefix = Annotated[str, AfterValidator(_number_or_prefix)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
Host = Annotated[str, AfterValidator(_host)]
Label = Annotated[str, AfterValidator(_label)]
ClockTime = Annotated[str, AfterValidator(_clock)]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Network = Annotated[str, AfterValidator(_network)]
BindAddress = Annotated[str, AfterValidator(_address)]
StorePlace = Annotated[str, AfterValidator(_store)]
NonEmpty = Annotated[str, Field(min_length=1)]

# A JSON list becomes a tuple; its items stay strict.
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Names = Annotated[tuple[NonEmpty, ...], Field(strict=False)]
Numbers = Annotated[tuple[Number, ...], Field(strict=False)]
NumbersOrPrefixes = Annotated[tuple[NumberOrPrefix, ...], Field(strict=False)]
Networks = Annotated[tuple[Network, ...], Field(strict=False)]
Command = Annotated[tuple[NonEmpty, ...], Field(strict=False, min_length=1)]
Acknowledgements = Annotated[
    tuple[NonEmpty, ...],
    Field(strict=False),
    BeforeValidator(_flat),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
            ]
        }
    ),
]

Secret = Annotated[
    SecretStr,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "source": {"enum": ["env", "path", "file", "exec", "store"]},
                        "provider": {"type": "string"},
                        "id": {"type": "string"},
                    },
                    "required": ["source", "id"],
                    "additionalProperties": False,
                },
            ],
            "writeOnly": True,
        }
    ),
]
