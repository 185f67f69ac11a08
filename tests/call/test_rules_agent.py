"""The host's agent writes what the bot says, in conversation order."""

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import AskAgent, CancelReply, Clear, Hangup, Listen
from sidecar.call.model import EndReason, Limits, Phrases, State
from tests.support.calls import Talk, a_draft, quick

QUESTION = "What time is it?"
PHRASES = Phrases()


def a_talk(limits: Limits | None = None) -> Talk:
    return Talk(a_draft(agent_online=True, limits=limits or Limits())).listening()


def asked(limits: Limits | None = None) -> tuple[Talk, str]:
    """The caller has asked and the agent is writing: the talk and the reply's id."""
    talk = a_talk(limits).on(ev.Heard, QUESTION)
    return talk, talk.asked_for(AskAgent)[-1].reply_id


def warnings(talk: Talk) -> list[str]:
    return [warning["code"] for warning in talk.told("call.warning")]


# -- answering ------------------------------------------------------------------------------------


def test_each_final_transcript_asks_the_agent_and_its_reply_is_spoken() -> None:
    talk, reply_id = asked()
    assert talk.asked_for(AskAgent) == [AskAgent(reply_id, QUESTION)]
    talk.on(ev.ReplyDone, reply_id, "It is nine.").played()
    assert talk.said[-1] == "It is nine."
    assert talk.call.state is State.LISTENING
    assert talk.asked_for(Listen)[-1].awaited
    assert not talk.asked_for(CancelReply)


def test_without_an_agent_the_words_are_only_told() -> None:
    talk = Talk().listening().on(ev.Heard, QUESTION)
    assert not talk.asked_for(AskAgent)
    assert talk.story[-1] == "speech"
    assert talk.call.state is State.LISTENING


def test_an_agent_that_is_writing_does_not_wait_for_words() -> None:
    talk, _ = asked(quick(ack_ms=500))
    talk.passes(500).played()
    assert talk.said[-1] == PHRASES.ack
    assert not talk.asked_for(Listen)[-1].awaited


def test_a_reply_with_nothing_to_say_makes_it_the_callers_turn_again() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyDone, reply_id, "")
    assert talk.call.reply is None
    assert talk.last == (Listen(talk.call.turn, awaited=True),)
    assert talk.story.count("listening") == 1


def test_only_what_is_for_the_ear_is_said() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyDone, reply_id, 'Sure: {"spoken": "It is **nine**."}')
    assert talk.said[-1] == "It is nine."


def test_a_reply_that_ends_the_call_does_so_after_it_was_heard() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyDone, reply_id, "Goodbye.", end_call=True)
    assert not talk.asked_for(Hangup)
    talk.played()
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.on(ev.LegEnded).call.end_reason is EndReason.HANGUP_BOT


def test_a_reply_that_ends_the_call_without_a_word_does_so_at_once() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyDone, reply_id, None, end_call=True)
    assert len(talk.asked_for(Hangup)) == 1


# -- streaming ------------------------------------------------------------------------------------


def test_speech_starts_at_the_first_complete_sentence() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, "It is ni")
    assert talk.call.state is State.LISTENING
    talk.on(ev.ReplyGrew, reply_id, "ne o'clock. And it")
    assert talk.said[-1] == "It is nine o'clock."
    talk.on(ev.ReplyGrew, reply_id, " is late.").on(ev.ReplyDone, reply_id)
    talk.all_said()
    assert talk.said[1:] == ["It is nine o'clock.", "And it is late."]


@pytest.mark.parametrize(
    "final",
    [
        "It is nine. And it is late.",
        "It is nine.\n\nAnd it is late. ",
        "And it is late.",
        "",
        None,
    ],
)
def test_a_final_text_that_repeats_the_stream_is_not_said_twice(final: str | None) -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, " It is nine. And it is late.")
    talk.on(ev.ReplyDone, reply_id, final).all_said()
    assert " ".join(talk.said[1:]) == "It is nine. And it is late."


def test_a_final_text_that_goes_on_from_the_stream_is_said_too() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, "Let me look. ").on(ev.ReplyDone, reply_id, "It is nine.")
    talk.all_said()
    assert talk.said[1:] == ["Let me look.", "It is nine."]


def test_a_final_text_stands_when_nothing_of_the_stream_was_said() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, "It is ni").on(ev.ReplyDone, reply_id, "Nine it is.")
    assert talk.said[1:] == ["Nine it is."]


def test_a_pause_in_the_stream_is_not_the_end_of_it() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, "It is nine. And").played()
    assert talk.call.state is State.LISTENING
    assert not talk.asked_for(Listen)[-1].awaited
    talk.on(ev.ReplyGrew, reply_id, " it is late. ").on(ev.ReplyDone, reply_id)
    assert talk.said[-1] == "And it is late."


# -- stale replies --------------------------------------------------------------------------------


def test_new_words_make_an_unfinished_reply_stale() -> None:
    talk, old = asked()
    talk.on(ev.Heard, "No, what day is it?")
    assert talk.asked_for(CancelReply) == [CancelReply(old)]
    new = talk.asked_for(AskAgent)[-1].reply_id
    talk.on(ev.ReplyDone, old, "It is nine.").on(ev.ReplyDone, new, "Monday.")
    assert talk.said[1:] == ["Monday."]


def test_what_a_stale_reply_has_not_spoken_is_dropped() -> None:
    talk, old = asked()
    talk.on(ev.ReplyGrew, old, "It is nine. And it is late. ").on(ev.ReplyGrew, old, "Well. ")
    talk.on(ev.Heard, "No, what day is it?")
    assert len(talk.asked_for(Clear)) == 1
    talk.cut_short("It is")
    assert talk.said[1:] == ["It is nine. And it is late."]
    assert [fate["outcome"] for fate in talk.told("call.utterance")[1:]] == ["interrupted"] * 2
    assert talk.asked_for(AskAgent)[-1].message == "No, what day is it?"


def test_the_rest_of_a_finished_reply_is_dropped_too() -> None:
    talk, old = asked()
    talk.on(ev.ReplyGrew, old, "It is nine. And").on(ev.ReplyDone, old, "It is nine. And late.")
    talk.on(ev.Heard, "No, what day is it?").cut_short()
    assert talk.said[1:] == ["It is nine."]
    assert not talk.asked_for(CancelReply)


def test_a_reply_is_answered_once() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyDone, reply_id, "It is nine.").on(ev.ReplyDone, reply_id, "It is ten.")
    talk.on(ev.ReplyFailed, reply_id, "Late.").all_said()
    assert talk.said[1:] == ["It is nine."]
    assert warnings(talk) == []


# -- slow, failing, gone --------------------------------------------------------------------------


def test_a_slow_reply_is_acknowledged_once() -> None:
    talk, reply_id = asked(quick(ack_ms=2_500))
    talk.passes(2_499)
    assert len(talk.said) == 1
    talk.passes(1).played().passes(10_000)
    talk.on(ev.ReplyDone, reply_id, "It is nine.").all_said()
    assert talk.said[1:] == [PHRASES.ack, "It is nine."]


def test_a_reply_that_has_begun_needs_no_acknowledgement() -> None:
    talk, reply_id = asked(quick(ack_ms=2_500))
    talk.on(ev.ReplyGrew, reply_id, "It is nine. And").played().passes(5_000)
    assert PHRASES.ack not in talk.said


def test_an_acknowledgement_of_nothing_is_off() -> None:
    talk, _ = asked(quick(ack_ms=0))
    talk.passes(20_000)
    assert PHRASES.ack not in talk.said


def test_a_reply_in_time_that_is_not_becomes_a_warning_and_an_apology() -> None:
    talk, reply_id = asked()
    talk.passes(30_000)
    assert warnings(talk) == ["agentTimeout"]
    assert talk.asked_for(CancelReply) == [CancelReply(reply_id)]
    assert talk.said[-1] == PHRASES.apology
    talk.played()
    assert talk.call.state is State.LISTENING
    talk.on(ev.ReplyDone, reply_id, "It is nine.")
    assert "It is nine." not in talk.said
    talk.on(ev.Heard, QUESTION)
    assert len(talk.asked_for(AskAgent)) == 2


def test_a_failure_of_the_agent_is_a_warning_and_an_apology() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyFailed, reply_id, "The agent answered with an error.")
    assert warnings(talk) == ["agentFailed"]
    assert talk.said[-1] == PHRASES.apology


def test_an_apology_that_is_switched_off_leaves_the_turn_to_the_caller() -> None:
    talk = Talk(a_draft(agent_online=True, phrases=Phrases(apology=""))).listening()
    talk.on(ev.Heard, QUESTION).passes(30_000)
    assert talk.asked_for(Listen)[-1] == Listen(talk.call.turn, awaited=True)


def test_a_lost_agent_is_waited_for_and_asked_again() -> None:
    talk, old = asked()
    talk.on(ev.ReplyLost, old, False).on(ev.AgentLost)
    assert talk.said[-1] == PHRASES.hold
    talk.played().passes(15_000).on(ev.AgentOffered)
    assert [ask.message for ask in talk.asked_for(AskAgent)] == [QUESTION] * 2
    new = talk.asked_for(AskAgent)[-1].reply_id
    talk.on(ev.ReplyDone, new, "It is nine.").all_said()
    assert talk.said[-1] == "It is nine."
    assert warnings(talk) == []


def test_a_lost_agent_that_does_not_come_back_is_given_up() -> None:
    talk, old = asked()
    talk.on(ev.AgentLost).on(ev.ReplyLost, old, False).played().passes(20_000)
    assert warnings(talk) == ["agentTimeout"]
    assert talk.said[-1] == PHRASES.apology
    assert not talk.asked_for(CancelReply), "nobody is there to be told"
    talk.played().on(ev.AgentOffered)
    assert len(talk.asked_for(AskAgent)) == 1


def test_another_agent_is_asked_at_once() -> None:
    talk, old = asked()
    talk.on(ev.ReplyLost, old, True)
    assert PHRASES.hold not in talk.said
    assert [ask.message for ask in talk.asked_for(AskAgent)] == [QUESTION] * 2


def test_what_a_lost_reply_had_queued_is_not_said_beside_the_next() -> None:
    talk, old = asked()
    talk.on(ev.ReplyGrew, old, "It is nine. And").on(ev.ReplyGrew, old, " late. ")
    talk.on(ev.ReplyLost, old, True)
    new = talk.asked_for(AskAgent)[-1].reply_id
    talk.on(ev.ReplyDone, new, "Nine it is.").all_said()
    assert talk.said[1:] == ["It is nine.", "Nine it is."]


def test_words_shortly_after_an_agent_was_lost_wait_for_its_return() -> None:
    talk = a_talk().on(ev.AgentLost).on(ev.Heard, QUESTION)
    assert talk.said[-1] == PHRASES.hold
    talk.all_said().on(ev.Heard, "Hello?")
    assert talk.said.count(PHRASES.hold) == 1
    talk.on(ev.AgentOffered)
    assert [ask.message for ask in talk.asked_for(AskAgent)] == ["Hello?"]


def test_words_long_after_an_agent_was_lost_are_only_told() -> None:
    talk = a_talk().on(ev.AgentLost).passes(20_000).on(ev.Heard, QUESTION)
    assert talk.call.reply is None
    assert PHRASES.hold not in talk.said


def test_an_agent_that_comes_in_mid_call_is_asked_from_then_on() -> None:
    talk = Talk().listening().on(ev.Heard, "Hello?").on(ev.AgentOffered).on(ev.Heard, QUESTION)
    assert [ask.message for ask in talk.asked_for(AskAgent)] == [QUESTION]


def test_the_end_of_the_call_cancels_the_reply() -> None:
    talk, reply_id = asked()
    talk.on(ev.LegEnded)
    assert talk.asked_for(CancelReply) == [CancelReply(reply_id)]


# -- figures --------------------------------------------------------------------------------------


def test_a_turn_is_measured_from_the_callers_words_to_the_bots() -> None:
    talk, reply_id = asked()
    talk.on(ev.ReplyGrew, reply_id, "It is nine. And", after_ms=700)
    (turn,) = talk.told("call.turn")
    assert turn["latency"] == {"agent": 700, "total": 700}
    (kept,) = talk.call.turns
    assert kept.latency == {"agent": 700, "total": 700, "firstAudio": 0, "listenWait": 10}


def test_our_own_phrases_are_no_answer() -> None:
    talk, reply_id = asked(quick(ack_ms=500))
    talk.passes(500).played()
    assert talk.told("call.turn") == []
    talk.on(ev.ReplyDone, reply_id, "It is nine.", after_ms=490)
    assert talk.told("call.turn")[0]["latency"]["total"] == 1_000
