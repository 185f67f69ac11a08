"""What the sidecar asks of a client that offered `agent`, and what that client answers."""

from pydantic import ConfigDict, Field

from sidecar.rpc.schema.call import TranscriptLine
from sidecar.rpc.schema.kit import CallDirection, ParamsModel, WireModel


class AgentRespondParams(WireModel):
    """Params of `agent.respond`: the caller spoke and a reply is wanted."""

    call_id: str
    session_key: str
    agent_id: str | None = None
    from_number: str = Field(alias="from", description="E.164")
    to_number: str = Field(alias="to", description="E.164")
    direction: CallDirection
    message: str = Field(description="the caller's words")
    transcript: list[TranscriptLine]
    model: str | None = None
    system_prompt: str | None = None
    timeout_ms: int = Field(description="how long the sidecar waits for the reply")


class AgentRespondResult(WireModel):
    """Result of `agent.respond`. Without `text`, the deltas were the reply."""

    model_config = ConfigDict(strict=True)

    text: str | None = None
    end_call: bool | None = Field(default=None, description="hang up after the reply was said")


class AgentDeltaParams(ParamsModel):
    """Params of the notification `agent.delta`: a piece of a reply that is still being written."""

    request_id: str = Field(description="the id of the `agent.respond` request")
    text: str
