"""SIGKILL at any moment: what was acknowledged is there, no call ends twice, nobody is dialled."""

import random
import time
from pathlib import Path
from typing import Any

from tests.process.harness import Sidecar, configuration, sidecar
from tests.process.peer import TO

KILLS = 6
CALLS = 12
SEED = 20_240_917


def journal(process: Sidecar) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        page = process.call("events.replay", {"since": len(events), "limit": 1000})
        events += page["events"]
        if len(events) >= page["lastSeq"]:
            return events


def all_over(process: Sidecar) -> None:
    deadline = time.monotonic() + 10
    while process.call("voicecall.status")["calls"]:
        assert time.monotonic() < deadline, "a call of the dead process stays open"
        time.sleep(0.02)
    # A call is over in memory a moment before its end is on disk and in the journal.
    while len(of_type(process, "call.ended")) < len(of_type(process, "call.initiated")):
        assert time.monotonic() < deadline, "the end of a call is missing"
        time.sleep(0.02)


def of_type(process: Sidecar, type: str) -> list[dict[str, Any]]:
    return [event for event in journal(process) if event["type"] == type]


def test_killed_at_random_moments_and_started_again(tmp_path: Path) -> None:
    """Calls in every state when the process dies, many times over on one store."""
    dice = random.Random(SEED)
    answered: set[str] = set()
    seen: dict[int, dict[str, Any]] = {}
    for round_number in range(KILLS):
        live_and_die(tmp_path, dice, round_number, answered, seen)

    with Sidecar(tmp_path, configuration()) as process:
        process.ready()
        all_over(process)
        whole = journal(process)
        history = process.call("voicecall.history", {"limit": 500})["calls"]
    assert [event["seq"] for event in whole] == list(range(1, len(whole) + 1))
    for seq, event in seen.items():
        assert whole[seq - 1] == event, "a client has seen what was not stored"
    initiated = [e["callId"] for e in whole if e["type"] == "call.initiated"]
    ended = [e["callId"] for e in whole if e["type"] == "call.ended"]
    assert len(set(initiated)) == len(initiated)
    assert len(set(ended)) == len(ended), "exactly one call.ended"
    assert set(ended) == set(initiated)
    assert answered <= set(ended), "an acknowledged call is lost"
    assert {call["callId"] for call in history} == set(ended)
    terminal = {"completed", "hangup-user", "hangup-bot", "timeout", "error", "failed"}
    assert {call["state"] for call in history} <= terminal
    for call in history:
        events = [event for event in whole if event["callId"] == call["callId"]]
        assert events[0]["type"] == "call.initiated"
        assert events[-1]["type"] == "call.ended"
        assert events[-1]["call"] == call


def live_and_die(
    home: Path,
    dice: random.Random,
    round_number: int,
    answered: set[str],
    seen: dict[int, dict[str, Any]],
) -> None:
    """One life of the process: a burst of calls, then SIGKILL. What it was told goes into
    `answered` and `seen`."""
    mock = {"speed": dice.choice([0, 5.0, 20.0]), "replies": ["Yes."] * 3, "ringMs": 100}
    with sidecar(home, mock=mock, outbound={"notifyHangupDelaySec": 0}) as process:
        all_over(process)
        before = process.call("voicecall.history", {"limit": 500})["calls"]
        assert len(before) <= CALLS * round_number, "recovery never dials"
        ids = []
        for n in range(CALLS):
            mode = dice.choice(["notify", "conversation"])
            wish = {"to": TO, "message": f"Hello {n}.", "mode": mode}
            ids.append(process.request("voicecall.initiate", wish))
            if dice.random() < 0.3:
                time.sleep(dice.random() * 0.01)
        for known in list(answered)[-3:]:
            process.request("voicecall.end", {"callId": known})
        time.sleep(dice.random() * 0.12)
        process.kill()
        for message in process.messages:
            if message.get("id") in ids and "result" in message:
                answered.add(message["result"]["callId"])
        for event in process.events():
            if "seq" in event:
                assert seen.setdefault(event["seq"], event) == event, round_number


def test_an_open_call_ends_with_the_lines_reason_after_a_restart(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening(metadata={"order": 1})
        last = process.events()[-1]["seq"]
        process.kill()
    with sidecar(tmp_path) as process:
        ended = process.event("call.ended", call_id)
        assert ended["seq"] > last
        record = process.record(call_id)
        assert record["state"] == ended["reason"]
        assert record["metadata"] == {"order": 1}
        assert [line["text"] for line in record["transcript"]] == ["Hello."]
        assert process.types(call_id) == ["call.ended"]
        assert len(process.call("voicecall.history")["calls"]) == 1


def test_a_webhook_that_was_acknowledged_is_kept(tmp_path: Path) -> None:
    with sidecar(tmp_path, inboundPolicy="open") as process:
        ring = {
            "id": "1",
            "type": "call.initiated",
            "providerCallId": "p",
            "direction": "inbound",
            "from": TO,
            "to": "+15550000000",
        }
        assert process.webhook(ring)[0] == 200
        for n in range(20):
            digits = {"id": f"d{n}", "type": "call.dtmf", "providerCallId": "p", "digits": "1"}
            assert process.webhook(digits) == (200, {"accepted": 1})
        process.kill()
    with sidecar(tmp_path, inboundPolicy="open") as process:
        call = process.call("voicecall.status", {"callId": "p"})["call"]
        assert call["dtmf"] == "1" * 20


def test_an_acknowledged_end_is_on_the_way_after_a_kill(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.request("voicecall.end", {"callId": call_id}, id="e")
        process.result("e")
        process.kill()
    with sidecar(tmp_path) as process:
        all_over(process)
        events = [e for e in journal(process) if e.get("callId") == call_id]
        assert [e["type"] for e in events].count("call.ended") == 1
        assert events[-1]["reason"] == "hangup-bot"


def test_a_kill_while_it_starts_or_migrates_leaves_a_usable_store(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    for _ in range(4):
        with Sidecar(tmp_path, configuration()) as process:
            time.sleep(0.2 + dice.random() * 0.4)
            process.kill()
    with sidecar(tmp_path) as process:
        process.hang_up(process.listening())


def test_a_key_whose_answer_was_lost_never_dials_twice(tmp_path: Path) -> None:
    """Killed right behind the request: the call is there or it is not, but never twice."""
    dice = random.Random(SEED)
    for n in range(4):
        wish = {"to": TO, "message": "Hi.", "mode": "conversation", "idempotencyKey": f"k{n}"}
        with sidecar(tmp_path) as process:
            process.request("voicecall.initiate", wish)
            time.sleep(dice.random() * 0.004)
            process.kill()
    with sidecar(tmp_path) as process:
        for n in range(4):
            wish = {"to": TO, "message": "Hi.", "mode": "conversation", "idempotencyKey": f"k{n}"}
            answers = [process.answer(process.request("voicecall.initiate", wish)) for _ in "ab"]
            assert answers[0].get("result") == answers[1].get("result")
            if "error" in answers[0]:
                data = answers[0]["error"]["data"]
                assert (data["kind"], data["retryable"]) == ("carrierUnavailable", False)
                assert data["callId"]
        calls = process.call("voicecall.history", {"limit": 500})["calls"]
        assert len(calls) <= 4
