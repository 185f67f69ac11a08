"""Rules for time and for our own restart."""

from dataclasses import replace

from sidecar.call.effects import Answer, Clear, Hangup, Poll, Reply
from sidecar.call.events import DeadlinePassed, Outcome, Restarted, TransferFailed
from sidecar.call.exchange import AGENT_HOLD_MS, finish, release_waiter
from sidecar.call.model import Call, Direction, EndReason, Mode, State
from sidecar.call.rules.agent import acknowledge, reply_timed_out
from sidecar.call.rules.carrier import after_settling, answer_dial, transfer_failed
from sidecar.call.steps import Step, begin_talk, hang_up, listen, settle
from sidecar.errors import Problem

DIAL_LOST = Problem(
    "carrierUnavailable",
    "The carrier's answer to this call was lost and the call was not found.",
)


def deadline_passed(step: Step, event: DeadlinePassed) -> None:
    """Whatever is due is handled; the ends of the whole call come first."""
    call, now = step.call, event.at_ms
    if call.state is State.ENDING:
        if _due(call.state_until_ms, now):
            finish(step, call.ending_as or EndReason.HANGUP_BOT)
        return
    if _due(call.ends_by_ms, now) or _due(call.reap_by_ms, now):
        hang_up(step, EndReason.TIMEOUT)
        return
    if _due(call.state_until_ms, now):
        _state_ran_out(step)
    if step.call.state in (State.ENDING, State.ENDED):
        return
    _waiter_ran_out(step, now)
    _reply_ran_out(step, now)
    if _due(step.call.poll_at_ms, now):
        step.set(poll_at_ms=now + step.call.limits.poll_ms)
        step.emit(Poll())


def _due(at_ms: int | None, now_ms: int) -> bool:
    return at_ms is not None and at_ms <= now_ms


def _state_ran_out(step: Step) -> None:
    """Every one of these leads to another deadline, or to none."""
    call = step.call
    if call.state is State.INITIATED and call.provider_call_id is None:
        answer_dial(step, DIAL_LOST)
        finish(step, EndReason.FAILED)
    elif call.state in (State.INITIATED, State.RINGING):
        hang_up(step, EndReason.NO_ANSWER)
    elif call.state is State.ANSWERED:
        step.notify("call.error", error="The line never became live.", retryable=False)
        hang_up(step, EndReason.ERROR)
    elif call.state is State.ACTIVE:
        begin_talk(step)
    elif call.awaiting_beep:
        step.set(awaiting_beep=False)
        settle(step, Outcome.INTERRUPTED, "", 0)
        after_settling(step)
    elif call.saying is not None:
        _voice_ran_out(step)
    elif call.transfer_to is not None:
        transfer_failed(step, TransferFailed(step.at_ms, "The transfer was not answered in time."))
    else:
        hang_up(step, EndReason.HANGUP_BOT)


def _voice_ran_out(step: Step) -> None:
    """The audio never told how the utterance ended."""
    if step.call.cutting:
        settle(step, Outcome.INTERRUPTED, "", 0)
    else:
        step.emit(Clear())
        settle(step, Outcome.FAILED, "", 0)
    after_settling(step)


def _waiter_ran_out(step: Step, now_ms: int) -> None:
    waiter = step.call.waiter
    if waiter is None or not _due(waiter.until_ms, now_ms):
        return
    problem = Problem(
        "transcriptTimeout",
        "The caller said nothing in time; the call goes on.",
        data={"callId": step.call.call_id},
    )
    step.emit(Reply(waiter.request_id, problem))
    release_waiter(step)


def _reply_ran_out(step: Step, now_ms: int) -> None:
    reply = step.call.reply
    if reply is None:
        return
    if _due(reply.until_ms, now_ms):
        reply_timed_out(step, reply)
    elif _due(reply.ack_at_ms, now_ms):
        acknowledge(step, reply)


def restarted(step: Step, event: Restarted) -> None:
    if event.alive is None:
        _let_go_of_the_past(step)
    elif event.alive:
        _resume(step)
    else:
        _leg_is_gone(step, event.reason)


def _let_go_of_the_past(step: Step) -> None:
    """Requests, voices and replies of the old process are gone; the leg may live on."""
    call, now = step.call, step.at_ms
    if call.hangup_due and call.provider_call_id is not None and not call.transferred:
        step.emit(Hangup())
    if call.is_over:
        return
    reply = call.reply
    if reply is not None and reply.hold_until_ms is None:
        until_ms = now + AGENT_HOLD_MS
        reply = replace(reply, hold_until_ms=until_ms, until_ms=until_ms, ack_at_ms=None)
    step.set(
        dial_request=None,
        digit_requests=(),
        agent_online=False,
        agent_lost_at_ms=now if call.agent_online else call.agent_lost_at_ms,
        reply=reply,
        adrift=True,
        poll_at_ms=None if call.provider_call_id is None else now + call.limits.poll_ms,
    )
    if call.waiter is not None:
        release_waiter(step)
    if call.provider_call_id is None and call.state is State.INITIATED:
        # The create's answer was lost. If the leg exists, it shows up within the ring timeout.
        step.set(state_until_ms=now + call.limits.ring_ms)


def _resume(step: Step) -> None:
    """The leg lives. What the old process was doing is taken up again, unless the talk has already
    moved on."""
    call = step.call
    if not call.adrift:
        return
    step.set(adrift=False)
    if call.state is State.RINGING and call.direction is Direction.INBOUND:
        step.emit(Answer())
    elif call.saying is not None and not _plays_by_itself(call):
        settle(step, Outcome.INTERRUPTED, "", 0)
        if call.state is State.SPEAKING:
            after_settling(step)
    elif call.state is State.LISTENING and call.state_until_ms is None:
        listen(step)


def _plays_by_itself(call: Call) -> bool:
    """A notify call's message is in the carrier's hands, unless its audio came through us."""
    return call.mode is Mode.NOTIFY and not call.streaming


def _leg_is_gone(step: Step, reason: EndReason | None) -> None:
    call = step.call
    had_leg = call.provider_call_id is not None
    step.set(hangup_due=False, leg_over=call.leg_over or had_leg)
    if not call.is_over:
        unknown = EndReason.COMPLETED if had_leg else EndReason.FAILED
        finish(step, call.ending_as or reason or unknown)
