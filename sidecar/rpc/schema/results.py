"""Results of every method a client may call, and the notification `sidecar.ready`."""

from typing import Any, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypeAliasType

from sidecar.rpc.schema.call import CallRecord
from sidecar.rpc.schema.errors import ErrorObject
from sidecar.rpc.schema.events import Event
from sidecar.rpc.schema.kit import WireModel

OperationStatus = TypeAliasType("OperationStatus", Literal["pending", "done", "failed"])
CheckStatus = TypeAliasType("CheckStatus", Literal["ok", "warn", "fail"])


class EmptyResult(WireModel):
    """Done; there is nothing to say about it."""


# -- the handshake and the process -----------------------------------------------------------------


class WebSocketDoor(WireModel):
    """Where other clients may connect."""

    url: str
    token_file: str | None = Field(description="null when the token came from the environment")


class SidecarReady(WireModel):
    """Params of `sidecar.ready`, the first thing every client gets."""

    protocol_version: int
    version: str
    pid: int
    provider: str
    webhook_url: str | None = Field(description="null when calls are disabled")
    public_url: str | None = Field(description="null when there is none, or not yet")
    ws: WebSocketDoor | None = Field(description="null when no WebSocket is open")
    stream_id: str = Field(description="names the journal")
    last_seq: int


class ServerIdentity(WireModel):
    """Who answers."""

    name: str
    version: str


class ServerCapabilities(WireModel):
    """What the sidecar can do."""

    agent: bool = Field(description="it asks clients for replies with `agent.respond`")
    events: bool = Field(description="it journals events and replays them")


class InitializeResult(WireModel):
    """Result of `initialize`."""

    protocol_version: int
    server: ServerIdentity
    capabilities: ServerCapabilities
    stream_id: str = Field(description="names the journal")
    last_seq: int
    resync: bool = Field(
        description="the journal cannot give what was asked for: read status and history anew"
    )
    methods: list[str]


class PingResult(WireModel):
    """Result of `sidecar.ping`."""

    pong: bool
    at: int = Field(description="Unix ms")


class DiscoverResult(WireModel):
    """Result of `rpc.discover`: an OpenRPC document."""

    model_config = ConfigDict(extra="allow")

    openrpc: str
    info: dict[str, Any]
    methods: list[dict[str, Any]]


class StatsResult(WireModel):
    """Result of `sidecar.stats`."""

    counters: dict[str, int] = Field(description="grow over the life of the process")
    gauges: dict[str, int] = Field(description="as they are now")


class ReplayResult(WireModel):
    """Result of `events.replay`."""

    events: list[Event]
    last_seq: int


# -- the verbs -------------------------------------------------------------------------------------


class InitiateResult(WireModel):
    """Result of `voicecall.initiate`: the carrier accepted the call."""

    call_id: str
    initiated: bool


class StartResult(WireModel):
    """Result of `voicecall.start`: the carrier accepted the call."""

    call_id: str
    initiated: bool


class ContinueResult(WireModel):
    """Result of `voicecall.continue`: what the caller said."""

    success: bool
    transcript: str


class ContinueStartResult(WireModel):
    """Result of `voicecall.continue.start`."""

    operation_id: str


class ContinueResultResult(WireModel):
    """Result of `voicecall.continue.result`: `transcript` when done, `error` when failed."""

    status: OperationStatus
    transcript: str | None = None
    error: ErrorObject | None = None


class SpeakResult(WireModel):
    """Result of `voicecall.speak`: accepted for playback."""

    success: bool


class DtmfResult(WireModel):
    """Result of `voicecall.dtmf`: the digits were handed to the carrier."""

    success: bool


class EndResult(WireModel):
    """Result of `voicecall.end`."""

    success: bool


class TransferResult(WireModel):
    """Result of `voicecall.transfer`."""

    success: bool


class StatusResult(WireModel):
    """Result of `voicecall.status`: `found` and `call` for one call, else `calls`."""

    found: bool | None = Field(default=None, description="when an id was given")
    call: CallRecord | None = None
    calls: list[CallRecord] | None = Field(
        default=None, description="the active calls, when no id was given"
    )


class HistoryResult(WireModel):
    """Result of `voicecall.history`, newest first."""

    calls: list[CallRecord]
    next_cursor: str | None = Field(default=None, description="absent on the last page")


class LatencyFigures(WireModel):
    """One figure over many turns; all zero when `count` is."""

    count: int
    min_ms: int
    max_ms: int
    avg_ms: int
    p50_ms: int = Field(alias="p50Ms")
    p95_ms: int = Field(alias="p95Ms")


class LatencyResult(WireModel):
    """Result of `voicecall.latency`."""

    records_scanned: int
    turn_latency: LatencyFigures
    listen_wait: LatencyFigures
    first_audio: LatencyFigures


class ReadinessCheck(WireModel):
    """One check of `voicecall.setup`."""

    id: str
    status: CheckStatus
    key: str | None = Field(default=None, description="configuration key")
    message: str
    fix: str | None = None


class SetupResult(WireModel):
    """Result of `voicecall.setup`."""

    ok: bool
    provider: str
    checks: list[ReadinessCheck]


class PairingApproveResult(WireModel):
    """Result of `voicecall.pairing.approve`."""

    number: str
