"""Every method of the contract, in both directions, with its models and its errors.

`schemas/methods.json`, the OpenRPC document and the list that `initialize` answers come from here.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from sidecar.rpc.schema import agent, params, results, tool
from sidecar.rpc.schema.events import Event

Direction = Literal["clientToSidecar", "sidecarToClient"]


@dataclass(frozen=True, slots=True)
class Method:
    """One method. `name` is free of words that programming languages reserve; `params` is a model
    or the union of events; a notification has neither result nor errors."""

    method: str
    name: str
    summary: str
    params: object
    result: type[BaseModel] | None = None
    errors: tuple[str, ...] = ()
    direction: Direction = "clientToSidecar"
    since: int = 1

    @property
    def is_request(self) -> bool:
        return self.result is not None


_ALWAYS = ("invalidParams", "internalError", "overloaded", "cancelled")
_LIVE = ("callNotFound", "callEnded", "wrongState", "disabled", "storeUnavailable")
_CARRIER = ("notConfigured", "carrierRejected", "carrierUnavailable", "unsupported")
_DIAL = (
    "tooManyCalls",
    "disabled",
    "refusedByPolicy",
    "shuttingDown",
    "storeUnavailable",
    *_CARRIER,
)

METHODS: tuple[Method, ...] = (
    Method(
        "initialize",
        "initialize",
        "Says who connects, what it offers and which events it wants.",
        params.InitializeParams,
        results.InitializeResult,
        ("invalidRequest", "unsupportedVersion"),
    ),
    Method(
        "voicecall.initiate",
        "initiateCall",
        "Places a call and says a message.",
        params.InitiateParams,
        results.InitiateResult,
        _DIAL,
    ),
    Method(
        "voicecall.start",
        "startCall",
        "Places a call; the message is optional.",
        params.StartParams,
        results.StartResult,
        _DIAL,
    ),
    Method(
        "voicecall.continue",
        "continueCall",
        "Speaks, then waits for the caller's words.",
        params.ContinueParams,
        results.ContinueResult,
        ("busy", "transcriptTimeout", *_LIVE, *_CARRIER),
    ),
    Method(
        "voicecall.continue.start",
        "startContinue",
        "Speaks and waits like continueCall, but answers at once with an operation.",
        params.ContinueStartParams,
        results.ContinueStartResult,
        ("busy", *_LIVE, *_CARRIER),
    ),
    Method(
        "voicecall.continue.result",
        "continueOutcome",
        "Tells how an operation of startContinue stands.",
        params.ContinueResultParams,
        results.ContinueResultResult,
        ("notFound",),
    ),
    Method(
        "voicecall.speak",
        "speakOnCall",
        "Says something; answered once it is accepted for playback.",
        params.SpeakParams,
        results.SpeakResult,
        (*_LIVE, *_CARRIER),
    ),
    Method(
        "voicecall.dtmf",
        "sendDtmf",
        "Sends key presses.",
        params.DtmfParams,
        results.DtmfResult,
        (*_LIVE, *_CARRIER),
    ),
    Method(
        "voicecall.end",
        "endCall",
        "Hangs up; ending a call that has ended is success.",
        params.EndParams,
        results.EndResult,
        ("callNotFound", "disabled", "storeUnavailable"),
    ),
    Method(
        "voicecall.transfer",
        "transferCall",
        "Hands the call over to another number.",
        params.TransferParams,
        results.TransferResult,
        ("refusedByPolicy", *_LIVE, *_CARRIER),
    ),
    Method(
        "voicecall.status",
        "callStatus",
        "Shows one call, ended ones included, or all active calls.",
        params.StatusParams,
        results.StatusResult,
        ("storeUnavailable",),
    ),
    Method(
        "voicecall.history",
        "callHistory",
        "Lists calls, newest first.",
        params.HistoryParams,
        results.HistoryResult,
        ("storeUnavailable",),
    ),
    Method(
        "voicecall.latency",
        "turnLatency",
        "Sums up the latency of the newest turns.",
        params.LatencyParams,
        results.LatencyResult,
        ("storeUnavailable",),
    ),
    Method(
        "voicecall.setup",
        "checkSetup",
        "Checks whether everything is ready for calls.",
        params.SetupParams,
        results.SetupResult,
    ),
    Method(
        "voicecall.pairing.approve",
        "approvePairing",
        "Lets a caller who was given a code through from now on.",
        params.PairingApproveParams,
        results.PairingApproveResult,
        ("notFound", "storeUnavailable"),
    ),
    Method(
        "voicecall.tool",
        "runTool",
        "Runs the agent tool voice_call; a failure is a result with details.error.",
        tool.ToolParams,
        tool.ToolResult,
    ),
    Method(
        "events.subscribe",
        "subscribeEvents",
        "Replaces the event filter of this connection.",
        params.SubscribeParams,
        results.EmptyResult,
    ),
    Method(
        "events.replay",
        "replayEvents",
        "Gives journalled events after a seq.",
        params.ReplayParams,
        results.ReplayResult,
        ("storeUnavailable",),
    ),
    Method(
        "events.ack",
        "acknowledgeEvents",
        "Says that every event up to a seq was handled, for all clients.",
        params.AckParams,
        results.EmptyResult,
        ("storeUnavailable",),
    ),
    Method(
        "sidecar.ping",
        "pingSidecar",
        "Answered at once, also before the sidecar is ready.",
        params.EmptyParams,
        results.PingResult,
    ),
    Method(
        "sidecar.stats",
        "sidecarStats",
        "Counters and gauges of the process.",
        params.EmptyParams,
        results.StatsResult,
    ),
    Method(
        "sidecar.shutdown",
        "shutdownSidecar",
        "Ends the sidecar after running calls had time to finish.",
        params.ShutdownParams,
        results.EmptyResult,
    ),
    Method(
        "rpc.discover",
        "discoverMethods",
        "Gives the OpenRPC document of these methods.",
        params.EmptyParams,
        results.DiscoverResult,
    ),
    Method(
        "$/cancelRequest",
        "cancelRequest",
        "Cancels a request that is in flight; works in both directions.",
        params.CancelParams,
    ),
    Method(
        "agent.delta",
        "agentDelta",
        "A piece of a reply that is still being written.",
        agent.AgentDeltaParams,
    ),
    Method(
        "agent.respond",
        "agentRespond",
        "The caller spoke; asks the client's agent for a reply.",
        agent.AgentRespondParams,
        agent.AgentRespondResult,
        direction="sidecarToClient",
    ),
    Method(
        "sidecar.ready",
        "sidecarReady",
        "The first thing every client gets.",
        results.SidecarReady,
        direction="sidecarToClient",
    ),
    Method(
        "voicecall.event",
        "voicecallEvent",
        "Something happened.",
        Event,
        direction="sidecarToClient",
    ),
)


def errors_of(method: Method) -> tuple[str, ...]:
    """The kinds of error a request may be answered with."""
    if not method.is_request or method.direction == "sidecarToClient":
        return method.errors
    return tuple(dict.fromkeys((*method.errors, *_ALWAYS)))


def client_methods() -> tuple[str, ...]:
    """The requests a client may send."""
    return tuple(m.method for m in METHODS if m.is_request and m.direction == "clientToSidecar")
