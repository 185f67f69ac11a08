"""Rules for the host's agent and its replies. An answer to a stale reply changes nothing."""

from dataclasses import replace

from sidecar.call.effects import CancelReply
from sidecar.call.events import (
    AgentLost,
    AgentOffered,
    ReplyDone,
    ReplyFailed,
    ReplyGrew,
    ReplyLost,
)
from sidecar.call.exchange import AGENT_HOLD_MS, ask_agent, go_on_listening, hold_reply
from sidecar.call.model import EndReason, Origin, PendingReply, State
from sidecar.call.spoken import next_sentences
from sidecar.call.steps import Step, drop_queue, enqueue, hang_up, say_notice, utterance


def agent_offered(step: Step, event: AgentOffered) -> None:
    step.set(agent_online=True, agent_lost_at_ms=None)
    reply = step.call.reply
    if reply is not None and reply.hold_until_ms is not None:
        ask_agent(step, reply.message)


def agent_lost(step: Step, event: AgentLost) -> None:
    step.set(agent_online=False, agent_lost_at_ms=event.at_ms)


def reply_lost(step: Step, event: ReplyLost) -> None:
    """Whatever was still to be said of it is dropped: the next agent writes a whole reply."""
    reply = _current(step, event.reply_id)
    if reply is None:
        return
    step.set(reply=None)
    drop_queue(step, only_replies=True)
    if event.another and step.call.agent_online:
        ask_agent(step, reply.message)
    else:
        hold_reply(step, reply.message, event.at_ms + AGENT_HOLD_MS)
        say_notice(step, step.call.phrases.hold)


def reply_grew(step: Step, event: ReplyGrew) -> None:
    reply = _current(step, event.reply_id)
    if reply is not None:
        _speak(step, replace(reply, received=reply.received + event.text), final=False)


def reply_done(step: Step, event: ReplyDone) -> None:
    reply = _current(step, event.reply_id)
    if reply is None:
        return
    if event.text is not None:
        reply = replace(reply, received=_whole(reply, event.text))
    _speak(step, reply, final=True)
    step.set(reply=None)
    if event.end_call:
        _end_after_reply(step)
    else:
        go_on_listening(step)


def _whole(reply: PendingReply, text: str) -> str:
    """The reply's text once it is complete. The final text may repeat what was streamed, repeat the
    end of it, or go on from it; what was said is not said twice, and nothing is lost."""
    said = reply.received[: reply.spoken]
    if text.startswith(said):
        return text
    said_words, words = said.split(), text.split()
    if words[: len(said_words)] == said_words:
        return " ".join((said, *words[len(said_words) :]))
    if " ".join(words) in " ".join(reply.received.split()):
        return reply.received
    return f"{reply.received} {text}"


def _speak(step: Step, reply: PendingReply, *, final: bool) -> None:
    text, spoken = next_sentences(reply.received, reply.spoken, final)
    ack_at_ms = None if text else reply.ack_at_ms
    step.set(reply=replace(reply, spoken=spoken, ack_at_ms=ack_at_ms))
    if text:
        if step.call.agent_at_ms is None and step.call.heard_at_ms is not None:
            step.set(agent_at_ms=step.at_ms)
        enqueue(step, utterance(step, text, Origin.REPLY, reply_id=reply.reply_id))


def _end_after_reply(step: Step) -> None:
    if step.call.saying is None and not step.call.queue:
        hang_up(step, EndReason.HANGUP_BOT)
    else:
        step.set(end_after_playout=True)


def reply_failed(step: Step, event: ReplyFailed) -> None:
    if _current(step, event.reply_id) is not None:
        step.set(reply=None)
        step.warn("agentFailed", event.why)
        _apologise(step)


def reply_timed_out(step: Step, reply: PendingReply) -> None:
    step.set(reply=None)
    if reply.hold_until_ms is None:
        step.emit(CancelReply(reply.reply_id))
    step.warn("agentTimeout", "The agent did not reply in time.")
    _apologise(step)


def _apologise(step: Step) -> None:
    say_notice(step, step.call.phrases.apology)
    go_on_listening(step)


def acknowledge(step: Step, reply: PendingReply) -> None:
    """The reply takes a while: say so once, unless something is being said anyway."""
    step.set(reply=replace(reply, ack_at_ms=None))
    if step.call.state is State.LISTENING:
        say_notice(step, step.call.phrases.ack)


def _current(step: Step, reply_id: str) -> PendingReply | None:
    reply = step.call.reply
    return reply if reply is not None and reply.reply_id == reply_id else None
