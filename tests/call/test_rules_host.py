"""What the host asks, in conversation order."""

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import Clear, Dial, Hangup, Listen, Say
from sidecar.call.model import BargeIn, EndReason, Mode, State
from sidecar.errors import Problem
from tests.support.calls import Talk, a_draft, an_inbound_draft

OTHER = "+15550002222"
DONE = {"success": True}
NOTHING_TO_SAY = "\U0001f600"


def a_talk() -> Talk:
    return Talk().listening()


def a_notice() -> Talk:
    return Talk(a_draft(mode=Mode.NOTIFY, greeting="The build is green."))


# -- notify ---------------------------------------------------------------------------------------


def test_notify_says_its_message_waits_and_hangs_up() -> None:
    talk = a_notice().live()
    assert talk.said == ["The build is green."]
    talk.passes(2_000)
    assert not talk.asked_for(Hangup), "the wait begins when playback has finished"
    talk.played().passes(2_999)
    assert not talk.asked_for(Hangup)
    talk.passes(1)
    assert len(talk.asked_for(Hangup)) == 1
    talk.on(ev.LegEnded)
    assert talk.call.end_reason is EndReason.HANGUP_BOT
    assert talk.story == [
        "initiated",
        "ringing",
        "answered",
        "active",
        "speaking",
        "utterance",
        "ended",
    ]


def test_notify_never_listens_and_never_asks_an_agent() -> None:
    talk = Talk(a_draft(mode=Mode.NOTIFY, agent_online=True)).live()
    talk.on(ev.Heard, "What was that?").played().on(ev.Heard, "Hello?")
    assert talk.call.reply is None
    assert not talk.asked_for(Listen)
    assert len(talk.told("call.speech")) == 2


def test_notify_goes_on_while_somebody_continues() -> None:
    talk = a_notice().live().played()
    talk.on(ev.ContinueRequested, "q1", "Shall I deploy?").played()
    talk.passes(10_000)
    assert talk.call.state is State.LISTENING
    talk.on(ev.Heard, "Yes.")
    assert talk.answer("q1") == {"success": True, "transcript": "Yes."}
    talk.passes(3_000)
    assert len(talk.asked_for(Hangup)) == 1


@pytest.mark.parametrize("how", ["dropped", "timeout"])
def test_notify_ends_when_nobody_continues_any_more(how: str) -> None:
    talk = a_notice().live().played()
    talk.on(ev.ContinueRequested, "q1", "Shall I deploy?").played()
    if how == "dropped":
        talk.on(ev.RequestDropped, "q1")
    else:
        talk.passes(180_000)
        assert talk.problem("q1") == "transcriptTimeout"
    talk.passes(3_000)
    assert len(talk.asked_for(Hangup)) == 1


def test_speaking_in_the_wait_of_a_notify_call_begins_the_wait_anew() -> None:
    talk = a_notice().live().played().passes(2_000)
    talk.on(ev.SpeakRequested, "q1", "One more thing.").passes(2_000)
    assert not talk.asked_for(Hangup)
    talk.played().passes(3_000)
    assert len(talk.asked_for(Hangup)) == 1


# -- continue -------------------------------------------------------------------------------------


def test_continue_speaks_then_waits_for_the_caller() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", "And you?")
    assert talk.said[-1] == "And you?"
    talk.played()
    assert talk.answer("q1") is None
    assert talk.asked_for(Listen)[-1].awaited
    talk.on(ev.Heard, "Fine, thanks.")
    assert talk.answer("q1") == {"success": True, "transcript": "Fine, thanks."}


def test_words_that_continue_waits_for_are_not_for_the_agent() -> None:
    talk = Talk(a_draft(agent_online=True)).listening()
    talk.on(ev.ContinueRequested, "q1", "And you?").played().on(ev.Heard, "Fine, thanks.")
    assert talk.call.reply is None


def test_a_second_continue_is_busy() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", "One?").on(ev.ContinueRequested, "q2", "Two?")
    assert talk.problem("q2") == "busy"
    talk.played().on(ev.Heard, "One.")
    assert talk.answer("q1")["transcript"] == "One."
    assert "Two?" not in talk.said


def test_the_time_to_answer_begins_when_the_prompt_has_been_said() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", "A long prompt.").passes(20_000).played()
    talk.passes(179_999)
    assert talk.answer("q1") is None
    talk.passes(1)
    assert talk.problem("q1") == "transcriptTimeout"
    assert talk.call.state is State.LISTENING


def test_a_caller_who_hangs_up_while_continue_waits_ends_it_with_the_reason() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", "And you?").played()
    talk.on(ev.LegEnded, EndReason.HANGUP_USER)
    problem = talk.answer("q1")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.data["reason"]) == ("callEnded", "hangup-user")


def test_words_said_just_before_hanging_up_still_answer() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", "And you?")
    talk.on(ev.Heard, "No, stop that.").on(ev.LegEnded, EndReason.HANGUP_USER)
    assert talk.answer("q1") == {"success": True, "transcript": "No, stop that."}
    assert talk.story[-4:] == ["bargeIn", "utterance", "speech", "ended"]


def test_a_prompt_waits_behind_what_is_being_said_and_is_not_answered_before_it() -> None:
    talk = Talk(a_draft(barge_in=BargeIn(enabled=False))).live()
    talk.on(ev.ContinueRequested, "q1", "And you?").on(ev.Heard, "What time is it?")
    assert talk.answer("q1") is None
    talk.played()
    assert talk.said[-1] == "And you?"
    talk.played().on(ev.Heard, "Fine.")
    assert talk.answer("q1")["transcript"] == "Fine."


def test_a_prompt_asked_for_before_the_line_is_live_comes_after_the_greeting() -> None:
    talk = Talk().dialed().on(ev.Answered).on(ev.ContinueRequested, "q1", "And you?")
    talk.on(ev.LineLive).played().played().on(ev.Heard, "Fine.")
    assert talk.said == ["Hello there.", "And you?"]
    assert talk.answer("q1")["transcript"] == "Fine."


def test_a_prompt_with_nothing_to_say_listens_at_once() -> None:
    talk = a_talk().on(ev.ContinueRequested, "q1", NOTHING_TO_SAY)
    assert talk.call.waiter is not None
    assert talk.call.waiter.until_ms is not None
    talk.on(ev.Heard, "Fine.")
    assert talk.answer("q1")["transcript"] == "Fine."


def test_what_the_agent_has_said_so_far_goes_before_the_prompt() -> None:
    talk = Talk(a_draft(agent_online=True)).listening().on(ev.Heard, "Tell me a story.")
    assert talk.call.reply is not None
    reply_id = talk.call.reply.reply_id
    talk.on(ev.ReplyGrew, reply_id, "Once upon a time. There was a fox. And")
    talk.on(ev.ContinueRequested, "q1", "Shall I go on?")
    talk.on(ev.ReplyGrew, reply_id, " it slept.").all_said()
    assert " ".join(talk.said[1:]) == "Once upon a time. There was a fox. Shall I go on?"


def test_a_waiter_is_not_lost_when_its_prompt_is() -> None:
    talk = Talk().live().on(ev.ContinueRequested, "q1", "And you?")
    talk.on(ev.TransferRequested, "q2", OTHER).cut_short()
    talk.on(ev.TransferFailed, "Nobody answered.")
    assert talk.call.waiter is not None
    assert talk.call.waiter.until_ms is not None


# -- speak ----------------------------------------------------------------------------------------


def test_speak_is_answered_at_once_and_its_fate_follows() -> None:
    talk = a_talk().on(ev.SpeakRequested, "q1", "Some news.")
    assert talk.answer("q1") == DONE
    talk.played()
    assert talk.told("call.utterance")[-1]["outcome"] == "played"


def test_speaking_queues_in_order() -> None:
    talk = a_talk()
    for number in range(3):
        talk.on(ev.SpeakRequested, f"q{number}", f"Number {number}.")
    assert len(talk.asked_for(Say)) == 2
    talk.all_said()
    assert talk.said[1:] == ["Number 0.", "Number 1.", "Number 2."]
    assert not talk.asked_for(Clear)


def test_what_is_spoken_is_plain_text() -> None:
    talk = a_talk().on(ev.SpeakRequested, "q1", "**Good** news.")
    assert talk.said[-1] == "Good news."


def test_a_text_with_nothing_to_say_has_a_fate_too() -> None:
    talk = a_talk().on(ev.SpeakRequested, "q1", NOTHING_TO_SAY)
    assert talk.answer("q1") == DONE
    assert talk.told("call.utterance")[-1]["outcome"] == "failed"
    assert talk.call.state is State.LISTENING


# -- end ------------------------------------------------------------------------------------------


def test_end_cuts_what_is_being_said() -> None:
    talk = Talk().live().on(ev.HangupRequested, "q1")
    assert talk.answer("q1") == DONE
    assert [type(effect) for effect in talk.last][-2:] == [Clear, Hangup]
    talk.cut_short("Hello").on(ev.LegEnded, EndReason.COMPLETED)
    assert talk.told("call.utterance")[0]["outcome"] == "interrupted"
    assert talk.call.end_reason is EndReason.HANGUP_BOT
    assert talk.call.transcript[0].text == "Hello"


def test_end_after_playout_lets_everything_be_said() -> None:
    talk = a_talk().on(ev.SpeakRequested, "q1", "First.").on(ev.SpeakRequested, "q2", "Second.")
    talk.on(ev.HangupRequested, "q3", after_playout=True)
    assert talk.answer("q3") == DONE
    assert not talk.asked_for(Hangup)
    talk.played().played()
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.said[-1] == "Second."


def test_end_after_playout_with_nothing_to_play_ends_at_once() -> None:
    talk = a_talk().on(ev.HangupRequested, "q1", after_playout=True)
    assert len(talk.asked_for(Hangup)) == 1


def test_nothing_new_is_taken_on_before_an_end_after_playout() -> None:
    talk = Talk().live().on(ev.HangupRequested, "q1", after_playout=True)
    talk.on(ev.SpeakRequested, "q2", "Wait!").on(ev.ContinueRequested, "q3", "Wait?")
    assert (talk.problem("q2"), talk.problem("q3")) == ("wrongState", "wrongState")


def test_end_before_the_answer_gives_the_call_up() -> None:
    talk = Talk().dialed().on(ev.HangupRequested, "q1")
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.on(ev.LegEnded).call.end_reason is EndReason.HANGUP_BOT


def test_end_before_the_carrier_has_accepted_hangs_up_when_it_has() -> None:
    talk = Talk().on(ev.HangupRequested, "q1")
    assert talk.answer("q1") == DONE
    assert not talk.asked_for(Hangup)
    talk.dialed()
    assert len(talk.asked_for(Hangup)) == 1


def test_end_before_a_dial_that_fails_needs_no_hang_up() -> None:
    talk = Talk().on(ev.HangupRequested, "q1").on(ev.DialFailed, Problem("carrierRejected", "No."))
    assert talk.call.end_reason is EndReason.HANGUP_BOT
    assert not talk.call.hangup_due
    assert not talk.asked_for(Hangup)


def test_the_call_is_over_five_seconds_after_the_request_at_the_latest() -> None:
    talk = a_talk().on(ev.HangupRequested, "q1").passes(4_999)
    assert not talk.call.is_over
    talk.passes(1)
    assert talk.call.end_reason is EndReason.HANGUP_BOT
    assert talk.call.hangup_due


def test_a_farewell_is_said_before_the_end() -> None:
    talk = Talk().live().on(ev.SpeakRequested, "q1", "Never said.")
    talk.on(ev.HangupRequested, farewell="Goodbye.").cut_short("Hello").played()
    assert talk.said == ["Hello there.", "Goodbye."]
    assert len(talk.asked_for(Hangup)) == 1


def test_a_farewell_with_nothing_to_say_is_an_end() -> None:
    talk = a_talk().on(ev.HangupRequested, farewell=NOTHING_TO_SAY)
    assert len(talk.asked_for(Hangup)) == 1


# -- the wish itself ------------------------------------------------------------------------------


def test_the_wish_is_answered_when_the_carrier_accepted_the_call() -> None:
    talk = Talk()
    assert len(talk.asked_for(Dial)) == 1
    assert talk.answer("r-dial") is None
    assert talk.story == []
    talk.dialed()
    assert talk.answer("r-dial") == {"callId": talk.call.call_id, "initiated": True}
    assert talk.story == ["initiated"]


def test_a_refused_dial_answers_the_error_with_the_calls_id() -> None:
    talk = Talk().on(ev.DialFailed, Problem("carrierRejected", "No.", data={"carrier": {}}))
    problem = talk.answer("r-dial")
    assert isinstance(problem, Problem)
    assert problem.kind == "carrierRejected"
    assert problem.data == {"carrier": {}, "callId": talk.call.call_id}
    assert talk.story == ["initiated", "ended"]
    assert talk.call.end_reason is EndReason.FAILED


def test_a_dial_that_is_never_answered_is_an_error_and_not_retryable() -> None:
    talk = Talk().passes(90_000)
    problem = talk.answer("r-dial")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.retryable) == ("carrierUnavailable", False)
    assert problem.data["callId"] == talk.call.call_id
    assert talk.call.end_reason is EndReason.FAILED


def test_inbound_calls_are_answered_and_greeted() -> None:
    talk = Talk(an_inbound_draft(greeting="Good day.")).live()
    assert talk.said == ["Good day."]
