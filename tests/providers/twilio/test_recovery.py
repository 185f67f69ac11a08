"""A crash in the middle of a call: nothing is dialled again, and the call goes on or ends."""

import pytest

from sidecar.call.model import EndReason, Mode
from tests.support.twilio_line import TwilioWorld
from tests.support.twilio_rest import Trouble


async def test_after_a_crash_a_conversation_goes_on(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    await world.restart(down_ms=2_000)
    far.take_push()
    await far.says("Are you back?")
    assert [each["transcript"] for each in await world.events(far.call_id, "call.speech")] == [
        "Are you back?"
    ]
    assert len(world.rest.created) == 1


async def test_a_notify_message_survives_a_crash(world: TwilioWorld) -> None:
    far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
    await far.picks_up()
    await world.restart(down_ms=2_000)
    await far.hangs_up(5)
    assert await far.utterances() == [("played", "Your taxi is here.")]
    assert (await far.final())["reason"] == "hangup-bot"
    assert len(world.rest.created) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("busy", "busy"), ("completed", "completed"), ("failed", "failed")]
)
async def test_a_call_that_ended_meanwhile_ends_with_twilios_reason(
    world: TwilioWorld, status: str, reason: str
) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.tells("ringing")
    far.leg["status"] = status
    await world.restart()
    assert (await far.final())["reason"] == reason


async def test_a_call_that_twilio_does_not_know_is_over(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.tells("ringing")
    world.rest.calls.clear()
    await world.restart()
    assert (await far.final())["reason"] == EndReason.COMPLETED.value


async def test_a_create_cut_off_by_a_crash_is_found_again(world: TwilioWorld) -> None:
    world.rest.troubles.append(Trouble("lost"))
    world.converse()
    await world.idle()
    far = world.far_end()
    await world.restart()
    assert (await world.call(far.call_id)).provider_call_id == far.leg_id
    assert len(world.rest.created) == 1
