"""What every wire model is built from: settings, dumping, and the types of single members.

No model of the contract lives here; they are in the modules named after what they describe.
"""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

MESSAGE_LIMIT = 4_000
METADATA_LIMIT_BYTES = 16 * 1024
KEY_LIMIT = 256
E164_PATTERN = r"^\+[1-9]\d{1,14}$"
DIGITS_PATTERN = r"^[0-9A-D*#wW]+$"
DIGITS_LIMIT = 32


class WireModel(BaseModel):
    """A JSON object of the contract: snake_case here, camelCase on the wire.

    Models are built when first used, because most processes use few of them and the sidecar has
    to be ready quickly.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
        extra="ignore",
        use_enum_values=True,
    )


class ParamsModel(WireModel):
    """Params of a method: exact types, and nothing that the method does not know."""

    model_config = ConfigDict(extra="forbid", strict=True)


def to_wire(model: BaseModel) -> dict[str, Any]:
    """The model as it is sent: wire names, and absent instead of null."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _check_metadata(value: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "surrogatepass")) > METADATA_LIMIT_BYTES:
        raise PydanticCustomError("sentence", "must be at most 16 KiB as JSON")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=KEY_LIMIT)]
Name = Annotated[str, StringConstraints(min_length=1)]
Message = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MESSAGE_LIMIT)
]
PhoneNumber = Annotated[str, StringConstraints(pattern=E164_PATTERN)]
Digits = Annotated[
    str, StringConstraints(min_length=1, max_length=DIGITS_LIMIT, pattern=DIGITS_PATTERN)
]
Metadata = Annotated[dict[str, Any], AfterValidator(_check_metadata)]
Count = Annotated[int, Field(ge=0)]

# Closed sets have a name on the wire, so that generators make one type of each.
ProviderName = TypeAliasType("ProviderName", Literal["twilio", "telnyx", "plivo", "mock"])
CallDirection = TypeAliasType("CallDirection", Literal["outbound", "inbound"])
CallMode = TypeAliasType("CallMode", Literal["notify", "conversation"])
Speaker = TypeAliasType("Speaker", Literal["bot", "user"])

# Open sets are written where they are used, so that a value that is new breaks no old client.
EndReasonName = (
    Literal[
        "completed",
        "hangup-user",
        "hangup-bot",
        "timeout",
        "error",
        "failed",
        "no-answer",
        "busy",
        "voicemail",
    ]
    | str
)
StateName = (
    Literal[
        "initiated",
        "ringing",
        "answered",
        "active",
        "speaking",
        "listening",
        "completed",
        "hangup-user",
        "hangup-bot",
        "timeout",
        "error",
        "failed",
        "no-answer",
        "busy",
        "voicemail",
    ]
    | str
)
STATES: frozenset[str] = frozenset(get_args(get_args(StateName)[0]))
MachineName = Literal["human", "voicemail", "ivr", "fax", "unknown"] | str
