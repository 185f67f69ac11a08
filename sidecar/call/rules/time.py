"""Rules for time and for our own restart."""

from dataclasses import replace

from sidecar.call.effects import Clear, Hangup, Poll, Reply
from sidecar.call.events import DeadlinePassed, Outcome, Restarted, TransferFailed
from sidecar.call.model import EndReason, Mode, State
from sidecar.call.rules.agent import acknowledge, reply_timed_out
from sidecar.call.rules.carrier import after_settling, hear_beep, transfer_failed
from sidecar.call.steps import (
    AGENT_HOLD_MS,
    Step,
    begin_talk,
    finish,
    hang_up,
    listen,
    settle,
    wait_then_hang_up,
)
from sidecar.errors import Problem


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
    call = step.call
    step.set(state_until_ms=None)
    if call.state is State.INITIATED and call.provider_call_id is None:
        finish(step, EndReason.FAILED)
    elif call.state in (State.INITIATED, State.RINGING):
        hang_up(step, EndReason.NO_ANSWER)
    elif call.state is State.ANSWERED:
        step.notify("call.error", error="The line never became live.", retryable=False)
        hang_up(step, EndReason.ERROR)
    elif call.state is State.ACTIVE:
        begin_talk(step)
    elif call.awaiting_beep:
        settle(step, Outcome.INTERRUPTED, "", 0)
        hear_beep(step)
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
    step.set(waiter=None)
    problem = Problem(
        "transcriptTimeout",
        "The caller said nothing in time; the call goes on.",
        data={"callId": step.call.call_id},
    )
    step.emit(Reply(waiter.request_id, problem))
    if step.call.mode is Mode.NOTIFY and step.call.state is State.LISTENING:
        wait_then_hang_up(step)


def _reply_ran_out(step: Step, now_ms: int) -> None:
    reply = step.call.reply
    if reply is None:
        return
    if _due(reply.until_ms, now_ms):
        reply_timed_out(step, reply)
    elif _due(reply.ack_at_ms, now_ms):
        acknowledge(step, reply)


def restarted(step: Step, event: Restarted) -> None:
    """Requests, voices and replies of the old process are gone; the leg may live on."""
    call = step.call
    if call.state is State.ENDED:
        if event.alive is False:
            step.set(hangup_due=False)
        elif call.hangup_due:
            step.emit(Hangup())
        return
    reply = call.reply
    if reply is not None and reply.hold_until_ms is None:
        until_ms = event.at_ms + AGENT_HOLD_MS
        reply = replace(reply, hold_until_ms=until_ms, until_ms=until_ms, ack_at_ms=None)
    lost_at_ms = event.at_ms if call.agent_online else call.agent_lost_at_ms
    step.set(
        dial_request=None,
        waiter=None,
        digit_requests=(),
        agent_online=False,
        agent_lost_at_ms=lost_at_ms,
        reply=reply,
        poll_at_ms=event.at_ms + call.limits.poll_ms,
    )
    if call.provider_call_id is None and call.state is State.INITIATED:
        # The create's answer was lost. If the leg exists, it shows up within the ring timeout.
        step.set(state_until_ms=event.at_ms + call.limits.ring_ms)
    if event.alive is False:
        _leg_is_gone(step, event.reason)
    elif call.hangup_due and not call.transferred:
        step.emit(Hangup())
    elif event.alive and call.state is State.SPEAKING:
        settle(step, Outcome.INTERRUPTED, "", 0)
        after_settling(step)
    elif event.alive and call.state is State.LISTENING and call.state_until_ms is None:
        listen(step)


def _leg_is_gone(step: Step, reason: EndReason | None) -> None:
    call = step.call
    step.set(hangup_due=False)
    if call.ending_as is not None:
        finish(step, call.ending_as)
    elif call.provider_call_id is None:
        finish(step, reason or EndReason.FAILED)
    else:
        finish(step, reason or EndReason.COMPLETED)
