"""New calls: everything a call copies from the settings on the day it is created."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sidecar.call.model import Call, Direction, Mode, State
from sidecar.call.policy import session_key
from sidecar.engine.settings import Settings
from sidecar.ports import InboundLeg

ANONYMOUS = "anonymous"
"""Stands for a caller who withholds the number; never matches a list."""


@dataclass(frozen=True, slots=True)
class DialRequest:
    """A validated wish for a call. None means the configured default."""

    to: str | None = None
    message: str | None = None
    mode: Mode | None = None
    session_key: str | None = None
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    dtmf_sequence: str | None = None
    force: bool = False


def outbound_draft(
    settings: Settings, request: DialRequest, call_id: str, to_number: str, at_ms: int
) -> Call:
    key = request.session_key or session_key(
        settings.session_scope, to_number, call_id, settings.agent.agent_id
    )
    return Call(
        call_id=call_id,
        provider=settings.provider,
        direction=Direction.OUTBOUND,
        mode=mode_of(settings, request),
        state=State.INITIATED,
        from_number=settings.caller_number,
        to_number=to_number,
        session_key=key,
        started_at_ms=at_ms,
        metadata=request.metadata,
        limits=settings.limits,
        phrases=settings.phrases,
        barge_in=settings.barge_in,
        agent=settings.agent,
        detection=settings.detection,
        streaming=settings.streaming,
        dtmf_sequence=request.dtmf_sequence or "",
        greeting=request.message,
    )


def mode_of(settings: Settings, request: DialRequest) -> Mode:
    """The wished mode; without one the default, but a call with nothing to say must listen."""
    if request.mode is not None:
        return request.mode
    if request.message is None:
        return Mode.CONVERSATION
    return settings.default_mode


def inbound_draft(
    settings: Settings, leg: InboundLeg, caller: str | None, call_id: str, at_ms: int
) -> Call:
    """A call from outside; also one that was placed elsewhere and pointed at us."""
    direction = Direction.OUTBOUND if leg.outbound else Direction.INBOUND
    ours = leg.from_number if leg.outbound else leg.to_number
    route = settings.routes.get(ours)
    agent, limits, greeting = settings.agent, settings.limits, settings.inbound_greeting
    voice = None
    if route is not None:
        agent = replace(
            agent,
            agent_id=route.agent.agent_id or agent.agent_id,
            model=route.agent.model or agent.model,
            system_prompt=route.agent.system_prompt or agent.system_prompt,
        )
        limits = replace(limits, response_ms=route.response_ms or limits.response_ms)
        greeting = route.greeting or greeting
        voice = route.voice
    from_number = leg.from_number if leg.outbound else (caller or ANONYMOUS)
    other = leg.to_number if leg.outbound else from_number
    return Call(
        call_id=call_id,
        provider=settings.provider,
        direction=direction,
        mode=Mode.CONVERSATION,
        state=State.RINGING,
        from_number=from_number,
        to_number=leg.to_number,
        session_key=session_key(settings.session_scope, other, call_id, agent.agent_id),
        started_at_ms=at_ms,
        provider_call_id=leg.provider_call_id,
        metadata=leg.metadata,
        limits=limits,
        phrases=settings.phrases,
        barge_in=settings.barge_in,
        agent=agent,
        streaming=settings.streaming,
        greeting=None if leg.outbound else greeting,
        voice=voice,
    )
