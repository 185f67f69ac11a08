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
