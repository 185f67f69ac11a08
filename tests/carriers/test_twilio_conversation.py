"""Conversations turn by turn."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.simulator.farend import Pickup, Plan, Say, Silence, Target, Wait
from sidecar.simulator.quirks import CallbackQuirk, Delivery, Quirks
from tests.carriers.rehearsal import OTHER, OURS, THEIRS, Call, Carrier, Desk, transcript

pytestmark = pytest.mark.timeout(90)

QUESTIONS = (
    "For how many?",
    "At what time?",
    "Inside or outside?",
    "Which name?",
    "Anything else?",
)
ANSWERS = ("For two.", "At eight.", "Outside, please.", "Smith.", "No, thank you.")


def ask(desk: Desk, call: Call, call_id: str, question: str, answer: str) -> str:
    """One turn of `continue`: the far end answers once it has heard the question."""
    before = len(call.heard)
    waiting = desk.request("voicecall.continue", {"callId": call_id, "message": question})
    call.until(lambda: question in call.line.heard[before:])
    call.say(answer)
    result = desk.result(waiting, 20)
    assert result["success"] is True
    transcript: str = result["transcript"]
    return transcript


def five_turns(desk: Desk, call: Call, call_id: str) -> None:
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        assert ask(desk, call, call_id, question, answer) == answer, call.story()


def said(desk: Desk, call_id: str) -> Sequence[tuple[str, str]]:
    return transcript(desk.record(call_id))


def whole_conversation() -> list[tuple[str, str]]:
    lines = [("bot", "Hello.")]
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        lines += [("bot", question), ("user", answer)]
    return lines


def test_five_turns_go_back_and_forth(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        five_turns(desk, call, call_id)
        assert said(desk, call_id) == whole_conversation()
        assert desk.hang_up(call_id)["reason"] == "hangup-bot"
        call.until_over()
        assert call.heard == ["Hello.", *QUESTIONS]
        desk.ended_once(call_id)
    carrier.content()


NUISANCES = {
    "late": {"all": CallbackQuirk(Delivery.LATE, 4.0), "gather": CallbackQuirk(Delivery.LATE, 1.0)},
    "doubled": {
        "all": CallbackQuirk(Delivery.DOUBLED),
        "gather": CallbackQuirk(Delivery.DOUBLED),
        "voice": CallbackQuirk(Delivery.DOUBLED),
        "redirect": CallbackQuirk(Delivery.DOUBLED),
    },
    "reordered": {
        "initiated": CallbackQuirk(Delivery.REORDERED),
        "answered": CallbackQuirk(Delivery.REORDERED),
    },
    "missing": {"all": CallbackQuirk(Delivery.MISSING)},
}


@pytest.mark.parametrize("nuisance", NUISANCES)
def test_five_turns_survive_untidy_callbacks(tmp_path: Path, nuisance: str) -> None:
    with Carrier(quirks=Quirks(callbacks=NUISANCES[nuisance])) as carrier:
        with Desk(tmp_path, carrier) as desk:
            call_id = desk.dial("Hello.")
            call = carrier.call()
            desk.event("call.listening", call_id)
            five_turns(desk, call, call_id)
            assert said(desk, call_id) == whole_conversation()
            desk.hang_up(call_id)
            call.until_over()
            ended = desk.ended_once(call_id)
            assert ended["reason"] == "hangup-bot"
            assert ended["call"]["transcript"] == desk.record(call_id)["transcript"]
        carrier.content()


def test_callbacks_without_their_query_still_find_their_call(tmp_path: Path) -> None:
    with Carrier(quirks=Quirks(drop_query=True)) as carrier, Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.", mode="notify")
        carrier.call().until_over()
        desk.ended_once(call_id)


def test_silence_is_told_and_the_next_answer_counts(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        waiting = desk.request("voicecall.continue", {"callId": call_id, "message": "Hello?"})
        call.until_heard("Hello?")
        call.be_silent()
        call.be_silent()
        call.say("Sorry, I was away.")
        assert desk.result(waiting, 20)["transcript"] == "Sorry, I was away."
        assert desk.event("call.silence", call_id)["durationMs"] > 0
        assert call.heard.count("Hello?") == 1
        desk.hang_up(call_id)
        call.until_over()
    carrier.content()


def test_nobody_answers_in_time(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier, transcriptTimeoutMs=1_000) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        problem = desk.fails("voicecall.continue", {"callId": call_id, "message": "Well?"}, 20)
        assert problem.kind == "transcriptTimeout"
        assert ask(desk, call, call_id, "Again?", "Here I am.") == "Here I am."
        desk.hang_up(call_id)
    carrier.content()


def test_an_old_answer_cannot_satisfy_a_new_prompt(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        ask(desk, call, call_id, QUESTIONS[0], "For two.")
        call.until(lambda: any(d.param("SpeechResult") for d in carrier.sim.deliveries))
        (old,) = [each for each in carrier.sim.deliveries if each.param("SpeechResult")]
        waiting = desk.request("voicecall.continue", {"callId": call_id, "message": QUESTIONS[1]})
        call.until_heard(QUESTIONS[1])
        again = carrier.repeat(old)
        assert again.body == old.body, "a repetition gets the first answer"
        call.say("At eight.")
        assert desk.result(waiting, 20)["transcript"] == "At eight."
        assert desk.types(call_id).count("call.speech") == 2
        desk.hang_up(call_id)
    carrier.content()


def test_an_agent_answers_the_caller(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier, agent=True, inboundGreeting="Good evening.") as desk:
        mark = desk.mark
        call = carrier.incoming(Plan(talk=(Say("A table for two."),)))
        assert desk.answer_agent(mark, text="At what time?") == "A table for two."
        call.until_heard("At what time?")
        mark = desk.mark
        call.say("At eight.")
        assert desk.answer_agent(mark, text="Done. Goodbye.", endCall=True) == "At eight."
        call.until_over()
        assert call.heard == ["Good evening.", "At what time?", "Done. Goodbye."]
        (call_id,) = {event["callId"] for event in desk.events() if "callId" in event}
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"
    carrier.content()


def test_speech_interrupts_what_is_said(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        message = "This is a very long question that goes on and on and never seems to end. " * 3
        waiting = desk.request("voicecall.continue", {"callId": call_id, "message": message})
        carrier.do(lambda: call.line.interrupt("Stop it.", 2.0))
        assert desk.result(waiting, 20)["transcript"] == "Stop it."
        assert not any(message.strip() in heard for heard in call.heard)
        desk.hang_up(call_id)
    carrier.content()


def test_keys_of_the_caller_are_told(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        call.press("12#")
        assert desk.event("call.dtmf", call_id)["digits"].startswith("12")
        desk.hang_up(call_id)
    carrier.content()


def test_keys_are_sent_and_the_talk_goes_on(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        assert desk.call("voicecall.dtmf", {"callId": call_id, "digits": "1w2#"}) == {
            "success": True
        }
        call.until(lambda: any("sends the keys" in m.text for m in call.line.timeline.moments))
        assert ask(desk, call, call_id, "Are you there?", "Still here.") == "Still here."
        desk.hang_up(call_id)
    carrier.content()


def test_keys_go_out_before_the_conversation(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.", dtmfSequence="ww12#")
        call = carrier.call()
        desk.event("call.listening", call_id)
        texts = [moment.text for moment in call.line.timeline.moments]
        assert texts.index("sends the keys ww12#") < texts.index("Hello.")
        desk.hang_up(call_id)
    carrier.content()


def test_a_caller_who_hangs_up_ends_the_wait(tmp_path: Path, carrier: Carrier) -> None:
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        waiting = desk.request("voicecall.continue", {"callId": call_id, "message": "Well?"})
        call.until_heard("Well?")
        call.hang_up()
        assert desk.answer(waiting)["error"]["data"]["kind"] == "callEnded"
        assert desk.ended_once(call_id)["reason"] == "completed"
    carrier.content()


# -- handing the call on ---------------------------------------------------------------------------


def test_a_transfer_succeeds(tmp_path: Path, carrier: Carrier) -> None:
    carrier.plan(Plan(transfers={OTHER: Target(talk_s=60)}))
    with Desk(tmp_path, carrier, outbound={"allowTo": [OTHER, THEIRS]}) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        params = {"callId": call_id, "to": OTHER, "message": "I connect you."}
        assert desk.call("voicecall.transfer", params) == {"success": True}
        desk.event("call.transferred", call_id)
        assert desk.ended_once(call_id)["reason"] == "completed"
        assert call.status == "in-progress", "the bridge outlives our part"
        call.until_over()
        assert call.heard[-1] == "I connect you."
        assert call.asked("update").count("REST update: 200") == len(call.asked("update"))
        assert desk.types(call_id).count("call.ended") == 1
    carrier.content()


@pytest.mark.parametrize("pickup", [Pickup.BUSY, Pickup.NO_ANSWER, Pickup.FAILED])
def test_after_a_failed_transfer_the_talk_goes_on(
    tmp_path: Path, carrier: Carrier, pickup: Pickup
) -> None:
    carrier.plan(Plan(transfers={OTHER: Target(pickup)}))
    with Desk(tmp_path, carrier, outbound={"allowTo": [OTHER, THEIRS]}) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        desk.call("voicecall.transfer", {"callId": call_id, "to": OTHER})
        assert desk.event("call.warning", call_id)["code"] == "transferFailed"
        assert ask(desk, call, call_id, "Sorry.", "Oh well.") == "Oh well."
        desk.hang_up(call_id)
        assert desk.ended_once(call_id)["reason"] == "hangup-bot"
    carrier.content()


def test_the_far_end_hangs_up_during_the_transfer(tmp_path: Path, carrier: Carrier) -> None:
    carrier.plan(Plan(transfers={OTHER: Target(ring_s=20)}))
    with Desk(tmp_path, carrier, outbound={"allowTo": [OTHER, THEIRS]}) as desk:
        call_id = desk.dial("Hello.")
        call = carrier.call()
        desk.event("call.listening", call_id)
        desk.call("voicecall.transfer", {"callId": call_id, "to": OTHER})
        call.until(lambda: any(m.detail.get("number") for m in call.line.timeline.moments))
        call.hang_up()
        call.until_over()
        desk.ended_once(call_id)
        assert "call.transferred" not in desk.types(call_id)
    carrier.content()


def test_silence_and_waiting_are_part_of_a_plan(tmp_path: Path, carrier: Carrier) -> None:
    """The far end is slow: it lets one turn pass and answers late in the next."""
    carrier.plan(Plan(talk=(Silence(), Wait(1), Say("Yes?"))))
    with Desk(tmp_path, carrier) as desk:
        call_id = desk.dial("Hello.")
        assert desk.event("call.speech", call_id, timeout=20)["transcript"] == "Yes?"
        desk.hang_up(call_id)
    carrier.content()
    assert carrier.sim.lines[0].leg.from_number == OURS
