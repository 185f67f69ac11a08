"""Calls from outside, and what does not belong to any call."""

from pathlib import Path

import pytest

from sidecar.call.model import Mode
from tests.support.twilio_line import PUBLIC_URL, TwilioWorld
from tests.support.world import THEIRS


async def test_an_inbound_call_is_greeted_and_answered(tmp_path: Path) -> None:
    options = {"inbound_policy": "open", "inbound_greeting": "Acme, hello."}
    async with TwilioWorld(tmp_path, agent=True, **options) as world:
        far = await world.caller()
        assert far.shape == [["Gather", "Say"], "Redirect"]
        await far.says("What time is it?")
        world.agent.answer("Five.")
        await world.idle()
        far.take_push()
        far.listen()
        assert far.heard == ["Acme, hello.", "Five."]
        await far.tells("completed", CallDuration="12")
        assert (await far.final())["reason"] == "completed"
        assert (await far.final())["call"]["from"] == THEIRS


@pytest.mark.parametrize("policy", ["disabled", "allowlist", "pairing"])
async def test_an_unwanted_call_is_never_answered(tmp_path: Path, policy: str) -> None:
    async with TwilioWorld(tmp_path, inbound_policy=policy) as world:
        far = await world.caller("anonymous")
        assert [(verb.tag, verb.get("reason")) for verb in far.verbs] == [("Reject", "rejected")]
        assert far.status == "ringing"
        await far.tells("completed")
        assert await world.story() == ["rejected"]


async def test_a_call_beyond_capacity_hears_the_busy_tone(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, inbound_policy="open", max_calls=1) as world:
        await world.caller()
        far = await world.caller("+15550009999")
        assert [(verb.tag, verb.get("reason")) for verb in far.verbs] == [("Reject", "busy")]


async def test_an_unknown_caller_hears_the_code_once(tmp_path: Path) -> None:
    options = {"inbound_policy": "pairing", "pairing_phrase": "Your code is {code}."}
    async with TwilioWorld(tmp_path, **options) as world:
        far = await world.caller()
        assert far.shape == ["Say", "Hangup"]
        assert far.listen().startswith("Your code is")
        assert (await world.caller()).shape == ["Reject"]


async def test_a_call_placed_elsewhere_is_adopted(world: TwilioWorld) -> None:
    leg = world.rest.add_leg(status="in-progress", to=THEIRS)
    leg["from"] = "+15550004444"
    far = type(world.far_end())(world, leg["sid"])
    await far.fetch(PUBLIC_URL)
    call = await world.call(far.call_id)
    assert (call.direction.value, call.to_number) == ("outbound", THEIRS)
    assert far.shape == ["Gather", "Redirect"]


async def test_nobody_knows_this_call_so_it_is_hung_up(world: TwilioWorld) -> None:
    leg = world.rest.add_leg(status="in-progress", to=THEIRS)
    leg["from"] = "+15550004444"
    far = type(world.far_end())(world, leg["sid"])
    await far.fetch(f"{PUBLIC_URL}?callId=gone&type=answer&n=1")
    assert far.shape == ["Hangup"]


async def test_a_malformed_webhook_is_refused(world: TwilioWorld) -> None:
    answer = await world.callback(f"{PUBLIC_URL}?type=status", CallStatus="busy")
    assert answer.status == 400


async def test_an_unknown_status_ends_nothing(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    before = await world.call(far.call_id)
    assert (await far.tells("on-fire")).status == 200
    assert await world.call(far.call_id) == before
