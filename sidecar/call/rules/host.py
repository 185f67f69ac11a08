"""Rules for what the host asks. Every request ends in exactly one `Reply`."""

from sidecar.call.effects import Dial, Reply, SendDigits
from sidecar.call.events import (
    CallRequested,
    ContinueRequested,
    DigitsRequested,
    HangupRequested,
    Outcome,
    RequestDropped,
    SpeakRequested,
    TransferRequested,
)
from sidecar.call.exchange import release_waiter
from sidecar.call.model import EndReason, Origin, State, Waiter
from sidecar.call.spoken import speakable
from sidecar.call.steps import (
    Step,
    advance,
    announce,
    cancel_reply,
    cut,
    drop_queue,
    drop_reply,
    enqueue,
    hang_up,
    is_idle,
    report,
    say_notice,
    utterance,
)
from sidecar.errors import Problem

SUCCESS = {"success": True}
DIAL_ANSWER_MS = 60_000
"""Longest time from our intent until the carrier's answer to the dial is known, its retries and the
look-up after a lost answer included; a call that has neither by then has failed."""


def call_requested(step: Step, event: CallRequested) -> None:
    limits = step.call.limits
    step.set(
        dial_request=event.request_id,
        state_until_ms=event.at_ms + limits.ring_ms + DIAL_ANSWER_MS,
        reap_by_ms=event.at_ms + limits.stale_ms if limits.stale_ms else None,
    )
    step.emit(Dial())


def speak_requested(step: Step, event: SpeakRequested) -> None:
    if _is_leaving(step, event.request_id):
        return
    step.emit(Reply(event.request_id, SUCCESS))
    said = utterance(step, speakable(event.text), Origin.SPEAK)
    if said.text:
        enqueue(step, said)
    else:
        report(step, said, Outcome.FAILED)


def continue_requested(step: Step, event: ContinueRequested) -> None:
    if _is_leaving(step, event.request_id):
        return
    if step.call.waiter is not None:
        problem = Problem(
            "busy",
            "Another continue already waits for the caller on this call; wait for its answer.",
            data={"callId": step.call.call_id},
        )
        step.emit(Reply(event.request_id, problem))
        return
    # What the agent has said so far goes before the prompt; what it has not is stale now.
    cancel_reply(step)
    prompt = utterance(step, speakable(event.text), Origin.PROMPT)
    step.set(waiter=Waiter(event.request_id, prompt.utterance_id))
    if prompt.text:
        enqueue(step, prompt)
    elif is_idle(step.call):
        advance(step)


def digits_requested(step: Step, event: DigitsRequested) -> None:
    if _is_leaving(step, event.request_id):
        return
    step.set(digit_requests=(*step.call.digit_requests, event.request_id))
    step.emit(SendDigits(event.digits, event.request_id))


def transfer_requested(step: Step, event: TransferRequested) -> None:
    if _is_leaving(step, event.request_id):
        return
    step.emit(Reply(event.request_id, SUCCESS))
    drop_reply(step)
    drop_queue(step)
    text = speakable(event.text or "")
    if text:
        step.set(queue=(utterance(step, text, Origin.NOTICE),))
    step.set(transfer_to=event.to_number)
    if step.call.saying is not None:
        cut(step)
    elif step.call.state is not State.ACTIVE:
        # While `active`, the digits that come first are still on their way.
        advance(step)


def _is_leaving(step: Step, request_id: str) -> bool:
    """Refuses what comes after a transfer or the end of the call was decided."""
    call = step.call
    leaving_message = call.ending_as is not None
    if call.transfer_to is None and not call.end_after_playout and not leaving_message:
        return False
    doing = "being transferred" if call.transfer_to else "about to end"
    problem = Problem("wrongState", f"The call is {doing}.", data={"callId": call.call_id})
    step.emit(Reply(request_id, problem))
    return True


def hangup_requested(step: Step, event: HangupRequested) -> None:
    announce(step)
    call = step.call
    if event.request_id is not None:
        step.emit(Reply(event.request_id, SUCCESS))
    can_speak = call.state in (State.ACTIVE, State.SPEAKING, State.LISTENING)
    if can_speak and event.farewell:
        _say_farewell(step, event.farewell)
    elif event.after_playout and (call.saying is not None or call.queue):
        step.set(end_after_playout=True)
    else:
        hang_up(step, EndReason.HANGUP_BOT)


def _say_farewell(step: Step, text: str) -> None:
    drop_reply(step)
    drop_queue(step)
    step.set(transfer_to=None, awaiting_beep=False, end_after_playout=True)
    say_notice(step, text, end_after=True)
    if step.call.saying is not None and step.call.queue:
        cut(step)
    elif step.call.saying is None:
        advance(step)


def request_dropped(step: Step, event: RequestDropped) -> None:
    """The waiter's prompt, if it is still queued, is said all the same: it was accepted."""
    waiter = step.call.waiter
    if waiter is not None and waiter.request_id == event.request_id:
        release_waiter(step)
