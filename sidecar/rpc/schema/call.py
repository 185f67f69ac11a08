"""The call record as clients see it, and the one function that computes that view of a call."""

from typing import Any

from pydantic import Field

from sidecar.call.model import Call, EndReason, Line, State
from sidecar.call.model import Turn as CallTurn
from sidecar.rpc.schema.kit import (
    CallDirection,
    CallMode,
    EndReasonName,
    MachineName,
    ProviderName,
    Speaker,
    StateName,
    WireModel,
)


class TranscriptLine(WireModel):
    """One line of what was said. For the bot, `text` is what was actually heard."""

    timestamp: int = Field(description="Unix ms")
    speaker: Speaker
    text: str
    is_final: bool = Field(description="false while the line is still being said")
    interrupted: bool | None = Field(default=None, description="the caller cut the bot off here")


class TurnLatency(WireModel):
    """How long the steps of one turn took, in ms."""

    endpointing: int | None = Field(default=None, description="end of speech to final transcript")
    agent: int | None = Field(default=None, description="final transcript to first text of a reply")
    synthesis: int | None = Field(default=None, description="first text to first audio byte")
    playout: int | None = Field(default=None, description="first audio byte to first frame sent")
    total: int | None = Field(default=None, description="end of speech to first frame sent")
    barge_in_stop: int | None = Field(
        default=None, description="start of the caller's speech to the carrier's buffer cleared"
    )
    listen_wait: int | None = Field(
        default=None, description="beginning of listening to final transcript"
    )
    first_audio: int | None = Field(
        default=None, description="first text of the answer to its sound"
    )


class Turn(WireModel):
    """One turn of a talk, from the caller's last word to the bot's next one."""

    index: int
    started_at: int = Field(description="Unix ms")
    latency: TurnLatency


class CallRecord(WireModel):
    """Everything a client may know of one call."""

    call_id: str = Field(description="the sidecar's id of the call, a UUID")
    provider_call_id: str | None = Field(
        default=None, description="the carrier's id; may change once"
    )
    provider: ProviderName
    direction: CallDirection
    mode: CallMode
    state: StateName = Field(description="where the call is; the end reason once it is over")
    from_number: str = Field(alias="from", description="E.164")
    to_number: str = Field(alias="to", description="E.164")
    session_key: str
    started_at: int = Field(description="Unix ms")
    answered_at: int | None = Field(default=None, description="Unix ms")
    ended_at: int | None = Field(default=None, description="Unix ms")
    end_reason: EndReasonName | None = Field(default=None, description="a terminal state's name")
    transcript: list[TranscriptLine]
    turns: list[Turn]
    dtmf: str = Field(description="digits received")
    machine: MachineName | None = Field(
        default=None, description="what the answering-machine detection found"
    )
    metadata: dict[str, Any] | None = Field(
        default=None, description="the caller's own object, returned untouched"
    )

    @classmethod
    def of(cls, call: Call) -> "CallRecord":
        """The wire's view of `call`."""
        return cls(
            call_id=call.call_id,
            provider_call_id=call.provider_call_id,
            provider=call.provider,
            direction=call.direction.value,
            mode=call.mode.value,
            state=_state(call),
            from_number=call.from_number,
            to_number=call.to_number,
            session_key=call.session_key,
            started_at=call.started_at_ms,
            answered_at=call.answered_at_ms,
            ended_at=call.ended_at_ms,
            end_reason=call.end_reason.value if call.is_over and call.end_reason else None,
            transcript=_transcript(call),
            turns=[_turn(turn) for turn in call.turns],
            dtmf=call.dtmf,
            machine=call.machine,
            metadata=None if call.metadata is None else dict(call.metadata),
        )


def _state(call: Call) -> str:
    """Ending is not a state of the wire: until it is over, a call shows what it was."""
    if call.state is State.ENDED:
        return (call.end_reason or EndReason.COMPLETED).value
    if call.state is State.ENDING:
        return (call.before_ending or State.INITIATED).value
    return call.state.value


def _transcript(call: Call) -> list[TranscriptLine]:
    lines = [_line(line) for line in call.transcript]
    if call.saying is not None and call.state is State.SPEAKING:
        lines.append(
            TranscriptLine(
                timestamp=_latest_ms(call), speaker="bot", text=call.saying.text, is_final=False
            )
        )
    return lines


def _latest_ms(call: Call) -> int:
    """The newest moment the record knows of; the record has no clock."""
    if call.transcript:
        return call.transcript[-1].timestamp_ms
    return call.answered_at_ms or call.started_at_ms


def _line(line: Line) -> TranscriptLine:
    return TranscriptLine(
        timestamp=line.timestamp_ms,
        speaker=line.speaker.value,
        text=line.text,
        is_final=True,
        interrupted=True if line.interrupted else None,
    )


def _turn(turn: CallTurn) -> Turn:
    return Turn(
        index=turn.index,
        started_at=turn.started_at_ms,
        latency=TurnLatency.model_validate(dict(turn.latency)),
    )
