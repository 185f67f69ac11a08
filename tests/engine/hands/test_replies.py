"""Asking the agent, through the whole engine."""

from sidecar.call.events import Heard
from sidecar.call.model import EndReason, State
from sidecar.ports import AgentFailed
from tests.support.world import THEIRS, World

QUESTION = "What time is it?"


async def asking(world: World) -> str:
    """A call whose caller has just asked something of the agent."""
    world.agent.come()
    call_id = await world.talking()
    await world.happens(call_id, Heard, QUESTION)
    return call_id


async def test_the_agent_is_told_what_it_needs_to_answer(world: World) -> None:
    call_id = await asking(world)
    (params,) = world.agent.asked
    assert params["callId"] == call_id
    assert params["message"] == QUESTION
    assert params["sessionKey"] == "voice:15550001111"
    assert (params["to"], params["direction"]) == (THEIRS, "outbound")
    assert params["timeoutMs"] == 30_000
    assert THEIRS in params["systemPrompt"]
    assert [line["text"] for line in params["transcript"]] == ["Hello there.", QUESTION]
    assert "agentId" not in params
    assert "model" not in params


async def test_deltas_stay_in_order_and_come_before_the_answer(world: World) -> None:
    call_id = await asking(world)
    for word in ("It is nine. ", "And it ", "is late. ", "Good ", "night."):
        world.agent.delta(word)
    world.agent.answer()
    await world.passes(10_000)
    assert " ".join((await world.said(call_id))[1:]) == "It is nine. And it is late. Good night."


async def test_an_answer_that_ends_the_call_ends_it_after_it_was_heard(world: World) -> None:
    call_id = await asking(world)
    world.agent.answer("Goodbye then.", end_call=True)
    await world.passes(5_000)
    call = await world.call(call_id)
    assert call.end_reason is EndReason.HANGUP_BOT
    assert call.transcript[-1].text == "Goodbye then."
    assert not call.transcript[-1].interrupted


async def test_new_words_cancel_the_request(world: World) -> None:
    call_id = await asking(world)
    await world.happens(call_id, Heard, "No, what day is it?")
    assert world.agent.cancelled == 1
    assert [asked["message"] for asked in world.agent.asked] == [QUESTION, "No, what day is it?"]


async def test_the_time_limit_cancels_the_request(world: World) -> None:
    call_id = await asking(world)
    await world.passes(30_000)
    assert world.agent.cancelled == 1
    (warning,) = await world.events(call_id, "call.warning")
    assert warning["code"] == "agentTimeout"


async def test_an_error_of_the_agent_is_a_warning(world: World) -> None:
    call_id = await asking(world)
    world.agent.fail(AgentFailed("The agent answered with an error."))
    await world.idle()
    (warning,) = await world.events(call_id, "call.warning")
    assert (warning["code"], warning["message"]) == (
        "agentFailed",
        "The agent answered with an error.",
    )


async def test_an_agent_that_leaves_and_comes_back_is_asked_again(world: World) -> None:
    call_id = await asking(world)
    world.agent.leave()
    await world.passes(5_000)
    assert (await world.said(call_id))[-1] == "Please hold the line for a moment."
    world.agent.come()
    await world.idle()
    world.agent.answer("It is nine.")
    await world.passes(3_000)
    assert (await world.said(call_id))[-1] == "It is nine."
    assert [asked["message"] for asked in world.agent.asked] == [QUESTION] * 2


async def test_an_agent_that_was_there_before_the_call_is_asked(world: World) -> None:
    await asking(world)
    assert len(world.agent.asked) == 1


async def test_an_agent_that_comes_in_mid_call_is_asked(world: World) -> None:
    call_id = await world.talking()
    await world.happens(call_id, Heard, "Hello?")
    world.agent.come()
    await world.idle()
    await world.happens(call_id, Heard, QUESTION)
    assert [asked["message"] for asked in world.agent.asked] == [QUESTION]


async def test_hanging_up_cancels_the_request(world: World) -> None:
    call_id = await asking(world)
    await world.outcome(world.end(call_id))
    assert world.agent.cancelled == 1
    assert (await world.call(call_id)).state is State.ENDED


async def test_closing_lets_go_of_the_agent(world: World) -> None:
    await asking(world)
    await world.engine.close()
    assert world.agent.cancelled == 1
