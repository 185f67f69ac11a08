"""SIGKILL in the middle of calls: each ends once, is told once, and nobody is called again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.simulator.farend import Plan, Target
from sidecar.simulator.quirks import RestFault, Trouble
from tests.carriers.rehearsal import OTHER, THEIRS, Call, Carrier, Desk

pytestmark = pytest.mark.timeout(120)

LONG = "This is said for a long time, so that there is time to die in the middle of it. " * 6


def ringing(desk: Desk, carrier: Carrier) -> str:
    carrier.plan(Plan(ring_s=20))
    call_id = desk.dial("Hello.")
    desk.event("call.ringing", call_id)
    return call_id


def notifying(desk: Desk, carrier: Carrier) -> str:
    call_id = desk.dial(LONG, mode="notify")
    desk.event("call.speaking", call_id)
    return call_id


def speaking(desk: Desk, carrier: Carrier) -> str:
    call_id = desk.dial(LONG)
    desk.event("call.speaking", call_id)
    return call_id


def waiting(desk: Desk, carrier: Carrier) -> str:
    call_id = desk.dial("Hello.")
    desk.event("call.listening", call_id)
    desk.request("voicecall.continue", {"callId": call_id, "message": "Well?"})
    carrier.call().until_heard("Well?")
    return call_id


def inbound(desk: Desk, carrier: Carrier) -> str:
    carrier.incoming().until_heard("Good evening.")
    return str(desk.event("call.listening")["callId"])


def transferring(desk: Desk, carrier: Carrier) -> str:
    carrier.plan(Plan(transfers={OTHER: Target(ring_s=25)}))
    call_id = desk.dial("Hello.")
    desk.event("call.listening", call_id)
    desk.call("voicecall.transfer", {"callId": call_id, "to": OTHER})
    call = carrier.call()
    call.until(lambda: any(each.detail.get("number") for each in call.line.timeline.moments))
    return call_id


def ending(desk: Desk, carrier: Carrier) -> str:
    call_id = desk.dial("Hello.")
    desk.event("call.listening", call_id)
    carrier.fail_next("update", RestFault(Trouble.SLOW, slow_s=3))
    desk.call("voicecall.end", {"callId": call_id})
    return call_id


MOMENTS: list[Callable[[Desk, Carrier], str]] = [
    ringing,
    notifying,
    speaking,
    waiting,
    inbound,
    transferring,
    ending,
]
MEMBERS = {
    "inboundGreeting": "Good evening.",
    "outbound": {"allowTo": [OTHER, THEIRS], "notifyHangupDelaySec": 1},
    "ringTimeoutMs": 6_000,
    "maxDurationSeconds": 20,
}


def settled(desk: Desk, carrier: Carrier, call_id: str) -> None:
    """The call is over for everybody, and was told so once."""
    desk.event("call.ended", call_id, timeout=40)
    for place in range(len(carrier.sim.lines)):
        Call(carrier, carrier.sim.lines[place]).until_over()
    desk.settle()
    ends = [each["seq"] for each in desk.events(call_id) if each["type"] == "call.ended"]
    assert len(ends) == 1, desk.types(call_id)
    assert desk.call("voicecall.status") == {"calls": []}


CASES = [(moment, True) for moment in MOMENTS]
CASES += [(moment, False) for moment in (ringing, waiting, inbound, transferring)]


@pytest.mark.parametrize(
    ("moment", "quickly"),
    CASES,
    ids=[
        f"{moment.__name__}, back {'at once' if quickly else 'late'}" for moment, quickly in CASES
    ],
)
def test_a_killed_sidecar_ends_its_call_once_and_calls_nobody_again(
    tmp_path: Path, moment: Callable[[Desk, Carrier], str], quickly: bool
) -> None:
    with Carrier(speed=4 if quickly else 20) as carrier:
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            call_id = moment(desk, carrier)
            placed = len(carrier.creates)
            desk.kill()
        if not quickly:
            carrier.run(carrier.sim.pace.sleep(30))
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            desk.since_the_beginning()
            if quickly and carrier.sim.lines[0].leg.is_final is False:
                desk.settle()
                desk.call("voicecall.end", {"callId": call_id})
            settled(desk, carrier, call_id)
            assert len(carrier.creates) == placed


def test_a_call_whose_creation_was_under_way_is_found_and_not_placed_again(
    tmp_path: Path,
) -> None:
    with Carrier(speed=1) as carrier:
        carrier.plan(Plan(ring_s=3))
        carrier.fail_next("create", RestFault(Trouble.SLOW, slow_s=5))
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            desk.request("voicecall.initiate", {"to": THEIRS, "message": "Hello."})
            call = carrier.call()
            desk.kill()
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            desk.since_the_beginning()
            desk.event("call.ended", timeout=40)
            settled(desk, carrier, desk.only_call())
            assert len(carrier.creates) == 1
            assert len(carrier.sim.lines) == 1
            call.until_over()


def test_a_conversation_goes_on_after_a_crash(tmp_path: Path) -> None:
    with Carrier(speed=1) as carrier:
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            call_id = desk.dial(LONG)
            desk.event("call.speaking", call_id)
            desk.kill()
        with Desk(tmp_path, carrier, **MEMBERS) as desk:
            desk.since_the_beginning()
            call = carrier.call()
            desk.settle()
            waiting = desk.request(
                "voicecall.continue", {"callId": call_id, "message": "Are you still there?"}
            )
            call.until_heard("Are you still there?")
            call.say("Yes.")
            assert desk.result(waiting, 20)["transcript"] == "Yes."
            desk.call("voicecall.end", {"callId": call_id})
            settled(desk, carrier, call_id)
