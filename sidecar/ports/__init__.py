"""Every door to the outside, as small Protocols and the values that pass through them.

The rooms (carriers, store, tunnel, speech, the host's agent) implement these; the engine knows
nothing else of them. `app` introduces them to each other.
"""

from sidecar.ports.address import Tunnel
from sidecar.ports.agents import AgentAnswer, AgentFailed, AgentGone, Agents
from sidecar.ports.carrier import (
    Carrier,
    HttpAnswer,
    HttpRequest,
    InboundLeg,
    LegSearch,
    LegStatus,
    News,
    Report,
)
from sidecar.ports.clock import Clock, Counters
from sidecar.ports.readiness import Check
from sidecar.ports.store import (
    HistoryPage,
    HistoryQuery,
    Intent,
    JournalEvent,
    NewEvent,
    Pairing,
    SeenKey,
    Store,
    Write,
)

__all__ = [
    "AgentAnswer",
    "AgentFailed",
    "AgentGone",
    "Agents",
    "Carrier",
    "Check",
    "Clock",
    "Counters",
    "HistoryPage",
    "HistoryQuery",
    "HttpAnswer",
    "HttpRequest",
    "InboundLeg",
    "Intent",
    "JournalEvent",
    "LegSearch",
    "LegStatus",
    "NewEvent",
    "News",
    "Pairing",
    "Report",
    "SeenKey",
    "Store",
    "Tunnel",
    "Write",
]
