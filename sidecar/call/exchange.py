"""The caller's words and who gets them: a host request that waits, else the host's agent. And the
end of a call, where everybody who still waits is told."""

from typing import Any

from sidecar.call.effects import AskAgent, Listen, Reply
from sidecar.call.events import Outcome
from sidecar.call.model import (
    EndReason,
    Line,
    Mode,
    PendingReply,
    Speaker,
    State,
    Words,
)
from sidecar.call.steps import (
    Step,
    announce,
    drop_queue,
    drop_reply,
    is_idle,
    listen,
    say_notice,
    settle,
    wait_then_hang_up,
)
from sidecar.errors import Problem

AGENT_HOLD_MS = 20_000
"""How long a reply waits for an agent to come back (calls.md, "Auto-responses")."""


# -- words ----------------------------------------------------------------------------------------


def take_words(step: Step, words: Words, *, answers: bool = True) -> None:
    """Final words of the caller: into the transcript, then to whoever waits for them, unless they
    answer nothing (an acknowledgement while the bot speaks, the greeting of a machine)."""
    call = step.call
    line = Line(step.at_ms, Speaker.USER, words.text)
    step.set(transcript=(*call.transcript, line))
    members: dict[str, Any] = {"transcript": words.text, "isFinal": True}
    if words.confidence is not None:
        members["confidence"] = words.confidence
    if words.language is not None:
        members["language"] = words.language
    step.notify("call.speech", **members)
    if not answers or call.ending_as is EndReason.VOICEMAIL:
        return
    step.set(heard_at_ms=step.at_ms, agent_at_ms=None)
    if call.waiter is not None:
        _answer_waiter(step, words.text)
    elif _may_ask(step):
        ask_agent(step, words.text)
    if step.call.state is State.LISTENING and step.call.transfer_to is None:
        # These words have used up their turn; a repeated report of them must not count again.
        step.set(turn=step.name("t"))
        step.emit(Listen(step.call.turn, awaited=False))


def _may_ask(step: Step) -> bool:
    call = step.call
    leaving = call.end_after_playout or call.transfer_to is not None or call.state is State.ENDING
    return call.mode is Mode.CONVERSATION and not leaving


def _answer_waiter(step: Step, text: str) -> None:
    waiter = step.call.waiter
    if waiter is not None and waiter.armed:
        step.emit(Reply(waiter.request_id, {"success": True, "transcript": text}))
        release_waiter(step)


def release_waiter(step: Step) -> None:
    """Nobody waits for words any more; a notify call then has no reason to go on."""
    step.set(waiter=None)
    call = step.call
    if call.mode is Mode.NOTIFY and call.state is State.LISTENING and call.transfer_to is None:
        wait_then_hang_up(step)


# -- the agent's reply ----------------------------------------------------------------------------


def ask_agent(step: Step, message: str) -> None:
    """Ask for a reply; an older one that is not finished is stale. With no agent connected this
    does nothing, unless one was lost a moment ago and may come back."""
    holding = step.call.reply is not None and step.call.reply.hold_until_ms is not None
    drop_reply(step)
    call = step.call
    lost = call.agent_lost_at_ms
    if call.agent_online:
        ack = step.at_ms + call.limits.ack_ms if call.limits.ack_ms else None
        until_ms = step.at_ms + call.limits.response_ms
        reply = PendingReply(step.name("r"), message, step.at_ms, until_ms, ack)
        step.set(reply=reply)
        step.emit(AskAgent(reply.reply_id, message))
    elif lost is not None and step.at_ms < lost + AGENT_HOLD_MS:
        hold_reply(step, message, lost + AGENT_HOLD_MS)
        if not holding:
            say_notice(step, call.phrases.hold)


def hold_reply(step: Step, message: str, until_ms: int) -> None:
    """Nobody is there to write the reply; it is asked for again when an agent comes back."""
    reply_id = step.name("r")
    step.set(reply=PendingReply(reply_id, message, step.at_ms, until_ms, hold_until_ms=until_ms))


def go_on_listening(step: Step) -> None:
    """A reply came to nothing that is said: it is the caller's turn again."""
    if step.call.state is State.LISTENING and is_idle(step.call):
        listen(step)


# -- the end --------------------------------------------------------------------------------------


def finish(step: Step, reason: EndReason) -> None:
    """The one way into `ended`: everybody who waits is told, and one `call.ended` is sent."""
    announce(step)
    settle(step, Outcome.INTERRUPTED, "", 0)
    unheard = step.call.unheard
    step.set(unheard=(), state=State.ENDING)
    for words in unheard:
        take_words(step, words)
    drop_queue(step)
    drop_reply(step)
    call = step.call
    ended = call_ended(call.call_id, reason)
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
        awaiting_beep=False,
        adrift=False,
        state_until_ms=None,
        ends_by_ms=None,
        reap_by_ms=None,
        poll_at_ms=None,
    )
    step.notify("call.ended", reason=reason.value)


def call_ended(call_id: str, reason: EndReason) -> Problem:
    return Problem(
        "callEnded",
        f"The call has ended ({reason.value}).",
        data={"callId": call_id, "reason": reason.value},
    )
