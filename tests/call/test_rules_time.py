"""Timers, and our own restart."""

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import Answer, AskAgent, Clear, Hangup, Listen, Poll
from sidecar.call.machine import next_deadline
from sidecar.call.model import EndReason, Mode, State
from sidecar.errors import Problem
from tests.support.calls import Talk, a_draft, an_inbound_draft, quick

RING_MS = 30_000


# -- timers ---------------------------------------------------------------------------------------


def test_the_ring_timeout_counts_from_the_carriers_acceptance() -> None:
    talk = Talk().dialed().passes(20_000).on(ev.Ringing, after_ms=0).passes(9_999)
    assert not talk.asked_for(Hangup)
    talk.passes(1)
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.on(ev.LegEnded, EndReason.NO_ANSWER).call.end_reason is EndReason.NO_ANSWER


def test_ringing_that_overtakes_the_acceptance_is_limited_too() -> None:
    talk = Talk().on(ev.Ringing).passes(RING_MS)
    assert talk.call.ending_as is EndReason.NO_ANSWER
    talk.dialed()
    assert len(talk.asked_for(Hangup)) == 1


def test_an_inbound_call_that_nobody_takes_is_given_up() -> None:
    talk = Talk(an_inbound_draft()).passes(RING_MS)
    assert talk.call.ending_as is EndReason.NO_ANSWER


def test_the_longest_duration_counts_from_the_answer() -> None:
    talk = Talk().dialed().passes(20_000).on(ev.Answered, after_ms=0).on(ev.LineLive).all_said()
    answered_at_ms = talk.call.answered_at_ms
    assert answered_at_ms is not None
    talk.passes(answered_at_ms + 299_999 - talk.at_ms)
    assert not talk.asked_for(Hangup)
    talk.passes(1)
    assert talk.call.ending_as is EndReason.TIMEOUT


def test_the_reaper_counts_from_the_creation_whatever_the_state() -> None:
    talk = Talk(a_draft(limits=quick(stale_ms=40_000))).listening().passes(39_900)
    assert not talk.asked_for(Hangup)
    talk.passes(100)
    assert talk.call.ending_as is EndReason.TIMEOUT


def test_the_reaper_is_off_by_default() -> None:
    assert Talk().call.reap_by_ms is None


def test_a_line_that_never_becomes_live_is_an_error() -> None:
    talk = Talk().dialed().on(ev.Answered).passes(RING_MS)
    assert talk.told("call.error")[0]["retryable"] is False
    assert talk.call.ending_as is EndReason.ERROR


def test_a_voice_that_never_ends_has_failed_and_the_talk_goes_on() -> None:
    talk = Talk().live().passes(33_000)
    assert talk.told("call.utterance")[0]["outcome"] == "failed"
    assert len(talk.asked_for(Clear)) == 1
    assert talk.call.state is State.LISTENING


def test_a_silent_carrier_is_asked_every_thirty_seconds() -> None:
    talk = Talk().listening().passes(65_000)
    assert len(talk.asked_for(Poll)) == 2


def test_news_of_the_carrier_put_the_question_off() -> None:
    talk = Talk().listening()
    for _ in range(5):
        talk.passes(20_000).on(ev.LegAlive)
    assert talk.asked_for(Poll) == []


def test_a_call_without_a_leg_is_not_asked_for() -> None:
    assert Talk().on(ev.Ringing).passes(25_000).asked_for(Poll) == []


def test_an_early_look_at_a_call_changes_nothing() -> None:
    talk = Talk().listening()
    before = talk.call
    talk.on(ev.DeadlinePassed)
    assert talk.call is before


def test_every_deadline_handed_back_moves_the_call_on_to_its_end() -> None:
    talk = Talk()
    for _ in range(100):
        if talk.call.is_over:
            break
        before = next_deadline(talk.call)
        talk.deadline()
        assert next_deadline(talk.call) != before
    assert talk.call.end_reason is EndReason.FAILED


# -- restart --------------------------------------------------------------------------------------


def restarted(talk: Talk, alive: bool | None = None, reason: EndReason | None = None) -> Talk:
    talk.on(ev.Restarted, None)
    return talk if alive is None else talk.on(ev.Restarted, alive, reason)


def test_a_leg_that_is_gone_ends_the_call_with_the_carriers_reason() -> None:
    talk = restarted(Talk().listening(), False, EndReason.HANGUP_USER)
    assert talk.call.end_reason is EndReason.HANGUP_USER
    assert not talk.asked_for(Hangup)


def test_a_leg_that_is_gone_without_a_reason_is_completed() -> None:
    assert restarted(Talk().listening(), False).call.end_reason is EndReason.COMPLETED


def test_a_call_that_was_being_hung_up_ends_as_that() -> None:
    talk = Talk().listening().on(ev.HangupRequested, "q1")
    assert restarted(talk, False).call.end_reason is EndReason.HANGUP_BOT
    assert not talk.call.hangup_due


def test_a_hang_up_that_may_be_lost_is_sent_again() -> None:
    talk = Talk().listening().on(ev.HangupRequested, "q1")
    restarted(talk)
    assert len(talk.asked_for(Hangup)) == 2
    talk.passes(5_000)
    restarted(talk)
    assert len(talk.asked_for(Hangup)) == 3
    talk.on(ev.Restarted, False)
    assert not talk.call.hangup_due
    assert restarted(talk).asked_for(Hangup)[3:] == []


def test_a_leg_that_lives_is_listened_to_again() -> None:
    talk = restarted(Talk().listening(), True)
    assert talk.last == (Listen(talk.call.turn, False),)
    assert talk.story.count("listening") == 1


def test_a_voice_that_was_cut_by_the_restart_is_settled() -> None:
    talk = restarted(Talk().live(), True)
    assert talk.told("call.utterance")[0]["outcome"] == "interrupted"
    assert talk.call.state is State.LISTENING


def test_a_message_in_the_carriers_hands_plays_on() -> None:
    talk = restarted(Talk(a_draft(mode=Mode.NOTIFY)).live(), True)
    assert talk.call.saying is not None
    talk.played().passes(3_000)
    assert len(talk.asked_for(Hangup)) == 1


def test_a_message_whose_sound_came_through_us_does_not() -> None:
    talk = restarted(Talk(a_draft(mode=Mode.NOTIFY, streaming=True)).live(), True)
    assert talk.call.saying is None


def test_a_carrier_that_cannot_be_asked_leaves_the_call_under_its_timers() -> None:
    talk = restarted(Talk().listening())
    assert talk.call.state is State.LISTENING
    talk.passes(300_000)
    assert talk.call.ending_as is EndReason.TIMEOUT


def test_words_about_the_leg_that_come_late_take_nothing_back() -> None:
    talk = restarted(Talk().listening()).on(ev.ContinueRequested, "q1", "Still there?")
    talk.on(ev.Restarted, True)
    assert talk.call.saying is not None
    talk.played().on(ev.Restarted, True).on(ev.Heard, "Yes.")
    assert talk.answer("q1")["transcript"] == "Yes."


def test_requests_of_the_old_process_are_not_answered() -> None:
    talk = Talk().listening().on(ev.ContinueRequested, "q1", "And you?")
    talk.on(ev.DigitsRequested, "q2", "1")
    restarted(talk, True).on(ev.DigitsSent, "q2").on(ev.LegEnded)
    assert talk.answer("q1") is None
    assert talk.answer("q2") is None


def test_a_notify_call_without_its_waiter_comes_to_its_end() -> None:
    talk = Talk(a_draft(mode=Mode.NOTIFY)).live().played()
    talk.on(ev.ContinueRequested, "q1", "Shall I?").played()
    restarted(talk, True).passes(3_000)
    assert len(talk.asked_for(Hangup)) == 1


def test_a_reply_is_asked_for_again_when_an_agent_is_back() -> None:
    talk = Talk(a_draft(agent_online=True)).listening().on(ev.Heard, "What time is it?")
    restarted(talk, True).on(ev.AgentOffered)
    assert [ask.message for ask in talk.asked_for(AskAgent)] == ["What time is it?"] * 2


def test_an_inbound_call_that_rings_is_answered_again() -> None:
    assert len(restarted(Talk(an_inbound_draft()), True).asked_for(Answer)) == 2


def test_a_create_whose_answer_was_lost_may_still_show_up() -> None:
    talk = restarted(Talk())
    assert not talk.call.is_over
    talk.passes(10_000).dialed().on(ev.Restarted, True)
    assert talk.live().story[0] == "initiated"
    assert talk.answer("r-dial") is None, "who asked has gone"


def test_a_create_whose_answer_was_lost_fails_after_the_ring_timeout() -> None:
    talk = restarted(Talk()).passes(RING_MS)
    assert talk.call.end_reason is EndReason.FAILED
    assert talk.story == ["initiated", "ended"]
    talk.dialed()
    assert len(talk.asked_for(Hangup)) == 1, "a straggler is told to hang up"


def test_a_create_that_certainly_never_was_fails_at_once() -> None:
    assert restarted(Talk(), False).call.end_reason is EndReason.FAILED


@pytest.mark.parametrize("alive", [None, True, False])
def test_a_transferred_call_is_never_hung_up(alive: bool | None) -> None:
    talk = Talk().listening().on(ev.TransferRequested, "q1", "+15550002222").on(ev.TransferDone)
    assert restarted(talk, alive).asked_for(Hangup) == []


def test_a_refused_wish_stays_refused() -> None:
    talk = Talk().on(ev.DialFailed, Problem("carrierRejected", "No."))
    before = talk.call
    assert restarted(talk).call is before
