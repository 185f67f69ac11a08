"""Digits and transfers that the host asks for, in conversation order."""

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import Clear, Hangup, SendDigits, Transfer
from sidecar.call.model import EndReason, Mode, State
from sidecar.errors import Problem
from tests.support.calls import Talk, a_draft

OTHER = "+15550002222"
DONE = {"success": True}


def a_talk() -> Talk:
    return Talk().listening()


# -- digits ---------------------------------------------------------------------------------------


def test_digits_are_answered_when_they_were_handed_over() -> None:
    talk = a_talk().on(ev.DigitsRequested, "q1", "1w2#")
    assert talk.asked_for(SendDigits) == [SendDigits("1w2#", "q1")]
    assert talk.answer("q1") is None
    talk.on(ev.DigitsSent, "q1").on(ev.DigitsSent, "q1")
    assert talk.answer("q1") == DONE


def test_digits_that_cannot_be_sent_are_an_error_and_the_call_goes_on() -> None:
    talk = a_talk().on(ev.DigitsRequested, "q1", "1")
    talk.on(ev.DigitsFailed, Problem("carrierRejected", "No."), "q1")
    assert talk.problem("q1") == "carrierRejected"
    assert talk.call.state is State.LISTENING


def test_digits_come_before_the_conversation() -> None:
    talk = Talk(a_draft(dtmf_sequence="12w#")).live()
    assert talk.asked_for(SendDigits) == [SendDigits("12w#")]
    assert talk.said == []
    talk.on(ev.DigitsSent)
    assert talk.said == ["Hello there."]


@pytest.mark.parametrize("how", ["failed", "lost"])
def test_digits_that_do_not_go_out_do_not_hold_the_conversation_up(how: str) -> None:
    talk = Talk(a_draft(dtmf_sequence="12")).live()
    if how == "failed":
        talk.on(ev.DigitsFailed, Problem("carrierRejected", "No."))
        assert talk.told("call.warning")[0]["code"] == "dtmfFailed"
    else:
        talk.passes(12_000)
    assert talk.said == ["Hello there."]


# -- transfer -------------------------------------------------------------------------------------


def test_a_transfer_ends_our_part_and_sends_no_hang_up() -> None:
    talk = a_talk().passes(60_000).on(ev.TransferRequested, "q1", OTHER, "One moment.")
    assert talk.answer("q1") == DONE
    assert not talk.asked_for(Transfer)
    talk.played()
    (transfer,) = talk.asked_for(Transfer)
    assert transfer.to_number == OTHER
    assert transfer.time_limit_s == 239
    talk.on(ev.TransferDone)
    assert talk.story[-2:] == ["transferred", "ended"]
    assert talk.call.end_reason is EndReason.COMPLETED
    talk.on(ev.Restarted, None).on(ev.Restarted, True).on(ev.LegEnded)
    assert not talk.asked_for(Hangup)


def test_a_transfer_cuts_what_is_being_said() -> None:
    talk = Talk().live().on(ev.SpeakRequested, "q1", "Never said.")
    talk.on(ev.TransferRequested, "q2", OTHER)
    assert len(talk.asked_for(Clear)) == 1
    talk.cut_short("Hello")
    assert len(talk.asked_for(Transfer)) == 1
    outcomes = [fate["outcome"] for fate in talk.told("call.utterance")]
    assert outcomes == ["interrupted", "interrupted"]


@pytest.mark.parametrize("how", ["failed", "timeout"])
def test_a_failed_transfer_is_a_warning_and_the_talk_goes_on(how: str) -> None:
    talk = a_talk().on(ev.TransferRequested, "q1", OTHER)
    if how == "failed":
        talk.on(ev.TransferFailed, "Nobody answered.")
    else:
        talk.passes(60_000)
    assert [warning["code"] for warning in talk.told("call.warning")] == ["transferFailed"]
    talk.on(ev.SpeakRequested, "q2", "I could not reach them.")
    assert talk.said[-1] == "I could not reach them."


def test_nothing_is_said_while_a_transfer_is_under_way() -> None:
    talk = Talk(a_draft(agent_online=True)).listening().on(ev.TransferRequested, "q1", OTHER)
    talk.on(ev.SpeakRequested, "q2", "Wait!").on(ev.Heard, "Hello?")
    assert talk.problem("q2") == "wrongState"
    assert talk.call.reply is None


def test_a_transfer_waits_for_the_digits_that_come_first() -> None:
    talk = Talk(a_draft(dtmf_sequence="12")).live().on(ev.TransferRequested, "q1", OTHER)
    assert not talk.asked_for(Transfer)
    talk.on(ev.DigitsSent)
    assert talk.said == []
    assert len(talk.asked_for(Transfer)) == 1


def test_a_notify_call_that_is_transferred_is_not_hung_up_meanwhile() -> None:
    talk = Talk(a_draft(mode=Mode.NOTIFY)).live().played()
    talk.on(ev.ContinueRequested, "q1", "Shall I connect you?").played()
    talk.on(ev.TransferRequested, "q2", OTHER).on(ev.Heard, "Yes.").passes(10_000)
    assert not talk.asked_for(Hangup)
