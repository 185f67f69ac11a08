"""Calls from outside, under each policy."""

from pathlib import Path

import pytest

from sidecar.simulator.farend import ExpectHeard, HangUp, Plan, Say, Wait
from tests.carriers.rehearsal import OTHER, OURS, THEIRS, Carrier, Desk

pytestmark = pytest.mark.timeout(60)


def hears(text: str) -> Plan:
    """Stays until it has heard that, and hangs up."""
    return Plan(talk=(ExpectHeard(text, within_s=300), HangUp()))


def test_an_open_line_greets_and_listens(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier, inboundGreeting="Good evening.") as desk:
        call = carrier.incoming(Plan(talk=(Say("Hi."), Wait(4), HangUp())))
        call.until_over()
        assert call.heard[0] == "Good evening."
        speech = desk.event("call.speech")
        assert speech["transcript"] == "Hi."
        ended = desk.ended_once(speech["callId"])
        assert (ended["reason"], ended["call"]["direction"]) == ("completed", "inbound")
        assert (ended["call"]["from"], ended["call"]["to"]) == (THEIRS, OURS)
    carrier.content()


@pytest.mark.parametrize("policy", ["disabled", "allowlist"])
def test_who_may_not_call_is_rejected_unanswered(
    tmp_path: Path, carrier: Carrier, policy: str
) -> None:
    with Desk(tmp_path, carrier, inboundPolicy=policy, allowFrom=[OTHER]) as desk:
        call = carrier.incoming()
        call.until_over()
        assert (call.status, call.line.leg.answered_ms) == ("no-answer", None)
        rejected = desk.event("call.rejected")
        assert rejected["reason"] == policy
        assert rejected["providerCallId"] == call.sid
        desk.settle()
        assert desk.types() == ["call.rejected"]
        assert desk.call("voicecall.status") == {"calls": []}
    carrier.content()


def test_who_is_on_the_list_is_let_in(tmp_path: Path, carrier: Carrier) -> None:
    members = {"inboundPolicy": "allowlist", "allowFrom": [THEIRS], "inboundGreeting": "Yes?"}
    with Desk(tmp_path, carrier, **members) as desk:
        call = carrier.incoming(hears("Yes?"))
        call.until_over()
        assert call.heard[0] == "Yes?"
        desk.ended_once(desk.only_call())
    carrier.content()


@pytest.mark.parametrize("number", ["anonymous", "+266696687", "client:bob"])
def test_an_unknown_number_is_on_no_list(tmp_path: Path, carrier: Carrier, number: str) -> None:
    with Desk(tmp_path, carrier, inboundPolicy="allowlist", allowFrom=[THEIRS]) as desk:
        call = carrier.incoming(from_number=number)
        call.until_over()
        assert call.line.leg.answered_ms is None
        assert desk.event("call.rejected")["reason"] == "allowlist"
    carrier.content()


def test_an_unknown_caller_hears_a_code_once_and_is_let_in_after_approval(
    tmp_path: Path, carrier: Carrier
) -> None:
    members = {"inboundPolicy": "pairing", "inboundGreeting": "Welcome."}
    with Desk(tmp_path, carrier, **members) as desk:
        first = carrier.incoming()
        first.until_over()
        asked = desk.event("pairing.requested")
        assert asked["from"] == THEIRS
        spoken = "".join(letter for text in first.heard for letter in text if letter.isdigit())
        assert asked["code"] in spoken
        assert first.status == "completed"

        second = carrier.incoming()
        second.until_over()
        assert second.line.leg.answered_ms is None, "one answered call per hour"

        approved = desk.call("voicecall.pairing.approve", {"code": asked["code"]})
        assert approved == {"number": THEIRS}
        third = carrier.incoming(hears("Welcome."))
        third.until_over()
        assert third.heard[0] == "Welcome."
    carrier.content()


def test_a_full_house_is_busy(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier, maxConcurrentCalls=1) as desk:
        call_id = desk.dial("Hello.")
        desk.event("call.listening", call_id)
        call = carrier.incoming()
        call.until_over()
        assert (call.status, call.line.leg.answered_ms) == ("busy", None)
        assert desk.event("call.rejected")["reason"] == "capacity"
        desk.hang_up(call_id)
    carrier.content()


def test_the_number_that_was_dialled_decides_the_greeting(tmp_path: Path, carrier: Carrier) -> None:
    numbers = {OURS: {"inboundGreeting": "The other desk."}}
    with Desk(tmp_path, carrier, inboundGreeting="The desk.", numbers=numbers):
        call = carrier.incoming(hears("The other desk."))
        call.until_over()
        assert call.heard[0] == "The other desk."
    carrier.content()


def test_a_caller_who_hangs_up_during_the_greeting_ends_the_call(
    tmp_path: Path, carrier: Carrier
) -> None:
    with Desk(tmp_path, carrier, inboundGreeting="Good evening, and welcome. " * 20) as desk:
        call = carrier.incoming(Plan(talk=(Wait(5), HangUp())))
        call.until_over()
        desk.event("call.ended")
        ended = desk.ended_once(desk.only_call())
        assert ended["reason"] == "completed"
        assert desk.event("call.utterance")["outcome"] == "interrupted"
        assert desk.call("voicecall.status") == {"calls": []}
    carrier.content()
