"""Rules for what carriers and the audio report. Anything may come late, twice or out of order."""

from sidecar.call.bargein import is_barge_in
from sidecar.call.effects import Answer, Hangup, Reply, SendDigits
from sidecar.call.events import (
    Answered,
    CarrierFault,
    Dialed,
    DialFailed,
    DigitsFailed,
    DigitsHeard,
    DigitsSent,
    Heard,
    Incoming,
    LegAlive,
    LegEnded,
    LineLive,
    MachineDetected,
    Ringing,
    SilenceHeard,
    Spoken,
    TransferDone,
    TransferFailed,
)
from sidecar.call.exchange import finish, take_words
from sidecar.call.model import Detection, Direction, EndReason, Mode, Origin, State, Words
from sidecar.call.spoken import speakable
from sidecar.call.steps import (
    CUT_MS,
    Step,
    advance,
    announce,
    answered,
    begin_talk,
    cut,
    drop_queue,
    drop_reply,
    hang_up,
    live,
    settle,
    utterance,
)
from sidecar.errors import Problem

BEEP_MS = 30_000
"""How long a machine's greeting may last before the message is left anyway (config.md)."""
OPENING_MS_PER_DIGIT = 1_000
OPENING_GRACE_MS = 10_000


# -- before the talk ------------------------------------------------------------------------------


def incoming(step: Step, event: Incoming) -> None:
    limits = step.call.limits
    step.set(
        state=State.RINGING,
        state_until_ms=event.at_ms + limits.ring_ms,
        reap_by_ms=event.at_ms + limits.stale_ms if limits.stale_ms else None,
    )
    announce(step)
    step.notify("call.ringing")
    if step.call.direction is Direction.INBOUND:
        step.emit(Answer())


def dialed(step: Step, event: Dialed) -> None:
    """The carrier's id of the call, which may come after its news, and after its end."""
    call = step.call
    first = call.provider_call_id is None
    if call.is_over and not first:
        return
    step.set(provider_call_id=event.provider_call_id)
    if call.state is State.INITIATED and first:
        step.set(state_until_ms=event.at_ms + call.limits.ring_ms)
        announce(step)
    elif call.state in (State.ENDING, State.ENDED) and first and not _needs_no_hangup(step):
        # The call was given up while its dial was under way; now there is something to hang up.
        step.set(hangup_due=True)
        step.emit(Hangup())


def _needs_no_hangup(step: Step) -> bool:
    return step.call.leg_over or step.call.transferred


def dial_failed(step: Step, event: DialFailed) -> None:
    call = step.call
    if call.provider_call_id is not None:
        # The carrier has told of the call by other ways: the dial was not in vain.
        return
    step.set(hangup_due=False)
    if call.is_over:
        return
    answer_dial(step, event.problem)
    finish(step, call.ending_as or EndReason.FAILED)


def answer_dial(step: Step, problem: Problem) -> None:
    """Tell whoever asked for the call why there is none."""
    call = step.call
    if call.dial_request is not None:
        data = {**problem.data, "callId": call.call_id}
        told = Problem(problem.kind, problem.message, problem.retryable, data)
        step.emit(Reply(call.dial_request, told))
        step.set(dial_request=None)


def ringing(step: Step, event: Ringing) -> None:
    """The ring timeout counts from the carrier's acceptance; without that, from here."""
    announce(step)
    until_ms = event.at_ms + step.call.limits.ring_ms
    if step.call.state_until_ms is not None:
        until_ms = min(until_ms, step.call.state_until_ms)
    step.set(state=State.RINGING, state_until_ms=until_ms)
    step.notify("call.ringing")


def leg_answered(step: Step, event: Answered) -> None:
    answered(step)


def line_live(step: Step, event: LineLive) -> None:
    live(step)
    digits = step.call.dtmf_sequence
    if digits:
        opening_ms = OPENING_GRACE_MS + OPENING_MS_PER_DIGIT * len(digits)
        step.set(state_until_ms=event.at_ms + opening_ms)
        step.emit(SendDigits(digits))
    else:
        begin_talk(step)


# -- the talk -------------------------------------------------------------------------------------


def spoken(step: Step, event: Spoken) -> None:
    call = step.call
    if not _is_being_said(step, event):
        return
    settle(step, event.outcome, event.heard_text, event.heard_ms)
    if call.state is not State.ENDING:
        after_settling(step)


def _is_being_said(step: Step, event: Spoken) -> bool:
    said = step.call.saying
    return said is not None and said.utterance_id == event.utterance_id


def after_settling(step: Step) -> None:
    """What was said is in the transcript; now the words that cut it, then what comes next."""
    unheard = step.call.unheard
    step.set(unheard=())
    if unheard:
        drop_queue(step, only_replies=True)
    for words in unheard:
        take_words(step, words)
    call = step.call
    if call.saying is None and call.state is State.SPEAKING and not call.awaiting_beep:
        advance(step)


def heard(step: Step, event: Heard) -> None:
    text = event.text.strip()
    if not text or _is_stale(step, event.turn):
        return
    if not step.call.is_answered or step.call.state is State.ANSWERED:
        # Words prove that the line is live, whatever the carrier has told so far.
        line_live(step, LineLive(event.at_ms))
    words = Words(text, event.confidence, event.language)
    if event.turn is not None and step.call.saying is not None:
        # The token is used up; the next document that is rendered bears the new one.
        step.set(turn=step.name("t"))
    if event.after is not None and _is_being_said(step, event.after):
        settle(step, event.after.outcome, event.after.heard_text, event.after.heard_ms)
        take_words(step, words)
        after_settling(step)
        return
    if step.call.saying is None:
        take_words(step, words)
    elif step.call.cutting:
        step.set(unheard=(*step.call.unheard, words))
    elif _stops_the_bot(step, text):
        step.notify("call.bargeIn")
        drop_reply(step)
        step.set(unheard=(*step.call.unheard, words))
        cut(step)
    else:
        _note(step, words)


def _is_stale(step: Step, turn: str | None) -> bool:
    """Whether a token is not that of this moment. An empty one never is."""
    return turn is not None and (not turn or turn != step.call.turn)


def _stops_the_bot(step: Step, text: str) -> bool:
    call = step.call
    knobs = call.barge_in
    greeting = call.saying is not None and call.saying.origin in (Origin.GREETING, Origin.MESSAGE)
    if not knobs.enabled or call.mode is Mode.NOTIFY or (greeting and knobs.protect_greeting):
        return False
    return is_barge_in(text, knobs.min_words, knobs.ignore)


def _note(step: Step, words: Words) -> None:
    """Words that do not stop the bot. An acknowledgement is only noted; anything else counts when
    the bot has finished, unless what is being said is the very prompt it answers."""
    call = step.call
    waiter = call.waiter
    acknowledgement = not is_barge_in(words.text, 0, call.barge_in.ignore)
    if acknowledgement or call.mode is Mode.NOTIFY or (waiter is not None and waiter.armed):
        take_words(step, words, answers=not acknowledgement)
    else:
        step.set(unheard=(*call.unheard, words))


def silence_heard(step: Step, event: SilenceHeard) -> None:
    if not _is_stale(step, event.turn):
        step.notify("call.silence", durationMs=event.duration_ms)


def digits_heard(step: Step, event: DigitsHeard) -> None:
    announce(step)
    step.set(dtmf=step.call.dtmf + event.digits)
    step.notify("call.dtmf", digits=event.digits)


def digits_sent(step: Step, event: DigitsSent) -> None:
    _close_digits(step, event.request_id, None)


def digits_failed(step: Step, event: DigitsFailed) -> None:
    _close_digits(step, event.request_id, event.problem)


def _close_digits(step: Step, request_id: str | None, problem: Problem | None) -> None:
    call = step.call
    if request_id is not None:
        if request_id in call.digit_requests:
            rest = tuple(r for r in call.digit_requests if r != request_id)
            step.set(digit_requests=rest)
            step.emit(Reply(request_id, problem or {"success": True}))
        return
    if problem is not None:
        step.warn("dtmfFailed", "The digits before the conversation could not be sent.")
    if call.state is State.ACTIVE:
        begin_talk(step)


def machine_detected(step: Step, event: MachineDetected) -> None:
    call = step.call
    if call.detection is Detection.OFF or call.dtmf_sequence:
        return
    if call.machine in (None, "unknown") and call.machine != event.result:
        step.set(machine=event.result)
        step.notify("call.machine", result=event.result)
    if event.result == "fax" or (
        event.result == "voicemail" and call.detection is Detection.DETECT
    ):
        hang_up(step, EndReason.VOICEMAIL)
    elif event.result == "voicemail":
        _leave_message(step, event.beep)


def _leave_message(step: Step, beep: bool) -> None:
    """The greeting of a machine has been recognised: what was said into it is said again after the
    beep, then the call ends."""
    call = step.call
    if call.ending_as is None:
        if call.state is State.ANSWERED:
            live(step)
        drop_reply(step)
        drop_queue(step)
        text = speakable(call.greeting or "")
        message = utterance(step, text, Origin.MESSAGE, end_after=True) if text else None
        step.set(
            ending_as=EndReason.VOICEMAIL,
            awaiting_beep=True,
            end_after_playout=message is None,
            queue=(message,) if message else (),
            state=State.SPEAKING,
        )
        cut(step)
        step.set(state_until_ms=step.at_ms + BEEP_MS)
    if beep:
        hear_beep(step)


def hear_beep(step: Step) -> None:
    """The message may be left now."""
    if not step.call.awaiting_beep:
        return
    step.set(awaiting_beep=False)
    if step.call.saying is None:
        advance(step)
    else:
        step.set(state_until_ms=step.at_ms + CUT_MS)


def transfer_done(step: Step, event: TransferDone) -> None:
    step.notify("call.transferred")
    step.set(transferred=True, hangup_due=False)
    finish(step, EndReason.COMPLETED)


def transfer_failed(step: Step, event: TransferFailed) -> None:
    if step.call.transfer_to is None:
        return
    step.set(transfer_to=None, state_until_ms=None)
    step.warn("transferFailed", event.why)
    if step.call.saying is None:
        advance(step)


# -- the end --------------------------------------------------------------------------------------


def carrier_fault(step: Step, event: CarrierFault) -> None:
    announce(step)
    step.notify("call.error", error=event.error, retryable=event.retryable)
    if not event.retryable:
        hang_up(step, EndReason.ERROR)


def leg_ended(step: Step, event: LegEnded) -> None:
    call = step.call
    step.set(hangup_due=False, leg_over=True)
    if not call.is_over:
        finish(step, call.ending_as or event.reason or EndReason.COMPLETED)


def leg_alive(step: Step, event: LegAlive) -> None:
    """Nothing to change: every event of the carrier puts the next poll off (see `machine`)."""
