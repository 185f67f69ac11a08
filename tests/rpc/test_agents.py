"""Requests the sidecar sends: who is asked, what counts as an answer, and how it is called off."""

import asyncio
from typing import Any

import pytest

from sidecar.ports import AgentAnswer, AgentFailed, AgentGone
from tests.support.rpc import Bench, DirectClient, settle

INITIALIZE = {
    "protocolVersion": 1,
    "client": {"name": "t", "version": "1"},
    "capabilities": {"agent": True},
}


async def agent(bench: Bench) -> DirectClient:
    client = DirectClient(bench)
    await client.ready()
    client.request(0, "initialize", INITIALIZE)
    await client.next()
    return client


def ask(bench: Bench, deltas: list[str] | None = None) -> asyncio.Future[AgentAnswer]:
    on_delta = ([] if deltas is None else deltas).append
    return asyncio.ensure_future(bench.server.agents.respond({"message": "hello"}, on_delta))


@pytest.fixture
async def open_bench(bench: Bench) -> Bench:
    await bench.open()
    return bench


async def test_a_client_that_offered_is_asked_and_answers(open_bench: Bench) -> None:
    client = await agent(open_bench)
    asked = ask(open_bench)
    request = await client.next()
    assert request == {
        "jsonrpc": "2.0",
        "id": "s1",
        "method": "agent.respond",
        "params": {"message": "hello"},
    }
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "hi", "endCall": True}})
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "again"}})
    assert await asked == AgentAnswer("hi", True)
    await client.nothing_more()


async def test_deltas_reach_the_reply_they_belong_to(open_bench: Bench) -> None:
    client = await agent(open_bench)
    deltas: list[str] = []
    asked = ask(open_bench, deltas)
    await client.next()
    for params in (
        {"requestId": "s1", "text": "one "},
        {"requestId": "s2", "text": "not ours"},
        {"requestId": "s1"},
        {"requestId": 1, "text": "x"},
        ["s1", "x"],
        None,
        {"requestId": "s1", "text": "x", "more": 1},
        {"requestId": "s1", "text": "two"},
    ):
        client.notify("agent.delta", params)
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {}})
    client.notify("agent.delta", {"requestId": "s1", "text": "late"})
    assert await asked == AgentAnswer(None, False)
    assert deltas == ["one ", "two"]
    await client.nothing_more()


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": 1, "message": "no"}},
        {"error": None},
        {"result": None},
        {"result": "text"},
        {"result": {"text": 1}},
        {"result": {"endCall": "yes"}},
        {"result": []},
    ],
)
async def test_an_error_or_a_malformed_result_is_a_failure_of_the_agent(
    open_bench: Bench, answer: dict[str, Any]
) -> None:
    client = await agent(open_bench)
    asked = ask(open_bench)
    await client.next()
    client.feed({"jsonrpc": "2.0", "id": "s1"} | answer)
    with pytest.raises(AgentFailed):
        await asked
    await client.nothing_more()


async def test_unknown_members_of_a_result_are_ignored(open_bench: Bench) -> None:
    client = await agent(open_bench)
    asked = ask(open_bench)
    await client.next()
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "hi", "mood": 1}})
    assert (await asked).text == "hi"


async def test_the_newest_is_asked_and_the_next_when_it_has_gone(open_bench: Bench) -> None:
    changes: list[bool] = []
    agents = open_bench.server.agents
    agents.on_change(lambda: changes.append(agents.available))
    older, newer = await agent(open_bench), await agent(open_bench)
    asked = ask(open_bench)
    await newer.next()
    older.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "not asked"}})
    await open_bench.server.disconnect(newer.connection)
    with pytest.raises(AgentGone):
        await asked
    asked = ask(open_bench)
    assert (await older.next())["id"] == "s2"
    older.connection.input_ended()
    with pytest.raises(AgentGone):
        await asked
    assert changes == [True, True, True, False]
    with pytest.raises(AgentGone):
        await ask(open_bench)


async def test_calling_off_tells_the_client_and_its_late_answer_is_ignored(
    open_bench: Bench,
) -> None:
    client = await agent(open_bench)
    asked = ask(open_bench)
    await client.next()
    asked.cancel()
    assert await client.next() == {
        "jsonrpc": "2.0",
        "method": "$/cancelRequest",
        "params": {"id": "s1"},
    }
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "late"}})
    await client.nothing_more()
    assert asked.cancelled()


async def test_ids_of_the_two_directions_are_independent(open_bench: Bench) -> None:
    client = await agent(open_bench)
    asked = ask(open_bench)
    await client.next()
    client.request("s1", "slow")
    client.feed({"jsonrpc": "2.0", "id": "s1", "result": {"text": "hi"}})
    assert (await asked).text == "hi"
    open_bench.release.set()
    assert (await client.next())["result"] == {"slow": True}


async def test_who_did_not_offer_is_never_asked(open_bench: Bench) -> None:
    client = DirectClient(open_bench)
    await client.ready()
    await settle()
    assert not open_bench.server.agents.available
