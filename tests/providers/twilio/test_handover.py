"""Digits and transfers in a running call."""

from typing import Any

import pytest

from sidecar.call.events import DigitsRequested, TransferRequested
from sidecar.call.model import Mode
from tests.support.twilio_line import TwilioWorld


def dtmf(world: TwilioWorld, call_id: str, digits: str) -> Any:
    return world.do(world.engine.ask(call_id, lambda id, at: DigitsRequested(at, id, digits)))


def transfer(world: TwilioWorld, call_id: str, text: str | None = None) -> Any:
    target = "+15550003333"
    return world.do(
        world.engine.ask(call_id, lambda id, at: TransferRequested(at, id, target, text))
    )


async def test_digits_before_the_conversation_go_out_with_the_call(world: TwilioWorld) -> None:
    far = await world.leg("Hello.", mode=Mode.CONVERSATION, dtmf_sequence="ww12#")
    assert far.created is not None
    assert far.created.get("SendDigits") == "ww12#"
    await far.picks_up()
    assert far.shape == [["Gather", "Say"], "Redirect"]
    assert world.rest.updates(far.leg_id) == []


async def test_digits_in_a_call_are_played_and_the_talk_goes_on(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    assert await world.outcome(dtmf(world, far.call_id, "1W2")) == {"success": True}
    far.take_push()
    assert far.verbs[0].attrib == {"digits": "1ww2"}
    spoken = world.speak(far.call_id, "Done.")
    await world.outcome(spoken)
    assert len(world.rest.updates(far.leg_id)) == 1
    await world.passes(2_000)
    far.take_push()
    assert far.listen() == "Done."


async def test_after_digits_the_call_asks_what_to_do(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    await world.outcome(dtmf(world, far.call_id, "1"))
    far.take_push()
    await far.hears_out()
    assert far.shape == ["Gather", "Redirect"]


async def test_digits_into_a_call_that_is_gone_are_refused(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    far.leg["status"] = "completed"
    assert await world.refusal(dtmf(world, far.call_id, "1")) == "carrierRejected"


async def test_a_transfer_is_told_when_the_target_answers(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    await world.outcome(transfer(world, far.call_id, "One moment."))
    far.take_push()
    await far.hears_out()
    assert far.shape == [["Dial", "Number"]]
    number = far.verbs[0][0]
    assert number.text == "+15550003333"
    child = {"CallSid": "CAchild", "ParentCallSid": far.leg_id, "CallStatus": "in-progress"}
    await far.post(number.get("statusCallback"), **child)
    assert (await world.story(far.call_id))[-2:] == ["transferred", "ended"]
    assert (await far.final())["reason"] == "completed"
    await world.passes(60_000)
    assert far.status == "in-progress"
    await far.fetch(far.verbs[0].get("action"), DialCallStatus="completed")
    assert far.shape == ["Hangup"]
    assert (await world.call(far.call_id)).provider_call_id == far.leg_id


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed"])
async def test_after_a_failed_transfer_the_talk_goes_on(world: TwilioWorld, status: str) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    await world.outcome(transfer(world, far.call_id))
    far.take_push()
    await far.fetch(far.verbs[0].get("action"), DialCallStatus=status)
    assert far.shape == ["Gather", "Redirect"]
    (warning,) = await world.events(far.call_id, "call.warning")
    assert warning["code"] == "transferFailed"
