"""What the engine needs to know of the configuration, as plain values made by `app`.

A call copies what concerns it when it is created, so a change here never changes a running call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.call.model import Agent, BargeIn, Detection, Limits, Mode, Phrases
from sidecar.call.policy import OutboundPolicy


@dataclass(frozen=True, slots=True)
class NumberRoute:
    """What is different for calls to one of our numbers; None means the global setting."""

    greeting: str | None = None
    agent: Agent = Agent()
    response_ms: int | None = None
    voice: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """`missing` lists the configuration keys without which the provider cannot work; `unsupported`
    says why this version cannot use it at all."""

    provider: str = "mock"
    enabled: bool = True
    missing: tuple[str, ...] = ()
    unsupported: str | None = None
    caller_number: str = ""
    default_to: str | None = None
    default_mode: Mode = Mode.NOTIFY
    limits: Limits = Limits()
    phrases: Phrases = Phrases()
    pairing_phrase: str = ""
    barge_in: BargeIn = BargeIn()
    agent: Agent = Agent()
    detection: Detection = Detection.OFF
    session_scope: str = "per-phone"
    max_calls: int = 1
    outbound: OutboundPolicy = field(default_factory=OutboundPolicy)
    inbound_policy: str = "disabled"
    allow_from: frozenset[str] = frozenset()
    inbound_greeting: str | None = None
    routes: Mapping[str, NumberRoute] = field(default_factory=dict)
    streaming: bool = False
    retention_days: int = 90
