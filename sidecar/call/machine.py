"""The law: which event may happen to a call in which state, and where it may lead.

Rule 1: everything that decides whether a transition happens is in this file or in the guard of the
rule it names. Rule 2: an event that does not fit changes nothing. A host is told so (its request is
answered with the problem); a carrier, the audio and time are not, because remote disorder is
normal: callbacks come late, twice and swapped.

`reduce` is a pure function: no I/O, no clock, no randomness. It never raises for input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from sidecar.call import events as ev
from sidecar.call.effects import Effect, Reply
from sidecar.call.exchange import call_ended
from sidecar.call.model import Call, EndReason, State
from sidecar.call.rules import agent, carrier, host, time
from sidecar.call.steps import Step
from sidecar.errors import Problem

_INITIATED, _RINGING, _ANSWERED, _ACTIVE = (
    State.INITIATED,
    State.RINGING,
    State.ANSWERED,
    State.ACTIVE,
)
_SPEAKING, _LISTENING, _ENDING, _ENDED = (
    State.SPEAKING,
    State.LISTENING,
    State.ENDING,
    State.ENDED,
)
_NEW: frozenset[State] = frozenset()
_DIALLING = frozenset({_INITIATED, _RINGING})
_TALKING = frozenset({_ACTIVE, _SPEAKING, _LISTENING})
_LIVE = frozenset({_ANSWERED}) | _TALKING
_OPEN = _DIALLING | _LIVE
_NOT_ENDED = _OPEN | {_ENDING}
_GIVEN_UP = frozenset({_INITIATED, _ENDING, _ENDED})
_ANY = frozenset(State)


@dataclass(frozen=True, slots=True)
class Rule:
    """An event applies in the states `frm` (none: it creates the call) and leads to one of `to`."""

    frm: frozenset[State]
    to: frozenset[State]
    apply: Callable[[Step, Any], None]


# The machine, one row an event. `to` includes the state it came from where an event may leave it.
TABLE: dict[type, Rule] = {
    # the host
    ev.CallRequested: Rule(_NEW, frozenset({_INITIATED}), host.call_requested),
    ev.SpeakRequested: Rule(_LIVE, _LIVE, host.speak_requested),
    ev.ContinueRequested: Rule(_LIVE, _LIVE, host.continue_requested),
    ev.DigitsRequested: Rule(_LIVE, _LIVE, host.digits_requested),
    ev.TransferRequested: Rule(_TALKING, _TALKING, host.transfer_requested),
    ev.HangupRequested: Rule(_OPEN, _LIVE | {_ENDING}, host.hangup_requested),
    ev.RequestDropped: Rule(_OPEN, _OPEN, host.request_dropped),
    # the host's agent
    ev.AgentOffered: Rule(_OPEN, _OPEN, agent.agent_offered),
    ev.AgentLost: Rule(_OPEN, _OPEN, agent.agent_lost),
    ev.ReplyLost: Rule(_TALKING, _TALKING, agent.reply_lost),
    ev.ReplyGrew: Rule(_TALKING, _TALKING, agent.reply_grew),
    ev.ReplyDone: Rule(_TALKING, _TALKING | {_ENDING}, agent.reply_done),
    ev.ReplyFailed: Rule(_TALKING, _TALKING, agent.reply_failed),
    # the carrier
    ev.Incoming: Rule(_NEW, frozenset({_RINGING}), carrier.incoming),
    ev.Dialed: Rule(_ANY, _ANY, carrier.dialed),
    ev.DialFailed: Rule(_GIVEN_UP, _GIVEN_UP, carrier.dial_failed),
    ev.Ringing: Rule(frozenset({_INITIATED}), frozenset({_RINGING}), carrier.ringing),
    ev.Answered: Rule(_DIALLING, frozenset({_ANSWERED}), carrier.leg_answered),
    ev.LineLive: Rule(_DIALLING | {_ANSWERED}, _TALKING | {_ENDING}, carrier.line_live),
    ev.Heard: Rule(_OPEN, _OPEN | {_ENDING}, carrier.heard),
    ev.SilenceHeard: Rule(_LIVE, _LIVE, carrier.silence_heard),
    ev.DigitsHeard: Rule(_OPEN, _OPEN, carrier.digits_heard),
    ev.MachineDetected: Rule(_LIVE, _LIVE | {_ENDING}, carrier.machine_detected),
    ev.TransferDone: Rule(_LIVE, frozenset({_ENDED}), carrier.transfer_done),
    ev.TransferFailed: Rule(_LIVE, _LIVE | {_ENDING}, carrier.transfer_failed),
    ev.CarrierFault: Rule(_OPEN, _OPEN | {_ENDING}, carrier.carrier_fault),
    ev.LegEnded: Rule(_ANY, frozenset({_ENDED}), carrier.leg_ended),
    ev.LegAlive: Rule(_OPEN, _OPEN, carrier.leg_alive),
    # the audio
    ev.Spoken: Rule(frozenset({_SPEAKING, _ENDING}), _TALKING | {_ENDING}, carrier.spoken),
    ev.DigitsSent: Rule(_LIVE, _LIVE | {_ENDING}, carrier.digits_sent),
    ev.DigitsFailed: Rule(_LIVE, _LIVE | {_ENDING}, carrier.digits_failed),
    # time and the process
    ev.DeadlinePassed: Rule(_NOT_ENDED, _NOT_ENDED | {_ENDED}, time.deadline_passed),
    ev.Restarted: Rule(_ANY, _ANY, time.restarted),
}

_CARRIER_EVENTS = get_args(ev.CarrierEvent)


def reduce(call: Call | None, event: ev.Event) -> tuple[Call, tuple[Effect, ...]]:
    """Apply one event: the new call and what is to be done, in order.

    `call` is None only for the two events that bring a call into being. The same object comes back
    when the event changed nothing.
    """
    rule = TABLE[type(event)]
    if call is None:
        if not isinstance(event, ev.CallRequested | ev.Incoming):
            raise TypeError(f"{type(event).__name__} cannot create a call")
        call = event.draft
    elif call.state not in rule.frm:
        return call, _refusal(call, event)
    step = Step(call, event.at_ms)
    rule.apply(step, event)
    if isinstance(event, _CARRIER_EVENTS):
        _put_poll_off(step)
    assert step.call.state in rule.to, (type(event).__name__, call.state, step.call.state)
    return call if step.call == call else step.call, tuple(step.effects)


def next_deadline(call: Call) -> int | None:
    """When the call must be looked at again, in ms since the epoch; None once it has ended."""
    if call.state is State.ENDED:
        return None
    if call.state is State.ENDING:
        return call.state_until_ms
    moments = [call.state_until_ms, call.ends_by_ms, call.reap_by_ms, call.poll_at_ms]
    if call.waiter is not None:
        moments.append(call.waiter.until_ms)
    if call.reply is not None:
        moments += [call.reply.until_ms, call.reply.ack_at_ms]
    return min((at_ms for at_ms in moments if at_ms is not None), default=None)


def _put_poll_off(step: Step) -> None:
    call = step.call
    if call.state in _OPEN and call.provider_call_id is not None:
        step.set(poll_at_ms=step.at_ms + call.limits.poll_ms)


def _refusal(call: Call, event: ev.Event) -> tuple[Effect, ...]:
    """The answer to a host request that does not fit the state; nothing for all others."""
    request_id = getattr(event, "request_id", None)
    if request_id is None or isinstance(event, ev.RequestDropped | ev.DigitsSent | ev.DigitsFailed):
        return ()
    if isinstance(event, ev.HangupRequested):
        return (Reply(request_id, {"success": True}),)
    if call.state is State.ENDED:
        problem = call_ended(call.call_id, call.end_reason or EndReason.COMPLETED)
    else:
        problem = Problem("wrongState", _why(call), data={"callId": call.call_id})
    return (Reply(request_id, problem),)


def _why(call: Call) -> str:
    if call.state is State.ENDING:
        return "The call is being hung up."
    if call.is_answered:
        return "The line is not live yet; wait for the event call.active."
    return "The call has not been answered yet; wait for the event call.answered."
