"""Notify calls and the dialling of every call: what Twilio is asked, what the far end hears."""

from pathlib import Path
from typing import Any

import pytest

from sidecar.call.model import Detection, Mode
from tests.support.twilio_line import TwilioWorld
from tests.support.twilio_rest import Trouble, error
from tests.support.world import limits


async def test_a_notify_message_needs_no_webhook_to_be_heard(world: TwilioWorld) -> None:
    far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
    await far.picks_up()
    assert far.shape == ["Say", "Pause", "Hangup"]
    assert far.listen() == "Your taxi is here."
    await world.passes(5_000)
    await far.hangs_up(5)
    assert await world.story(far.call_id) == [
        "initiated",
        "ringing",
        "answered",
        "active",
        "speaking",
        "utterance",
        "ended",
    ]
    assert await far.utterances() == [("played", "Your taxi is here.")]
    assert (await far.final())["reason"] == "hangup-bot"
    assert world.rest.updates(far.leg_id) == []


async def test_who_hangs_up_at_once_has_not_heard_the_message(world: TwilioWorld) -> None:
    far = await world.leg("This is a long message. " * 10, mode=Mode.NOTIFY)
    await far.picks_up()
    await far.hangs_up(1)
    assert await far.utterances() == [("interrupted", "")]
    assert (await far.final())["reason"] == "completed"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("busy", "busy"),
        ("no-answer", "no-answer"),
        ("failed", "failed"),
        ("canceled", "hangup-bot"),
    ],
)
async def test_a_call_that_is_not_answered(world: TwilioWorld, status: str, reason: str) -> None:
    far = await world.leg(mode=Mode.NOTIFY)
    await far.tells("initiated")
    await far.tells(status, SipResponseCode="486")
    assert (await far.final())["reason"] == reason


async def test_a_long_message_is_fetched_and_hung_up_after_it_was_heard(world: TwilioWorld) -> None:
    text = "This is a long message indeed. " * 129
    far = await world.leg(text, mode=Mode.NOTIFY)
    await far.picks_up()
    assert far.shape == ["Say", "Say", "Redirect"]
    await far.hears_out()
    assert "".join(far.heard).split() == text.split()
    assert far.shape == ["Pause", "Hangup"]
    assert (await far.utterances())[0][0] == "played"
    assert far.status == "in-progress"
    await world.passes(3_000)
    assert far.status == "completed"
    assert (await far.final())["reason"] == "hangup-bot"


async def test_the_poll_notices_what_no_callback_told(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, limits=limits(ring_ms=90_000)) as world:
        far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
        far.leg["status"] = "ringing"
        await world.passes(30_000)
        far.leg["status"] = "in-progress"
        await world.passes(30_000)
        assert await world.story(far.call_id) == [
            "initiated",
            "ringing",
            "answered",
            "active",
            "speaking",
        ]
        far.leg.update(status="completed", duration="6")
        await world.passes(30_000)
        assert await far.utterances() == [("played", "Your taxi is here.")]
        assert (await far.final())["reason"] == "hangup-bot"
        assert world.rest.updates(far.leg_id) == []


async def test_a_message_without_any_callback_does_not_seem_unanswered(world: TwilioWorld) -> None:
    far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
    far.leg["status"] = "in-progress"
    await world.passes(12_000)
    assert (await world.story(far.call_id))[-1] == "speaking"
    far.leg.update(status="completed", duration="6")
    await world.passes(40_000)
    assert await far.utterances() == [("played", "Your taxi is here.")]
    assert (await far.final())["reason"] == "hangup-bot"


async def test_the_poll_asks_for_conversations_too(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, limits=limits(ring_ms=200_000)) as world:
        far = await world.leg(mode=Mode.CONVERSATION)
        await world.passes(30_000)
        assert await world.story(far.call_id) == ["initiated"]
        far.leg["status"] = "in-progress"
        await world.passes(30_000)
        assert await world.story(far.call_id) == ["initiated", "answered"]
        far.leg["status"] = "no-answer"
        await world.passes(30_000)
        assert (await far.final())["reason"] == "no-answer"


async def test_the_poll_ends_a_call_that_twilio_does_not_know(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, limits=limits(ring_ms=90_000)) as world:
        far = await world.leg(mode=Mode.CONVERSATION)
        world.rest.calls.clear()
        await world.passes(30_000)
        assert (await far.final())["reason"] == "completed"


async def test_a_refused_call_tells_twilios_reason(world: TwilioWorld) -> None:
    world.rest.troubles.append(error(400, 21211, "Invalid 'To' Phone Number"))
    task = world.dial()
    problem = await world.outcome(task)
    assert problem.kind == "carrierRejected"  # type: ignore[union-attr]
    ended = await world.events(None, "call.ended")
    assert [each["reason"] for each in ended] == ["failed"]


async def test_news_that_overtake_the_lost_answer_make_the_dial_succeed(world: TwilioWorld) -> None:
    world.rest.troubles.append(Trouble("lost"))
    task = world.converse()
    await world.idle()
    far = world.far_end()
    await far.tells("ringing")
    answer = await world.outcome(task)
    assert answer == {"callId": far.call_id, "initiated": True}
    await world.passes(15_000)
    assert len(world.rest.created) == 1
    assert (await world.call(far.call_id)).provider_call_id == far.leg_id


async def test_a_call_that_never_was_fails_for_good(world: TwilioWorld) -> None:
    world.rest.troubles.append(Trouble("hang"))
    task = world.converse()
    await world.passes(16_000)
    problem = await world.outcome(task)
    assert (problem.kind, problem.retryable) == ("carrierUnavailable", False)  # type: ignore[union-attr]
    assert world.rest.created == []


async def amd(far: Any, answered_by: str) -> None:
    assert far.created is not None
    form = {"AnsweredBy": answered_by, "MachineDetectionDuration": "3000"}
    answer = await far.post(far.created.get("AsyncAmdStatusCallback"), **form)
    assert answer.body == ""


async def test_a_machine_is_hung_up_on(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.DETECT) as world:
        far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
        await far.picks_up()
        assert far.listen() == "Your taxi is here."
        await amd(far, "machine_start")
        assert far.status == "completed"
        assert (await far.final())["reason"] == "voicemail"


async def test_a_message_is_left_after_the_beep(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.CONVERSATION)
        await far.picks_up()
        assert far.listen() == "Please call back."
        await amd(far, "machine_end_beep")
        far.take_push()
        assert far.shape == ["Say", "Redirect"]
        await far.hears_out()
        assert far.heard == ["Please call back."] * 2
        assert far.status == "completed"
        assert (await far.final())["reason"] == "voicemail"


async def test_the_beep_counts_too_when_nothing_is_being_said(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.CONVERSATION)
        await far.picks_up()
        await far.stays_silent()
        await amd(far, "machine_end_beep")
        far.take_push()
        assert far.shape == ["Say", "Redirect"]


async def test_a_message_that_cannot_be_pushed_after_the_beep_has_failed(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.CONVERSATION)
        await far.picks_up()
        await far.stays_silent()
        world.rest.troubles.append(Trouble(status=403, body="{}"))
        await amd(far, "machine_end_beep")
        assert (await far.utterances())[-1][0] == "failed"
        assert (await far.final())["reason"] == "voicemail"


async def test_a_person_hears_no_more_of_it(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.DETECT) as world:
        far = await world.leg("Hello.", mode=Mode.CONVERSATION)
        await far.picks_up()
        await amd(far, "human")
        assert (await world.call(far.call_id)).machine == "human"
        assert world.rest.updates(far.leg_id) == []


async def test_a_notify_message_is_left_after_a_greeting_longer_than_it(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.NOTIFY)
        await far.picks_up()
        assert far.shape == ["Say", "Redirect"]
        await far.hears_out()
        for _ in range(10):
            await world.passes(1_000)
            assert far.shape == ["Pause", "Redirect"]
            await far.hears_out()
        await amd(far, "machine_end_beep")
        far.take_push()
        await far.hears_out()
        assert far.heard == ["Please call back."] * 2
        assert (await far.final())["reason"] == "voicemail"


async def test_a_person_hears_a_message_once_and_is_let_go(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.NOTIFY)
        await far.picks_up()
        await far.hears_out()
        await amd(far, "human")
        await far.hears_out()
        assert far.shape == ["Redirect"]
        await far.hears_out()
        assert far.shape == ["Pause", "Hangup"]
        await world.passes(3_000)
        assert (await far.final())["reason"] == "hangup-bot"
        assert await far.utterances() == [("played", "Please call back.")]


async def test_nobody_waits_for_ever_for_word_of_a_machine(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, detection=Detection.LEAVE_MESSAGE) as world:
        far = await world.leg("Please call back.", mode=Mode.NOTIFY)
        await far.picks_up()
        await far.hears_out()
        await world.passes(28_000)
        await far.hears_out()
        assert far.shape == ["Redirect"]
        await far.hears_out()
        assert (await far.utterances())[0][0] == "played"


async def test_late_doubled_and_swapped_callbacks_change_nothing(world: TwilioWorld) -> None:
    far = await world.leg("Your taxi is here.", mode=Mode.NOTIFY)
    await far.tells("in-progress")
    await far.tells("ringing")
    await far.tells("in-progress")
    await far.hangs_up(8)
    await far.hangs_up(8)
    for status in ("ringing", "in-progress", "busy"):
        await far.tells(status)
    assert await world.story(far.call_id) == [
        "initiated",
        "answered",
        "active",
        "speaking",
        "utterance",
        "ended",
    ]
    assert (await far.final())["reason"] == "hangup-bot"


async def test_an_end_that_overtakes_the_answer_still_tells_both(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.hangs_up(8)
    await far.tells("in-progress")
    assert await world.story(far.call_id) == ["initiated", "answered", "ended"]
