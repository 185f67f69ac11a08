"""A carrier in trouble: errors, silence and half answers of its REST API."""

from pathlib import Path

import pytest

from sidecar.simulator.farend import Plan
from sidecar.simulator.quirks import Quirks, RestFault, Trouble
from tests.carriers.rehearsal import SID, THEIRS, Carrier, Desk

pytestmark = pytest.mark.timeout(90)

BUSY = RestFault(Trouble.STATUS, status=429)
DOWN = RestFault(Trouble.STATUS, status=503)


def wish(**params: object) -> dict[str, object]:
    return {"to": THEIRS, "message": "Hello.", "mode": "notify", **params}


def test_a_busy_carrier_is_asked_again(tmp_path: Path, carrier: Carrier) -> None:
    carrier.fail_next("create", BUSY, times=2)
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.call("voicecall.initiate", wish(), 20)["callId"]
        carrier.call().until_over()
        desk.ended_once(call_id)
        assert len(carrier.sim.lines) == 1
        assert [asked.status for asked in carrier.creates] == [429, 429, 201]
    carrier.content()


def test_a_carrier_that_stays_busy_is_unavailable(tmp_path: Path, carrier: Carrier) -> None:
    carrier.fail_next("create", BUSY, times=10)
    with Desk(tmp_path, carrier) as desk:
        problem = desk.fails("voicecall.initiate", wish(), 30)
        assert (problem.kind, problem.data["retryable"]) == ("carrierUnavailable", True)
        assert problem.data["carrier"]["code"] == 20429
        assert desk.ended_once(problem.data["callId"])["reason"] == "failed"
        assert carrier.sim.lines == []


def test_a_refusal_is_passed_on_with_twilio_s_words(tmp_path: Path, carrier: Carrier) -> None:
    wrong = {"authToken": "wrong", "accountSid": SID, "baseUrl": carrier.sim.base_url}
    with Desk(tmp_path, carrier, twilio=wrong) as desk:
        problem = desk.fails("voicecall.initiate", wish(), 20)
        assert problem.kind == "carrierRejected"
        assert problem.data["carrier"]["code"] == 20003
        assert problem.data["carrier"]["moreInfo"].endswith("/20003")
        assert desk.ended_once(problem.data["callId"])["reason"] == "failed"


@pytest.mark.parametrize(
    "fault",
    [
        RestFault(Trouble.LOST),
        RestFault(Trouble.HALF_CLOSED),
        RestFault(Trouble.STATUS, status=502, performed=True),
        RestFault(Trouble.SLOW, slow_s=11.0),
    ],
    ids=lambda fault: fault.trouble.value,
)
def test_a_call_whose_create_answer_was_lost_is_found_and_not_placed_again(
    tmp_path: Path, fault: RestFault
) -> None:
    with Carrier(speed=1) as carrier, Desk(tmp_path, carrier) as desk:
        carrier.plan(Plan(ring_s=13 if fault.trouble is Trouble.SLOW else 2))
        carrier.fail_next("create", fault)
        result = desk.call("voicecall.initiate", wish(), 40)
        assert result["initiated"] is True
        call = carrier.call()
        call.until_over()
        assert call.heard == ["Hello."]
        assert desk.ended_once(result["callId"])["reason"] == "hangup-bot"
        assert desk.record(result["callId"])["providerCallId"] == call.sid
        assert len(carrier.creates) == 1


def test_a_connection_that_never_was_is_tried_again(tmp_path: Path, carrier: Carrier) -> None:
    """Nobody knows whether the request arrived: the call is looked for, and is not there."""
    carrier.fail_next("create", RestFault(Trouble.UNREACHED))
    with Desk(tmp_path, carrier) as desk:
        problem = desk.fails("voicecall.initiate", wish(), 30)
        assert (problem.kind, problem.data["retryable"]) == ("carrierUnavailable", False)
        assert desk.ended_once(problem.data["callId"])["reason"] == "failed"
        assert len(carrier.creates) == 1
        assert carrier.sim.lines == []


@pytest.mark.parametrize(
    "fault",
    [BUSY, DOWN, RestFault(Trouble.LOST), RestFault(Trouble.HALF_CLOSED)],
    ids=lambda fault: f"{fault.trouble.value}-{fault.status}",
)
def test_a_hang_up_is_repeated_until_it_is_confirmed(
    tmp_path: Path, carrier: Carrier, fault: RestFault
) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        carrier.fail_next("update", fault)
        desk.hang_up(call_id)
        call.until_over()
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"
    carrier.content()


@pytest.mark.parametrize("fault", [BUSY, DOWN], ids=["429", "503"])
def test_a_prompt_gets_through_a_moment_of_trouble(
    tmp_path: Path, carrier: Carrier, fault: RestFault
) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        carrier.fail_next("update", fault)
        waiting = desk.request("voicecall.continue", {"callId": call_id, "message": "Well?"})
        call.until_heard("Well?")
        call.say("Fine.")
        assert desk.result(waiting, 20)["transcript"] == "Fine."
        desk.hang_up(call_id)
    carrier.content()


def test_a_redirect_that_is_refused_for_a_moment_is_tried_again(tmp_path: Path) -> None:
    with Carrier(quirks=Quirks(refuse_redirects=2)) as carrier:
        with Desk(tmp_path, carrier) as desk:
            call_id = desk.dial("Hello.")
            call = carrier.call()
            desk.event("call.listening", call_id)
            waiting = desk.request("voicecall.continue", {"callId": call_id, "message": "Well?"})
            call.until_heard("Well?")
            call.say("Fine.")
            assert desk.result(waiting, 20)["transcript"] == "Fine."
            desk.hang_up(call_id)
        carrier.content()


@pytest.mark.parametrize("gone", [False, True])
def test_hanging_up_what_has_ended_is_success(tmp_path: Path, gone: bool) -> None:
    with Carrier(quirks=Quirks(ended_is_gone=gone)) as carrier, Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        carrier.do(call.line.put_down)
        assert desk.call("voicecall.end", {"callId": call_id}) == {"success": True}
        call.until_over()
        desk.ended_once(call_id)
        assert desk.call("voicecall.end", {"callId": call_id}) == {"success": True}


def test_a_status_that_never_ends_does_not_keep_the_call_open(tmp_path: Path) -> None:
    with Carrier(quirks=Quirks(never_ends=True)) as carrier, Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        carrier.call()
        desk.event("call.listening", call_id)
        assert desk.call("voicecall.end", {"callId": call_id}) == {"success": True}
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"


def test_a_call_that_twilio_forgot_ends_by_our_own_limit(tmp_path: Path) -> None:
    """The far end hangs up, and Twilio neither tells so nor knows: our own limits end the call."""
    quirks = Quirks(never_ends=True)
    with Carrier(quirks=quirks) as carrier, Desk(tmp_path, carrier, maxDurationSeconds=3) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        call.hang_up()
        assert desk.ended_once(call_id)["reason"] == "timeout"
