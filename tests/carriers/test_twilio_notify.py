"""Calls that say something and hang up."""

from pathlib import Path

import pytest

from sidecar.simulator.farend import Pickup, Plan
from tests.carriers.rehearsal import Carrier, Desk

pytestmark = pytest.mark.timeout(60)


def notify(desk: Desk, message: str = "Your table is ready.", **params: object) -> str:
    return desk.dial(message, mode="notify", **params)


def test_an_answered_call_hears_the_message_and_is_hung_up(
    tmp_path: Path, carrier: Carrier
) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = notify(desk)
        call = carrier.call()
        call.until_over()
        assert call.heard == ["Your table is ready."]
        assert call.status == "completed"
        ended = desk.ended_once(call_id)
        assert ended["reason"] == "hangup-bot"
        story = desk.story(call_id)
        assert story == [
            "initiated",
            "ringing",
            "answered",
            "active",
            "speaking",
            "utterance",
            "ended",
        ]
        assert [asked.operation for asked in carrier.sim.asked] == ["create"], "nothing else needed"
    carrier.content()


@pytest.mark.parametrize(
    ("pickup", "reason"),
    [
        (Pickup.BUSY, "busy"),
        (Pickup.NO_ANSWER, "no-answer"),
        (Pickup.FAILED, "failed"),
    ],
)
def test_a_call_that_is_not_answered_says_why(
    tmp_path: Path, carrier: Carrier, pickup: Pickup, reason: str
) -> None:
    carrier.plan(Plan(pickup))
    with Desk(tmp_path, carrier) as desk:
        call_id = notify(desk)
        carrier.call().until_over()
        assert desk.ended_once(call_id)["reason"] == reason
        assert "answered" not in desk.story(call_id)
    carrier.content()
    assert carrier.refusals == []


def test_a_machine_is_hung_up_on_when_that_is_wanted(tmp_path: Path, carrier: Carrier) -> None:
    carrier.plan(Plan(Pickup.MACHINE))
    with Desk(
        tmp_path, carrier, outbound={"notifyHangupDelaySec": 1, "machineDetection": "detect"}
    ) as desk:
        call_id = notify(desk, "This is a message that takes quite a while to be said. " * 3)
        carrier.call().until_over()
        assert desk.ended_once(call_id)["reason"] == "voicemail"
        assert desk.event("call.machine", call_id)["result"] == "voicemail"
    carrier.content()


def test_a_message_is_left_after_the_beep(tmp_path: Path, carrier: Carrier) -> None:
    carrier.plan(Plan(Pickup.MACHINE, greeting_s=8))
    with Desk(
        tmp_path, carrier, outbound={"notifyHangupDelaySec": 1, "machineDetection": "leave-message"}
    ) as desk:
        call_id = notify(desk)
        call = carrier.call()
        call.until_over()
        beep_ms = next(
            moment.at_ms
            for moment in call.line.timeline.moments
            if moment.detail.get("answered_by") == "machine_end_beep"
        )
        left = [
            moment.text
            for moment in call.line.timeline.moments
            if moment.kind == "heard" and moment.detail["begun_ms"] >= beep_ms
        ]
        assert left == ["Your table is ready."]
        assert desk.ended_once(call_id)["reason"] == "voicemail"
    carrier.content()


def test_a_person_is_never_kept_waiting_by_the_detection(
    tmp_path: Path, calm_carrier: Carrier
) -> None:
    carrier = calm_carrier
    with Desk(
        tmp_path, carrier, outbound={"notifyHangupDelaySec": 1, "machineDetection": "leave-message"}
    ) as desk:
        call_id = notify(desk)
        call = carrier.call()
        call.until_over()
        assert call.heard[-1] == "Your table is ready."
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"
        assert desk.event("call.machine", call_id)["result"] == "human"
        texts = [moment.text for moment in call.line.timeline.moments]
        assert texts.index("is told: Say, Redirect") < texts.index("detects: human")
    carrier.content()


def test_a_message_that_is_too_long_for_the_request_is_fetched(
    tmp_path: Path, carrier: Carrier
) -> None:
    sentence = "Incomprehensibilities notwithstanding. "
    with Desk(tmp_path, carrier, outbound={"notifyHangupDelaySec": 0}) as desk:
        message = (sentence * 110)[:3_990].rpartition(".")[0] + "."
        call_id = notify(desk, message)
        call = carrier.call()
        call.until_over()
        assert " ".join(call.heard) == message
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"
    carrier.content()


def test_a_caller_who_hangs_up_in_the_middle_has_not_heard_it(
    tmp_path: Path, carrier: Carrier
) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = notify(desk, "This is a long message, and nobody will hear its end. " * 20)
        call = carrier.call()
        call.until_status("in-progress")
        call.hang_up()
        call.until_over()
        desk.ended_once(call_id)
        assert desk.event("call.utterance", call_id)["outcome"] == "interrupted"
    carrier.content()
