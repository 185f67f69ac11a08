"""One model per event type, and their union.

`seq` is absent only on `call.partial`; `callId` on `sidecar.*`, `pairing.requested` and
`call.rejected`. A member name has one type in all events.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from sidecar.rpc.schema.call import CallRecord, TurnLatency
from sidecar.rpc.schema.kit import MachineName, WireModel

WarningCode = (
    Literal[
        "noAudio",
        "agentTimeout",
        "agentFailed",
        "transferFailed",
        "dtmfFailed",
        "voiceFallback",
        "recogniserFallback",
        "deaf",
        "storeUnavailable",
    ]
    | str
)


UtteranceOutcome = TypeAliasType("UtteranceOutcome", Literal["played", "interrupted", "failed"])


class _Happening(WireModel):
    at: int = Field(description="Unix ms")


class _Journalled(_Happening):
    seq: int = Field(description="grows by one per event")


class _OfCall(_Journalled):
    call_id: str


class CallInitiatedEvent(_OfCall):
    """The carrier accepted the call, or an inbound one was accepted."""

    type: Literal["call.initiated"]


class CallRingingEvent(_OfCall):
    """The far end is alerted; left out where the carrier does not tell."""

    type: Literal["call.ringing"]


class CallAnsweredEvent(_OfCall):
    """Somebody, or something, picked up."""

    type: Literal["call.answered"]


class CallActiveEvent(_OfCall):
    """Speech can pass."""

    type: Literal["call.active"]


class CallSpeakingEvent(_OfCall):
    """The bot begins to speak."""

    type: Literal["call.speaking"]
    text: str
    utterance_id: str


class CallUtteranceEvent(_OfCall):
    """The fate of an utterance."""

    type: Literal["call.utterance"]
    utterance_id: str
    outcome: UtteranceOutcome
    heard_text: str
    heard_ms: int


class CallListeningEvent(_OfCall):
    """It is the caller's turn."""

    type: Literal["call.listening"]


class CallSpeechEvent(_OfCall):
    """The caller's final words."""

    type: Literal["call.speech"]
    transcript: str
    is_final: bool = Field(description="always true")
    confidence: float | None = None
    language: str | None = None


class CallPartialEvent(_Happening):
    """Words that may still change. Live only, never journalled."""

    type: Literal["call.partial"]
    call_id: str
    transcript: str


class CallSilenceEvent(_OfCall):
    """The recogniser heard nothing."""

    type: Literal["call.silence"]
    duration_ms: int


class CallBargeInEvent(_OfCall):
    """The caller stopped the bot."""

    type: Literal["call.bargeIn"]


class CallDtmfEvent(_OfCall):
    """The caller pressed keys."""

    type: Literal["call.dtmf"]
    digits: str


class CallMachineEvent(_OfCall):
    """What the answering-machine detection found."""

    type: Literal["call.machine"]
    result: MachineName


class CallTurnEvent(_OfCall):
    """The latency of one turn, in ms."""

    type: Literal["call.turn"]
    latency: TurnLatency


class CallTransferredEvent(_OfCall):
    """The target of a transfer answered; the sidecar's part ends."""

    type: Literal["call.transferred"]


class CallWarningEvent(_OfCall):
    """Something went wrong and the call goes on."""

    type: Literal["call.warning"]
    code: WarningCode
    message: str
    from_: str | None = Field(
        default=None, alias="from", description="what was in use before a fallback"
    )
    to: str | None = Field(default=None, description="what is in use after a fallback")
    reason: str | None = Field(default=None, description="why a fallback was needed")


class CallRejectedEvent(_Journalled):
    """An inbound call was turned away; it has no record."""

    type: Literal["call.rejected"]
    from_: str | None = Field(default=None, alias="from", description="E.164 when known")
    to: str
    provider_call_id: str
    reason: str = Field(description="disabled, allowlist, pairing or capacity")


class CallErrorEvent(_OfCall):
    """The carrier reported an error."""

    type: Literal["call.error"]
    error: str
    retryable: bool


class CallEndedEvent(_OfCall):
    """The call is over; `call` is its final record."""

    type: Literal["call.ended"]
    reason: str = Field(description="the end reason, as in the record")
    call: CallRecord


class PairingRequestedEvent(_Journalled):
    """An unknown caller was given a code."""

    type: Literal["pairing.requested"]
    from_: str = Field(alias="from", description="E.164")
    code: str = Field(description="six digits")


class SidecarPublicUrlEvent(_Journalled):
    """The public webhook address is known."""

    type: Literal["sidecar.publicUrl"]
    url: str


class SidecarDrainingEvent(_Journalled):
    """The sidecar takes no new calls and will end."""

    type: Literal["sidecar.draining"]


Event = TypeAliasType(
    "Event",
    Annotated[
        CallInitiatedEvent
        | CallRingingEvent
        | CallAnsweredEvent
        | CallActiveEvent
        | CallSpeakingEvent
        | CallUtteranceEvent
        | CallListeningEvent
        | CallSpeechEvent
        | CallPartialEvent
        | CallSilenceEvent
        | CallBargeInEvent
        | CallDtmfEvent
        | CallMachineEvent
        | CallTurnEvent
        | CallTransferredEvent
        | CallWarningEvent
        | CallRejectedEvent
        | CallErrorEvent
        | CallEndedEvent
        | PairingRequestedEvent
        | SidecarPublicUrlEvent
        | SidecarDrainingEvent,
        Field(discriminator="type"),
    ],
)
