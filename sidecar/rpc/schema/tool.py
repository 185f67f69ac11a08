"""The agent tool `voice_call`: its arguments and its result."""

from typing import Any, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from sidecar.rpc.schema.kit import Digits, Message, ParamsModel, PhoneNumber, Text, WireModel

ToolAction = TypeAliasType(
    "ToolAction",
    Literal[
        "initiate_call",
        "continue_call",
        "speak_to_user",
        "send_dtmf",
        "end_call",
        "get_status",
    ],
)
ToolMode = TypeAliasType("ToolMode", Literal["notify", "conversation", "call", "status"])


class ToolParams(ParamsModel):
    """Arguments of the tool `voice_call`. `action` says what to do; `mode` is `notify` or
    `conversation` then. Without `action`, the older form is meant, with `mode` `call` or
    `status`."""

    action: ToolAction | None = None
    call_id: Text | None = Field(
        default=None, description="the call, for every action but initiate_call"
    )
    message: Message | None = Field(
        default=None, description="what to say, for initiate_call, continue_call, speak_to_user"
    )
    to: PhoneNumber | None = Field(default=None, description="E.164, for initiate_call")
    mode: ToolMode | None = None
    dtmf_sequence: Digits | None = Field(
        default=None, description="digits sent first, for initiate_call in mode conversation"
    )
    digits: Digits | None = Field(default=None, description="for send_dtmf")
    sid: Text | None = Field(default=None, description="the call's id in the older form")


class ToolText(WireModel):
    """A piece of a tool's answer."""

    type: Literal["text"]
    text: str


class ToolResult(WireModel):
    """Result of `voicecall.tool`; a failure has `details.error`."""

    content: list[ToolText]
    details: dict[str, Any]
