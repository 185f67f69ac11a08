"""What carriers and the audio report, in conversation order, and in every other order."""

import itertools

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import AskAgent, Clear, Hangup, Listen, Say
from sidecar.call.model import BargeIn, Detection, EndReason, Mode, State
from sidecar.errors import Problem
from tests.support.calls import Talk, a_draft, an_inbound_draft

BEGINNING = ["initiated", "ringing", "answered", "active", "speaking"]


def an_agents_talk(**members: object) -> Talk:
    return Talk(a_draft(agent_online=True, **members))


# -- late, twice, out of order --------------------------------------------------------------------


def test_a_call_begins_in_order() -> None:
    assert Talk().live().story == BEGINNING


def test_a_carrier_that_does_not_tell_of_ringing_leaves_it_out() -> None:
    talk = Talk().dialed().on(ev.Answered).on(ev.LineLive)
    assert talk.story == ["initiated", "answered", "active", "speaking"]


FIRST_NEWS = {
    "dialed": lambda talk: talk.dialed(),
    "ringing": lambda talk: talk.on(ev.Ringing),
    "answered": lambda talk: talk.on(ev.Answered),
    "live": lambda talk: talk.on(ev.LineLive),
}


@pytest.mark.parametrize("order", list(itertools.permutations(FIRST_NEWS)))
def test_the_beginning_in_any_order_tells_each_thing_once_and_in_order(
    order: tuple[str, ...],
) -> None:
    talk = Talk()
    for name in order:
        FIRST_NEWS[name](talk)
        FIRST_NEWS[name](talk)
    assert [name for name in talk.story if name != "ringing"] == [
        name for name in BEGINNING if name != "ringing"
    ]
    assert talk.answer("r-dial") == {"callId": talk.call.call_id, "initiated": True}
    assert talk.call.provider_call_id == "leg-1"
    assert len(talk.asked_for(Say)) == 1
    assert not talk.asked_for(Hangup)


@pytest.mark.parametrize("name", sorted(FIRST_NEWS))
def test_news_of_the_beginning_that_come_after_the_end_change_nothing(name: str) -> None:
    talk = Talk().live().on(ev.LegEnded, EndReason.HANGUP_USER)
    before, story = talk.call, talk.story
    FIRST_NEWS[name](talk)
    assert talk.call is before
    assert talk.story == story


def test_a_call_that_ended_before_its_dial_was_answered_is_not_hung_up() -> None:
    talk = Talk().on(ev.LegEnded, EndReason.BUSY)
    assert talk.answer("r-dial") == {"callId": talk.call.call_id, "initiated": True}
    assert talk.story == ["initiated", "ended"]
    talk.dialed()
    assert not talk.asked_for(Hangup)
    assert not talk.call.hangup_due


def test_the_leg_of_a_call_that_was_given_up_is_hung_up_when_it_shows() -> None:
    talk = Talk().on(ev.DialFailed, Problem("carrierUnavailable", "Lost."))
    talk.dialed().dialed()
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.call.hangup_due
    talk.on(ev.LegEnded)
    assert not talk.call.hangup_due
    assert talk.story.count("ended") == 1


def test_a_dial_that_failed_though_the_call_is_there_is_no_failure() -> None:
    talk = Talk().dialed().on(ev.DialFailed, Problem("carrierUnavailable", "Timed out."))
    assert talk.live().call.state is State.SPEAKING


def test_the_carriers_id_may_change() -> None:
    talk = Talk().on(ev.Dialed, "request-1").on(ev.Dialed, "call-1").live()
    assert talk.call.provider_call_id == "leg-1"
    assert talk.story == BEGINNING


def test_words_prove_that_the_line_is_live() -> None:
    talk = an_agents_talk(greeting=None).dialed().on(ev.Heard, "Hello?")
    assert talk.story[:3] == ["initiated", "answered", "active"]
    assert [asked.message for asked in talk.asked_for(AskAgent)] == ["Hello?"]


def test_digits_that_come_before_everything_are_kept() -> None:
    talk = Talk().on(ev.DigitsHeard, "4").on(ev.DigitsHeard, "2")
    assert talk.call.dtmf == "42"
    assert talk.story == ["initiated", "dtmf", "dtmf"]


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [EndReason.BUSY, EndReason.NO_ANSWER, EndReason.FAILED])
def test_an_unanswered_call_ends_with_the_carriers_reason(reason: EndReason) -> None:
    talk = Talk().dialed().on(ev.Ringing).on(ev.LegEnded, reason)
    assert talk.call.end_reason is reason
    assert not talk.asked_for(Hangup)


def test_a_carrier_that_only_says_it_is_over_means_completed() -> None:
    assert Talk().listening().on(ev.LegEnded).call.end_reason is EndReason.COMPLETED


def test_the_end_in_the_middle_of_an_utterance_reports_it_first() -> None:
    talk = Talk().live().on(ev.SpeakRequested, "q1", "More.").on(ev.LegEnded)
    assert talk.story[-3:] == ["utterance", "utterance", "ended"]


def test_our_reason_stands_when_we_hung_up_first() -> None:
    talk = Talk().listening().on(ev.HangupRequested, "q1").on(ev.LegEnded, EndReason.HANGUP_USER)
    assert talk.call.end_reason is EndReason.HANGUP_BOT


@pytest.mark.parametrize("retryable", [True, False])
def test_a_fault_is_told_and_ends_the_call_when_it_is_final(retryable: bool) -> None:
    talk = Talk().listening().on(ev.CarrierFault, "Odd.", retryable)
    assert talk.told("call.error")[0]["retryable"] is retryable
    assert len(talk.asked_for(Hangup)) == (0 if retryable else 1)
    if not retryable:
        assert talk.on(ev.LegEnded).call.end_reason is EndReason.ERROR


# -- turn tokens ----------------------------------------------------------------------------------


def a_prompt() -> Talk:
    return Talk().listening().on(ev.ContinueRequested, "q1", "And you?").played()


def test_words_with_the_turns_token_answer() -> None:
    talk = a_prompt()
    talk.on(ev.Heard, "Fine.", talk.call.turn)
    assert talk.answer("q1")["transcript"] == "Fine."


@pytest.mark.parametrize("turn", ["", "t1-another"])
def test_words_with_another_token_or_none_never_answer(turn: str) -> None:
    talk = a_prompt()
    before = talk.call
    talk.on(ev.Heard, "Fine.", turn)
    assert talk.answer("q1") is None
    assert (talk.call.turn, talk.call.transcript) == (before.turn, before.transcript)


def test_the_token_of_the_prompt_before_does_not_answer_the_next() -> None:
    talk = a_prompt()
    old = talk.call.turn
    talk.on(ev.Heard, "Fine.", old).on(ev.ContinueRequested, "q2", "Sure?").played()
    talk.on(ev.Heard, "Fine.", old)
    assert talk.answer("q2") is None


def test_a_repeated_report_counts_once() -> None:
    talk = a_prompt()
    turn = talk.call.turn
    talk.on(ev.Heard, "Fine.", turn).on(ev.Heard, "Fine.", turn)
    assert len(talk.told("call.speech")) == 1


def test_a_repeated_report_while_the_bot_is_being_cut_counts_once() -> None:
    talk = Talk().listening().on(ev.ContinueRequested, "q1", "And you?")
    turn = talk.call.turn
    talk.on(ev.Heard, "No, stop that.", turn).on(ev.Heard, "No, stop that.", turn)
    talk.cut_short("And")
    assert len(talk.told("call.speech")) == 1
    assert talk.answer("q1")["transcript"] == "No, stop that."


def test_an_empty_token_is_stale_even_before_the_first_turn() -> None:
    talk = Talk().dialed().on(ev.Answered).on(ev.Heard, "Hello?", "")
    assert "speech" not in talk.story


def test_silence_of_another_turn_is_not_told() -> None:
    talk = a_prompt()
    talk.on(ev.SilenceHeard, 800, talk.call.turn).on(ev.SilenceHeard, 800, "t1-another")
    assert len(talk.told("call.silence")) == 1


def test_words_carry_what_the_recogniser_knew() -> None:
    talk = Talk().listening().on(ev.Heard, "Oui.", confidence=0.9, language="fr")
    (speech,) = talk.told("call.speech")
    assert (speech["confidence"], speech["language"]) == (0.9, "fr")


# -- barge-in -------------------------------------------------------------------------------------


def test_words_stop_the_bot_and_are_answered_when_it_has_stopped() -> None:
    talk = an_agents_talk().live().on(ev.Heard, "No, stop that.")
    assert len(talk.asked_for(Clear)) == 1
    assert not talk.asked_for(AskAgent)
    talk.cut_short("Hello")
    assert talk.call.transcript[0].interrupted
    assert talk.call.transcript[0].text == "Hello"
    assert [asked.message for asked in talk.asked_for(AskAgent)] == ["No, stop that."]
    assert talk.story[-4:] == ["bargeIn", "utterance", "speech", "listening"]


def test_acknowledgements_are_noted_and_do_not_stop_the_bot() -> None:
    talk = an_agents_talk().live().on(ev.Heard, "mm-hm").on(ev.Heard, "yes").played()
    assert not talk.asked_for(Clear)
    assert not talk.asked_for(AskAgent)
    assert [line.text for line in talk.call.transcript] == ["mm-hm", "yes", "Hello there."]


def test_an_acknowledgement_while_listening_is_an_answer() -> None:
    talk = an_agents_talk().listening().on(ev.Heard, "yes")
    assert [asked.message for asked in talk.asked_for(AskAgent)] == ["yes"]


@pytest.mark.parametrize(
    "knobs",
    [BargeIn(enabled=False), BargeIn(min_words=5), BargeIn(protect_greeting=True)],
)
def test_words_that_may_not_stop_the_bot_count_when_it_has_finished(knobs: BargeIn) -> None:
    talk = an_agents_talk(barge_in=knobs).live().on(ev.Heard, "What time is it?")
    assert not talk.asked_for(Clear)
    talk.played()
    assert [asked.message for asked in talk.asked_for(AskAgent)] == ["What time is it?"]


def test_only_the_greeting_is_protected() -> None:
    talk = an_agents_talk(barge_in=BargeIn(protect_greeting=True)).listening()
    talk.on(ev.SpeakRequested, "q1", "Some news.").on(ev.Heard, "What time is it?")
    assert len(talk.asked_for(Clear)) == 1


def test_more_words_while_the_bot_is_being_cut_are_all_heard() -> None:
    talk = an_agents_talk().live()
    talk.on(ev.Heard, "No, stop that.").on(ev.Heard, "What time is it?").cut_short()
    heard = [speech["transcript"] for speech in talk.told("call.speech")]
    assert heard == ["No, stop that.", "What time is it?"]
    assert len(talk.asked_for(Clear)) == 1


def test_a_cut_that_is_never_confirmed_counts_as_one() -> None:
    talk = an_agents_talk().live().on(ev.Heard, "No, stop that.").passes(1_000)
    assert talk.told("call.utterance")[0]["outcome"] == "interrupted"
    assert len(talk.asked_for(AskAgent)) == 1


def test_what_was_asked_to_be_said_next_is_said_after_a_barge_in() -> None:
    talk = Talk().live().on(ev.SpeakRequested, "q1", "Some news.")
    talk.on(ev.Heard, "No, stop that.").cut_short()
    assert talk.said == ["Hello there.", "Some news."]


# -- answering machines ---------------------------------------------------------------------------


def a_dial(detection: Detection, **members: object) -> Talk:
    return Talk(a_draft(detection=detection, mode=Mode.NOTIFY, **members)).live()


def test_without_detection_everything_is_a_person() -> None:
    talk = a_dial(Detection.OFF).on(ev.MachineDetected, "voicemail", True)
    assert talk.call.machine is None
    assert talk.call.state is State.SPEAKING


@pytest.mark.parametrize("result", ["voicemail", "fax"])
def test_detection_hangs_up_on_machines(result: str) -> None:
    talk = a_dial(Detection.DETECT).on(ev.MachineDetected, result)
    assert talk.told("call.machine") == [{"type": "call.machine", "result": result}]
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.on(ev.LegEnded).call.end_reason is EndReason.VOICEMAIL


@pytest.mark.parametrize("result", ["human", "ivr", "unknown"])
def test_detection_goes_on_with_everybody_else(result: str) -> None:
    talk = a_dial(Detection.DETECT).on(ev.MachineDetected, result)
    assert talk.call.machine == result
    assert talk.call.state is State.SPEAKING


def test_a_better_guess_replaces_an_unknown() -> None:
    talk = a_dial(Detection.DETECT).on(ev.MachineDetected, "unknown")
    talk.on(ev.MachineDetected, "voicemail")
    assert talk.call.machine == "voicemail"


def test_a_message_is_left_after_the_beep() -> None:
    talk = a_dial(Detection.LEAVE_MESSAGE).on(ev.MachineDetected, "voicemail")
    talk.cut_short("Hel").passes(20_000)
    assert talk.said == ["Hello there."], "not before the beep"
    talk.on(ev.MachineDetected, "voicemail", True)
    assert talk.said == ["Hello there.", "Hello there."]
    talk.played()
    assert len(talk.asked_for(Hangup)) == 1
    assert talk.on(ev.LegEnded).call.end_reason is EndReason.VOICEMAIL
    assert len(talk.told("call.machine")) == 1


def test_a_beep_that_never_comes_is_waited_for_thirty_seconds() -> None:
    talk = a_dial(Detection.LEAVE_MESSAGE).on(ev.MachineDetected, "voicemail").cut_short()
    talk.passes(29_980)
    assert len(talk.said) == 1
    talk.passes(20)
    assert len(talk.said) == 2


def test_the_beep_itself_is_enough() -> None:
    talk = a_dial(Detection.LEAVE_MESSAGE).on(ev.MachineDetected, "voicemail", True).cut_short()
    assert talk.said == ["Hello there.", "Hello there."]


def test_a_beep_before_the_cut_is_confirmed_is_not_lost() -> None:
    talk = a_dial(Detection.LEAVE_MESSAGE).on(ev.MachineDetected, "voicemail", True)
    talk.passes(1_000)
    assert len(talk.said) == 2


def test_nobody_talks_with_a_machine() -> None:
    talk = an_agents_talk(detection=Detection.LEAVE_MESSAGE).live()
    talk.on(ev.MachineDetected, "voicemail").cut_short()
    talk.on(ev.Heard, "Please leave a message.").on(ev.SpeakRequested, "q1", "Hello?")
    assert not talk.asked_for(AskAgent)
    assert talk.problem("q1") == "wrongState"
    assert talk.told("call.speech")[0]["transcript"] == "Please leave a message."


def test_a_machine_without_a_message_for_it_is_hung_up_on() -> None:
    talk = Talk(a_draft(detection=Detection.LEAVE_MESSAGE, greeting=None)).live()
    talk.on(ev.MachineDetected, "voicemail", True)
    assert len(talk.asked_for(Hangup)) == 1


def test_a_machine_before_the_line_is_live_makes_it_so() -> None:
    talk = Talk(a_draft(detection=Detection.LEAVE_MESSAGE)).dialed().on(ev.Answered)
    talk.on(ev.MachineDetected, "voicemail", True)
    assert talk.story[:5] == ["initiated", "answered", "machine", "active", "speaking"]


def test_detection_is_off_for_a_call_with_a_digit_sequence() -> None:
    talk = a_dial(Detection.DETECT, dtmf_sequence="1").on(ev.MachineDetected, "voicemail")
    assert talk.call.machine is None


# -- inbound --------------------------------------------------------------------------------------


def test_an_inbound_call_without_a_greeting_listens() -> None:
    talk = Talk(an_inbound_draft(greeting=None)).live()
    assert talk.story == ["initiated", "ringing", "answered", "active", "listening"]
    assert len(talk.asked_for(Listen)) == 1
