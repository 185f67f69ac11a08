"""Params of every method a client may call, except the agent tool's."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sidecar.rpc.schema.kit import (
    STATES,
    CallDirection,
    CallMode,
    Count,
    Digits,
    Key,
    Message,
    Metadata,
    Name,
    ParamsModel,
    PhoneNumber,
    StateName,
    Text,
    WireModel,
)

# -- the handshake: unknown members are ignored, so that newer clients can talk to it --------------


class ClientIdentity(WireModel):
    """Who connects."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(strict=True)
    version: str = Field(strict=True)


class EventOptions(WireModel):
    """Where the events of a connection begin, and which of them it wants."""

    model_config = ConfigDict(extra="ignore")

    since: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="the last seq this client has handled"
    )
    stream_id: Annotated[str, Field(strict=True)] | None = Field(
        default=None, description="the journal that `since` belongs to; absent: the current one"
    )
    types: list[Annotated[str, Field(strict=True)]] | None = Field(
        default=None, description="absent: all"
    )
    call_ids: list[Annotated[str, Field(strict=True)]] | None = Field(
        default=None, description="absent: all"
    )


class ClientCapabilities(WireModel):
    """What the client offers and wants."""

    model_config = ConfigDict(extra="ignore")

    agent: Annotated[bool, Field(strict=True)] | None = Field(
        default=None, description="this client answers `agent.respond`"
    )
    events: EventOptions | Literal[False] | None = Field(
        default=None, description="false: this connection wants no events"
    )


class InitializeParams(WireModel):
    """Params of `initialize`. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore")

    protocol_version: int = Field(strict=True, description="1")
    client: ClientIdentity
    capabilities: ClientCapabilities | None = None
    config: dict[str, Any] | None = Field(
        default=None, description="configuration; only with `serve --stdio --await-initialize`"
    )


# -- the process and its events --------------------------------------------------------------------


class EmptyParams(ParamsModel):
    """Params of a method that takes none."""


class CancelParams(ParamsModel):
    """Params of the notification `$/cancelRequest`."""

    id: str | int = Field(description="the id of the request to cancel")


class ShutdownParams(ParamsModel):
    """Params of `sidecar.shutdown`."""

    drain_ms: Count | None = Field(
        default=None, description="how long running calls may go on, in ms; absent: 10000"
    )


class SubscribeParams(ParamsModel):
    """Params of `events.subscribe`; they replace the filter of this connection."""

    types: list[str] | None = Field(default=None, description="absent: all")
    call_ids: list[str] | None = Field(default=None, description="absent: all")


class ReplayParams(ParamsModel):
    """Params of `events.replay`."""

    since: Count = Field(description="the last seq this client has handled")
    limit: int = Field(default=500, ge=1, le=1000)


class AckParams(ParamsModel):
    """Params of `events.ack`; cumulative, for all clients."""

    seq: Count


# -- the verbs -------------------------------------------------------------------------------------


class _CallWishes(ParamsModel):
    """What a call may be asked to be, beside whom to call and what to say."""

    mode: CallMode | None = None
    session_key: Name | None = None
    metadata: Metadata | None = Field(
        default=None, description="at most 16 KiB as JSON; returned untouched in the call record"
    )
    idempotency_key: Key | None = Field(
        default=None, description="the same key within 24 h dials once"
    )
    dtmf_sequence: Digits | None = Field(
        default=None, description="digits sent before the conversation starts; not with `notify`"
    )
    force: bool = Field(default=False, description="call in quiet hours too")

    @model_validator(mode="after")
    def _digits_need_a_conversation(self) -> Self:
        if self.dtmf_sequence is not None and self.mode == "notify":
            raise PydanticCustomError(
                "sentence",
                'needs mode "conversation"; a "notify" call sends no digits',
                {"field": "dtmfSequence"},
            )
        return self


class InitiateParams(_CallWishes):
    """Params of `voicecall.initiate`."""

    message: Message
    to: PhoneNumber | None = Field(default=None, description="E.164; absent: `toNumber`")


class StartParams(_CallWishes):
    """Params of `voicecall.start`."""

    to: PhoneNumber = Field(description="E.164")
    message: Message | None = None


class ContinueParams(ParamsModel):
    """Params of `voicecall.continue`."""

    call_id: Text
    message: Message


class ContinueStartParams(ParamsModel):
    """Params of `voicecall.continue.start`."""

    call_id: Text
    message: Message


class ContinueResultParams(ParamsModel):
    """Params of `voicecall.continue.result`."""

    operation_id: Text


class SpeakParams(ParamsModel):
    """Params of `voicecall.speak`."""

    call_id: Text
    message: Message


class DtmfParams(ParamsModel):
    """Params of `voicecall.dtmf`."""

    call_id: Text
    digits: Digits = Field(description="0-9 A-D * #, w = 0.5 s, W = 1 s")


class EndParams(ParamsModel):
    """Params of `voicecall.end`."""

    call_id: Text
    after_playout: bool = Field(default=False, description="let what is being said end first")


class TransferParams(ParamsModel):
    """Params of `voicecall.transfer`."""

    call_id: Text
    to: PhoneNumber = Field(description="E.164; `outbound.allowTo` must name it")
    message: Message | None = None


class StatusParams(ParamsModel):
    """Params of `voicecall.status`."""

    call_id: Text | None = Field(
        default=None, description="the sidecar's id or the carrier's; absent: all active calls"
    )


class HistoryParams(ParamsModel):
    """Params of `voicecall.history`."""

    limit: int = Field(default=50, ge=1, le=500)
    before: Name | None = Field(default=None, description="an earlier `nextCursor`")
    from_number: PhoneNumber | None = Field(default=None, alias="from", description="E.164")
    to: PhoneNumber | None = Field(default=None, description="E.164")
    state: StateName | None = None
    direction: CallDirection | None = None

    @field_validator("state")
    @classmethod
    def _state_is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in STATES:
            raise PydanticCustomError(
                "sentence", "must be a state of a call, such as active or completed"
            )
        return value


class LatencyParams(ParamsModel):
    """Params of `voicecall.latency`."""

    last: int = Field(default=200, ge=1, description="how many turns to look at, newest first")


class SetupParams(ParamsModel):
    """Params of `voicecall.setup`; it takes none."""


class PairingApproveParams(ParamsModel):
    """Params of `voicecall.pairing.approve`."""

    code: Text = Field(description="the six digits that were read to the caller")
