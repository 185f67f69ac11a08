"""The moves that rules are made of: begin, say, listen, settle, hang up.

A `Step` holds the call while one event is applied to it and collects the effects. It lives inside
one `reduce` and never leaves it, so the machine stays a function of its arguments. What becomes of
the caller's words, and the end of a call, are in `exchange`.
"""

from dataclasses import replace
from typing import Any

from sidecar.call.effects import (
    CancelReply,
    Clear,
    Effect,
    Hangup,
    Listen,
    Notify,
    Reply,
    Say,
    Transfer,
)
from sidecar.call.events import Outcome
from sidecar.call.model import (
    Call,
    Direction,
    EndReason,
    Line,
    Mode,
    Origin,
    Speaker,
    State,
    Turn,
    Utterance,
)
from sidecar.call.spoken import speakable

CUT_MS = 1_000
"""How long a `Clear` may take until the utterance counts as cut without the audio's word."""
TRANSFER_MS = 60_000
"""How long a transfer may take until it counts as failed; carriers ring a target for about 30 s."""
SAY_GRACE_MS = 30_000
SAY_MS_PER_CHAR = 250
"""A voice that has not finished after this long is stuck: slow speech is three times faster."""


class Step:
    """One event being applied: `call` as it is so far, `effects` in order."""

    def __init__(self, call: Call, at_ms: int) -> None:
        self.call = call
        self.at_ms = at_ms
        self.effects: list[Effect] = []

    def set(self, **changes: Any) -> None:
        self.call = replace(self.call, **changes)

    def emit(self, effect: Effect) -> None:
        self.effects.append(effect)

    def notify(self, type: str, **members: Any) -> None:
        self.emit(Notify(type, members))

    def warn(self, code: str, message: str) -> None:
        self.notify("call.warning", code=code, message=message)

    def name(self, kind: str) -> str:
        """A name for something of this call, unique within the call and, by its id, outside it."""
        number = self.call.next_id
        self.set(next_id=number + 1)
        return f"{kind}{number}-{self.call.call_id[:8]}"


# -- beginning ------------------------------------------------------------------------------------


def announce(step: Step) -> None:
    """The call exists at the carrier: answer whoever asked for it, then say so."""
    if step.call.announced:
        return
    if step.call.dial_request is not None:
        answer = {"callId": step.call.call_id, "initiated": True}
        step.emit(Reply(step.call.dial_request, answer))
    step.set(announced=True, dial_request=None)
    step.notify("call.initiated")


def answered(step: Step) -> None:
    """The far end picked up; the call's duration counts from here."""
    announce(step)
    limits = step.call.limits
    step.set(
        state=State.ANSWERED,
        answered_at_ms=step.at_ms,
        ends_by_ms=step.at_ms + limits.max_duration_ms,
        state_until_ms=step.at_ms + limits.ring_ms,
    )
    step.notify("call.answered")


def live(step: Step) -> None:
    """Speech can pass."""
    if not step.call.is_answered:
        answered(step)
    step.set(state=State.ACTIVE, state_until_ms=None)
    step.notify("call.active")


def begin_talk(step: Step) -> None:
    """The line is ours: say the greeting, else what was queued meanwhile, else listen."""
    call = step.call
    step.set(state_until_ms=None)
    greeting = speakable(call.greeting or "")
    if greeting and call.transfer_to is None:
        outbound = call.direction is Direction.OUTBOUND
        first = utterance(step, greeting, Origin.MESSAGE if outbound else Origin.GREETING)
        step.set(queue=(first, *step.call.queue))
    advance(step)


# -- speaking -------------------------------------------------------------------------------------


def utterance(step: Step, text: str, origin: Origin, **fields: Any) -> Utterance:
    """`text` has been through the speech gate."""
    return Utterance(step.name("u"), text, step.name("t"), origin, **fields)


def enqueue(step: Step, said: Utterance) -> None:
    """Queue behind what is being said; begin at once when nothing is."""
    step.set(queue=(*step.call.queue, said))
    if is_idle(step.call):
        advance(step)


def say_notice(step: Step, text: str, *, end_after: bool = False) -> None:
    """Say something on our own account; an empty phrase is not said."""
    spoken = speakable(text)
    if spoken:
        enqueue(step, utterance(step, spoken, Origin.NOTICE, end_after=end_after))


def is_idle(call: Call) -> bool:
    """Nothing is being said, and nothing else is awaited before something may be."""
    talking = call.state in (State.LISTENING, State.SPEAKING)
    busy = call.saying is not None or call.awaiting_beep or call.transfer_to is not None
    return talking and not busy


def advance(step: Step) -> None:
    """Nothing is being said: go on with what comes next."""
    call = step.call
    if call.queue:
        _say(step, call.queue[0], call.queue[1:])
    elif call.transfer_to is not None:
        limit_ms = (call.ends_by_ms or step.at_ms) - step.at_ms
        state = State.LISTENING if call.state is State.LISTENING else State.SPEAKING
        step.set(state=state, state_until_ms=step.at_ms + TRANSFER_MS)
        step.emit(Transfer(call.transfer_to, max(1, limit_ms // 1_000)))
    elif call.end_after_playout:
        hang_up(step, call.ending_as or EndReason.HANGUP_BOT)
    elif call.mode is Mode.NOTIFY and call.waiter is None:
        wait_then_hang_up(step)
    else:
        listen(step)


def wait_then_hang_up(step: Step) -> None:
    """A notify call has said all: give the message a moment, then end."""
    state = State.LISTENING if step.call.state is State.LISTENING else State.SPEAKING
    step.set(state=state, state_until_ms=step.at_ms + step.call.limits.notify_hangup_ms)


def _say(step: Step, said: Utterance, rest: tuple[Utterance, ...]) -> None:
    waiter = step.call.waiter
    if waiter is not None and waiter.utterance_id == said.utterance_id:
        waiter = replace(waiter, armed=True)
    step.set(
        state=State.SPEAKING,
        saying=said,
        queue=rest,
        turn=said.turn,
        waiter=waiter,
        adrift=False,
        state_until_ms=step.at_ms + SAY_GRACE_MS + SAY_MS_PER_CHAR * len(said.text),
    )
    step.notify("call.speaking", text=said.text, utteranceId=said.utterance_id)
    step.emit(Say(said))
    _close_turn(step, said)


def _close_turn(step: Step, said: Utterance) -> None:
    """The bot answers what the caller said: one turn is measured."""
    call = step.call
    if call.heard_at_ms is None or said.origin is Origin.NOTICE:
        return
    text_at_ms = call.agent_at_ms if call.agent_at_ms is not None else step.at_ms
    latency = {
        "agent": max(0, text_at_ms - call.heard_at_ms),
        "total": max(0, step.at_ms - call.heard_at_ms),
    }
    figures = {**latency, "firstAudio": max(0, step.at_ms - text_at_ms)}
    if call.listening_at_ms is not None and call.listening_at_ms <= call.heard_at_ms:
        figures["listenWait"] = call.heard_at_ms - call.listening_at_ms
    turn = Turn(len(call.turns), call.heard_at_ms, figures)
    step.set(turns=(*call.turns, turn), heard_at_ms=None, agent_at_ms=None)
    step.notify("call.turn", latency=latency)


def cut(step: Step) -> None:
    """Stop what is being said; the audio's `Spoken` settles it."""
    if step.call.saying is not None and not step.call.cutting:
        step.set(cutting=True, state_until_ms=step.at_ms + CUT_MS)
        step.emit(Clear())


def settle(step: Step, outcome: Outcome, heard_text: str, heard_ms: int) -> None:
    """The utterance is over: into the transcript goes what was heard of it."""
    said = step.call.saying
    if said is None:
        return
    step.set(saying=None, cutting=False, adrift=False)
    if heard_text:
        interrupted = outcome is Outcome.INTERRUPTED
        line = Line(step.at_ms, Speaker.BOT, heard_text, interrupted)
        step.set(transcript=(*step.call.transcript, line))
    report(step, said, outcome, heard_text, heard_ms)
    if said.end_after:
        step.set(end_after_playout=True)


def drop_queue(step: Step, *, only_replies: bool = False) -> None:
    """What was queued will not be said; each of it is reported."""
    dropped = [u for u in step.call.queue if not only_replies or u.origin is Origin.REPLY]
    step.set(queue=tuple(u for u in step.call.queue if u not in dropped))
    for said in dropped:
        report(step, said, Outcome.INTERRUPTED)


def report(
    step: Step, said: Utterance, outcome: Outcome, heard_text: str = "", heard_ms: int = 0
) -> None:
    """The fate of an utterance."""
    step.notify(
        "call.utterance",
        utteranceId=said.utterance_id,
        outcome=outcome.value,
        heardText=heard_text,
        heardMs=heard_ms,
    )


# -- listening ------------------------------------------------------------------------------------


def listen(step: Step) -> None:
    """The caller's turn. A waiter's time counts from here, not from the beginning of its prompt."""
    call = step.call
    waiter = call.waiter
    if waiter is not None and waiter.until_ms is None:
        until_ms = step.at_ms + call.limits.transcript_ms
        waiter = replace(waiter, armed=True, until_ms=until_ms)
    was_listening = call.state is State.LISTENING
    step.set(
        state=State.LISTENING,
        state_until_ms=None,
        waiter=waiter,
        adrift=False,
        turn=call.turn or step.name("t"),
    )
    if not was_listening:
        step.set(listening_at_ms=step.at_ms)
        step.notify("call.listening")
    # An agent that is writing its reply does not wait for more words.
    agent_waits = call.agent_online and call.reply is None
    step.emit(Listen(step.call.turn, awaited=waiter is not None or agent_waits))


# -- letting go -----------------------------------------------------------------------------------


def cancel_reply(step: Step) -> None:
    """The agent need not go on with its reply; what came of it so far is said all the same."""
    reply = step.call.reply
    if reply is None:
        return
    step.set(reply=None)
    if reply.hold_until_ms is None:
        step.emit(CancelReply(reply.reply_id))


def drop_reply(step: Step) -> None:
    """What an unfinished reply has not spoken yet is dropped."""
    if step.call.reply is not None:
        cancel_reply(step)
        drop_queue(step, only_replies=True)


def hang_up(step: Step, reason: EndReason) -> None:
    """Ask the carrier to end the leg; the call is over when it confirms, or soon without that."""
    announce(step)
    cut(step)
    call = step.call
    step.set(
        state=State.ENDING,
        before_ending=call.state,
        ending_as=reason,
        hangup_due=True,
        state_until_ms=step.at_ms + call.limits.hangup_ms,
    )
    drop_reply(step)
    if call.provider_call_id is not None:
        # Without a leg there is nothing to hang up yet; the dial's answer will ask for it.
        step.emit(Hangup())
