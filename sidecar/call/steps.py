"""The moves that rules are made of: say, listen, settle, hang up, finish.

A `Step` holds the call while one event is applied to it and collects the effects. It lives inside
one `reduce` and never leaves it, so the machine stays a function of its arguments.
"""

from dataclasses import replace
from typing import Any

from sidecar.call.effects import (
    AskAgent,
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
    EndReason,
    Line,
    Mode,
    Origin,
    PendingReply,
    Speaker,
    State,
    Turn,
    Utterance,
    Words,
)
from sidecar.call.spoken import speakable
from sidecar.errors import Problem

CUT_MS = 1_000
"""How long a `Clear` may take until the utterance counts as cut without the audio's word."""
TRANSFER_MS = 60_000
"""How long a transfer may take until it counts as failed; carriers ring a target for about 30 s."""
AGENT_HOLD_MS = 20_000
"""How long a reply waits for an agent to come back (calls.md, "Auto-responses")."""
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
    greeting = speakable(call.greeting) if call.greeting else ""
    if greeting:
        origin = Origin.MESSAGE if call.direction.value == "outbound" else Origin.GREETING
        first = utterance(step, greeting, origin)
        step.set(queue=(first, *step.call.queue))
    advance(step)


# -- speaking -------------------------------------------------------------------------------------


def utterance(step: Step, text: str, origin: Origin, **fields: Any) -> Utterance:
    return Utterance(step.name("u"), text, step.name("t"), origin, **fields)


def enqueue(step: Step, said: Utterance) -> None:
    """Queue behind what is being said; begin at once when nothing is."""
    step.set(queue=(*step.call.queue, said))
    call = step.call
    idle = call.state in (State.LISTENING, State.SPEAKING) and call.saying is None
    if idle and not call.awaiting_beep and call.transfer_to is None:
        advance(step)


def advance(step: Step) -> None:
    """Nothing is being said: go on with what comes next."""
    call = step.call
    if call.queue:
        _say(step, call.queue[0], call.queue[1:])
    elif call.transfer_to is not None:
        limit_ms = (call.ends_by_ms or step.at_ms) - step.at_ms
        step.set(state_until_ms=step.at_ms + TRANSFER_MS)
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
        state_until_ms=step.at_ms + SAY_GRACE_MS + SAY_MS_PER_CHAR * len(said.text),
    )
    step.notify("call.speaking", text=said.text, utteranceId=said.utterance_id)
    step.emit(Say(said))
    _close_turn(step)


def _close_turn(step: Step) -> None:
    """The bot answers what the caller said: one turn is measured."""
    call = step.call
    answers = call.saying is not None and call.saying.origin is not Origin.NOTICE
    if call.heard_at_ms is None or not answers:
        return
    text_at_ms = call.agent_at_ms if call.agent_at_ms is not None else step.at_ms
    latency = {
        "agent": text_at_ms - call.heard_at_ms,
        "firstAudio": step.at_ms - text_at_ms,
        "total": step.at_ms - call.heard_at_ms,
    }
    if call.listening_at_ms is not None and call.listening_at_ms <= call.heard_at_ms:
        latency["listenWait"] = call.heard_at_ms - call.listening_at_ms
    turn = Turn(len(call.turns), call.heard_at_ms, latency)
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
    step.set(saying=None, cutting=False)
    if heard_text:
        interrupted = outcome is Outcome.INTERRUPTED
        line = Line(step.at_ms, Speaker.BOT, heard_text, interrupted)
        step.set(transcript=(*step.call.transcript, line))
    _report(step, said, outcome, heard_text, heard_ms)
    if said.end_after:
        step.set(end_after_playout=True)


def drop_queue(step: Step, *, only_replies: bool = False) -> None:
    """What was queued will not be said; each of it is reported."""
    dropped = [u for u in step.call.queue if not only_replies or u.origin is Origin.REPLY]
    step.set(queue=tuple(u for u in step.call.queue if u not in dropped))
    for said in dropped:
        _report(step, said, Outcome.INTERRUPTED, "", 0)


def _report(step: Step, said: Utterance, outcome: Outcome, text: str, heard_ms: int) -> None:
    step.notify(
        "call.utterance",
        utteranceId=said.utterance_id,
        outcome=outcome.value,
        heardText=text,
        heardMs=heard_ms,
    )


# -- listening ------------------------------------------------------------------------------------


def listen(step: Step) -> None:
    """The caller's turn. A waiter's time counts from here, not from the beginning of its prompt."""
    waiter = step.call.waiter
    if waiter is not None and waiter.armed and waiter.until_ms is None:
        waiter = replace(waiter, until_ms=step.at_ms + step.call.limits.transcript_ms)
    was_listening = step.call.state is State.LISTENING
    step.set(
        state=State.LISTENING,
        state_until_ms=None,
        waiter=waiter,
        turn=step.call.turn or step.name("t"),
    )
    if not was_listening:
        step.set(listening_at_ms=step.at_ms)
        step.notify("call.listening")
    awaited = waiter is not None or step.call.agent_online
    step.emit(Listen(step.call.turn, awaited))


def take_words(step: Step, words: Words, *, answers: bool = True) -> None:
    """Final words of the caller: into the transcript, then to whoever waits for them, unless they
    answer nothing (an acknowledgement while the bot speaks)."""
    call = step.call
    line = Line(step.at_ms, Speaker.USER, words.text)
    step.set(transcript=(*call.transcript, line))
    members: dict[str, Any] = {"transcript": words.text, "isFinal": True}
    if words.confidence is not None:
        members["confidence"] = words.confidence
    if words.language is not None:
        members["language"] = words.language
    step.notify("call.speech", **members)
    if not answers:
        return
    step.set(heard_at_ms=step.at_ms, agent_at_ms=None)
    if call.waiter is not None:
        _answer_waiter(step, words.text)
    elif call.mode is Mode.CONVERSATION and not (call.end_after_playout or call.transfer_to):
        ask_agent(step, words.text)
    if step.call.state is State.LISTENING and step.call.transfer_to is None:
        # These words have used up their turn; a repeated report of them must not count again.
        step.set(turn=step.name("t"))
        step.emit(Listen(step.call.turn, awaited=False))


def _answer_waiter(step: Step, text: str) -> None:
    waiter = step.call.waiter
    if waiter is None or not waiter.armed:
        return
    step.set(waiter=None)
    step.emit(Reply(waiter.request_id, {"success": True, "transcript": text}))
    if step.call.mode is Mode.NOTIFY and step.call.state is State.LISTENING:
        wait_then_hang_up(step)


# -- the agent's reply ----------------------------------------------------------------------------


def ask_agent(step: Step, message: str) -> None:
    """Ask for a reply; an older one that is not finished is stale. With no agent connected this
    does nothing, unless one was lost a moment ago and may come back."""
    drop_reply(step)
    call = step.call
    lost = call.agent_lost_at_ms
    if call.agent_online:
        ack = step.at_ms + call.limits.ack_ms if call.limits.ack_ms else None
        reply = PendingReply(
            step.name("r"), message, step.at_ms, step.at_ms + call.limits.response_ms, ack
        )
        step.set(reply=reply)
        step.emit(AskAgent(reply.reply_id, message))
    elif lost is not None and step.at_ms < lost + AGENT_HOLD_MS:
        hold_reply(step, message)


def hold_reply(step: Step, message: str) -> None:
    """Nobody is there to write the reply: ask the caller to hold, and wait for an agent."""
    until_ms = step.at_ms + AGENT_HOLD_MS
    step.set(
        reply=PendingReply(step.name("r"), message, step.at_ms, until_ms, hold_until_ms=until_ms)
    )
    say_notice(step, step.call.phrases.hold)


def drop_reply(step: Step) -> None:
    """What an unfinished reply has not spoken yet is dropped."""
    reply = step.call.reply
    if reply is None:
        return
    step.set(reply=None)
    drop_queue(step, only_replies=True)
    if reply.hold_until_ms is None:
        step.emit(CancelReply(reply.reply_id))


def say_notice(step: Step, text: str, *, end_after: bool = False) -> None:
    """Say something on our own account; an empty phrase is not said."""
    spoken = speakable(text)
    if spoken:
        enqueue(step, utterance(step, spoken, Origin.NOTICE, end_after=end_after))


# -- ending ---------------------------------------------------------------------------------------


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
    step.emit(Hangup())


def finish(step: Step, reason: EndReason) -> None:
    """The one way into `ended`: everybody who waits is told, and one `call.ended` is sent."""
    announce(step)
    settle(step, Outcome.INTERRUPTED, "", 0)
    drop_queue(step)
    drop_reply(step)
    call = step.call
    ended = Problem(
        "callEnded",
        f"The call has ended ({reason.value}).",
        data={"callId": call.call_id, "reason": reason.value},
    )
    if call.waiter is not None:
        step.emit(Reply(call.waiter.request_id, ended))
    for request_id in call.digit_requests:
        step.emit(Reply(request_id, ended))
    step.set(
        state=State.ENDED,
        end_reason=reason,
        ended_at_ms=step.at_ms,
        waiter=None,
        digit_requests=(),
        unheard=(),
        awaiting_beep=False,
        state_until_ms=None,
        ends_by_ms=None,
        reap_by_ms=None,
        poll_at_ms=None,
    )
    step.notify("call.ended", reason=reason.value)
