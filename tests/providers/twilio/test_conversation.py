"""Conversations by turns: what is heard, what is answered, what the host is told."""

from sidecar.call.model import Mode, Speaker
from tests.support.twilio_line import TwilioWorld
from tests.support.twilio_rest import Trouble, error


async def test_five_turns_with_silence_and_stale_words(talkative: TwilioWorld) -> None:
    world = talkative
    far = await world.leg("How can I help?", mode=Mode.CONVERSATION)
    await far.picks_up()
    for turn in range(5):
        old = far.gather.get("action")
        await far.says(f"Question {turn}?")
        await far.post(old, SpeechResult="The same again")
        assert far.shape == ["Gather", "Redirect"]
        await far.stays_silent()
        world.agent.answer(f"Answer {turn}.")
        await world.idle()
        far.take_push()
        assert far.shape == [["Gather", "Say"], "Redirect"]
    far.listen()
    assert far.heard == ["How can I help?", *(f"Answer {turn}." for turn in range(5))]
    assert [asked["message"] for asked in world.agent.asked] == [f"Question {n}?" for n in range(5)]
    await far.hangs_up()
    lines = (await world.call(far.call_id)).transcript
    users = [line.text for line in lines if line.speaker is Speaker.USER]
    assert users == [f"Question {turn}?" for turn in range(5)]
    assert all(not line.interrupted for line in lines)
    assert await world.events(far.call_id, "call.silence") == []


async def test_continue_gets_the_words_that_answer_it(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    task = world.prompt(far.call_id, "What is your name?")
    await world.idle()
    far.take_push()
    stale = far.gather.get("action") or ""
    await far.post(stale.replace("turn=", "turn=x"), SpeechResult="Not for this turn")
    assert not task.done()
    await far.says("Ada")
    answer = await world.outcome(task)
    assert answer == {"success": True, "transcript": "Ada"}
    speech = await world.events(far.call_id, "call.speech")
    assert [(each["transcript"], each["confidence"]) for each in speech] == [("Ada", 0.9)]


async def test_an_empty_result_is_silence_and_the_prompt_goes_on_waiting(
    world: TwilioWorld,
) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    task = world.prompt(far.call_id)
    await world.idle()
    far.take_push()
    await far.stays_silent()
    await far.stays_silent()
    silences = await world.events(far.call_id, "call.silence")
    assert [each["durationMs"] for each in silences] == [5_000, 10_000]
    await far.says("Here I am")
    assert (await world.outcome(task))["transcript"] == "Here I am"  # type: ignore[index]


async def test_a_waiter_is_told_when_the_caller_hangs_up(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    task = world.prompt(far.call_id)
    await world.idle()
    await far.hangs_up()
    assert await world.refusal(task) == "callEnded"
    assert (await far.final())["reason"] == "completed"


async def test_what_is_spoken_one_after_the_other_is_heard_so(world: TwilioWorld) -> None:
    far = await world.leg("One.", mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    await world.outcome(world.speak(far.call_id, "Two."))
    await world.outcome(world.speak(far.call_id, "Three."))
    far.take_push()
    assert far.shape in (["Say", "Redirect"], [["Gather", "Say"], "Redirect"])
    if far.shape == ["Say", "Redirect"]:
        await far.hears_out()
    else:
        await far.stays_silent()
    far.listen()
    assert far.heard == ["One.", "Two.", "Three."]


async def test_a_streamed_reply_goes_out_sentence_by_sentence(talkative: TwilioWorld) -> None:
    world = talkative
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.says("Tell me.")
    world.agent.delta("First one. And ")
    await world.idle()
    far.take_push()
    assert far.shape == ["Say", "Redirect"]
    world.agent.delta("then the second.")
    world.agent.answer()
    await world.idle()
    await far.hears_out()
    assert far.shape == [["Gather", "Say"], "Redirect"]
    far.listen()
    assert far.heard[1:] == ["First one.", "And then the second."]


async def test_an_agent_that_ends_the_call_is_heard_out(talkative: TwilioWorld) -> None:
    world = talkative
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.says("Bye.")
    world.agent.answer("Goodbye then.", end_call=True)
    await world.idle()
    far.take_push()
    assert far.shape == ["Say", "Redirect"]
    await far.hears_out()
    assert far.shape == ["Hangup"]
    assert far.status == "completed"
    assert (await far.final())["reason"] == "hangup-bot"
    assert await far.utterances() == [("played", "Hello there."), ("played", "Goodbye then.")]


async def test_keys_are_events_and_count_once(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    address = far.gather.get("action")
    await far.keys("12")
    first = await far.post(address, Digits="12")
    assert first == await far.post(address, Digits="12")
    assert (await world.call(far.call_id)).dtmf == "12"


async def test_end_cuts_what_is_being_said(world: TwilioWorld) -> None:
    far = await world.leg("A rather long greeting for you.", mode=Mode.CONVERSATION)
    await far.picks_up()
    await world.passes(1_000)
    await world.outcome(world.end(far.call_id))
    assert far.status == "completed"
    (utterance,) = await far.utterances()
    assert utterance[0] == "interrupted"
    assert (await far.final())["reason"] == "hangup-bot"


async def test_a_hang_up_is_repeated_until_twilio_has_taken_it(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    world.rest.troubles += [Trouble(status=500)] * 7
    await world.outcome(world.end(far.call_id))
    await world.passes(60_000)
    assert far.status == "completed"
    await far.final()


async def test_a_document_that_is_refused_for_a_moment_is_pushed_again(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    world.rest.troubles.append(error(400, 21220))
    await world.outcome(world.speak(far.call_id, "Still there?"))
    await world.passes(500)
    far.take_push()
    assert far.listen() == "Still there?"


async def test_a_document_that_is_refused_for_good_fails_the_utterance(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    for _ in range(4):
        world.rest.troubles += [error(400, 21220), Trouble(status=200, body=_alive(far.leg_id))]
    await world.outcome(world.speak(far.call_id, "Still there?"))
    await world.passes(4_000)
    assert (await far.utterances())[-1] == ("failed", "")
    far.take_push()
    assert far.shape == ["Gather", "Redirect"]


def _alive(leg_id: str) -> str:
    return f'{{"sid": "{leg_id}", "status": "in-progress", "direction": "outbound-api"}}'


async def test_speaking_into_a_call_that_is_over_ends_it(world: TwilioWorld) -> None:
    far = await world.leg(mode=Mode.CONVERSATION)
    await far.picks_up()
    await far.stays_silent()
    far.leg.update(status="completed", duration="9")
    await world.outcome(world.speak(far.call_id, "Still there?"))
    assert (await far.final())["reason"] == "completed"
