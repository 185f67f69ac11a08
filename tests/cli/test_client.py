"""The client, over a link that is in memory."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from sidecar.cli.client import Client, TokenRefused, WebSocketLink
from sidecar.cli.exits import NoSidecar, Refused
from sidecar.engine.clock import SystemClock
from sidecar.rpc.doors.websocket import WebSocketDoor
from sidecar.rpc.server import RpcServer

WAIT_S = 5
READY = {"jsonrpc": "2.0", "method": "sidecar.ready", "params": {"lastSeq": 7}}


class MemoryLink:
    """The sidecar's side is the test: it reads `sent` and calls `say`."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = False
        self._said: asyncio.Queue[str | None] = asyncio.Queue()

    async def send(self, text: str) -> None:
        if self.closed:
            raise NoSidecar("The sidecar has ended.")
        self.sent.put_nowait(json.loads(text))

    async def receive(self) -> str | None:
        return await self._said.get()

    async def close(self) -> None:
        self.closed = True

    def say(self, message: Mapping[str, Any]) -> None:
        self._said.put_nowait(json.dumps(message))

    def end(self) -> None:
        self._said.put_nowait(None)

    async def answer(self, **outcome: Any) -> dict[str, Any]:
        """Answer the next request; gives it."""
        async with asyncio.timeout(WAIT_S):
            request = await self.sent.get()
        self.say({"jsonrpc": "2.0", "id": request["id"], **outcome})
        return request


async def _opened(link: MemoryLink, client: Client, events: Any = False) -> dict[str, Any]:
    """The params of the handshake."""
    link.say(READY)
    opening = asyncio.ensure_future(client.open(events))
    request = await link.answer(result={})
    async with asyncio.timeout(WAIT_S):
        assert await opening == {"lastSeq": 7}
    assert request["method"] == "initialize"
    params: dict[str, Any] = request["params"]
    return params


async def test_it_offers_no_agent_and_takes_the_events_it_is_asked_to() -> None:
    for wanted, told in (
        (False, False),
        (True, {"since": 7}),
        ({"since": 2, "callIds": ["a"]}, {"since": 2, "callIds": ["a"]}),
    ):
        link = MemoryLink()
        client = Client(link)
        params = await _opened(link, client, wanted)
        assert params["capabilities"] == {"events": told}
        await client.close()


async def test_answers_find_their_requests_and_errors_are_raised() -> None:
    link = MemoryLink()
    client = Client(link)
    await _opened(link, client)
    first = asyncio.ensure_future(client.request("a"))
    second = asyncio.ensure_future(client.request("b", {"n": 1}))
    async with asyncio.timeout(WAIT_S):
        ids = {(await link.sent.get())["method"]: number for number in (2, 3)}
        link.say({"id": 99, "result": "of nobody"})
        link.say({"id": ids["b"], "result": {"of": "b"}})
        link.say({"id": ids["a"], "error": {"code": -32001, "message": "No such call."}})
        assert await second == {"of": "b"}
        with pytest.raises(Refused, match="No such call") as refused:
            await first
    assert refused.value.data == {}
    await client.close()


async def test_events_come_in_order_and_end_with_the_link() -> None:
    link = MemoryLink()
    client = Client(link)
    await _opened(link, client, True)
    for seq in (8, 9):
        link.say({"method": "voicecall.event", "params": {"seq": seq}})
    link.say({"method": "something.new"})
    link.end()
    async with asyncio.timeout(WAIT_S):
        assert [event["seq"] async for event in client.events()] == [8, 9]
    with pytest.raises(NoSidecar):
        await client.request("voicecall.status")
    await client.close()


async def test_nobody_waits_for_a_sidecar_that_is_gone() -> None:
    link = MemoryLink()
    client = Client(link)
    await _opened(link, client)
    asking = asyncio.ensure_future(client.request("voicecall.status"))
    async with asyncio.timeout(WAIT_S):
        await link.sent.get()
        link.end()
        with pytest.raises(NoSidecar):
            await asking
    await client.close()


async def test_a_sidecar_that_ends_before_it_is_ready_is_told() -> None:
    link = MemoryLink()
    client = Client(link)
    link.end()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(NoSidecar):
            await client.open(False)
    await client.close()


async def test_an_agent_answers_and_may_come_too_late() -> None:
    async def agent(params: Mapping[str, Any]) -> Mapping[str, Any]:
        if params["message"] == "late":
            await link.close()
        return {"text": params["message"].upper()}

    link = MemoryLink()
    client = Client(link, agent)
    params = await _opened(link, client)
    assert params["capabilities"]["agent"] is True
    link.say({"id": "s1", "method": "agent.respond", "params": {"message": "hello"}})
    async with asyncio.timeout(WAIT_S):
        answer = await link.sent.get()
    assert (answer["id"], answer["result"]) == ("s1", {"text": "HELLO"})
    link.say({"id": "s2", "method": "agent.respond", "params": {"message": "late"}})
    link.end()
    async with asyncio.timeout(WAIT_S):
        assert [event async for event in client.events()] == []
    await client.close()


async def test_the_real_door_asks_for_the_token() -> None:
    door = WebSocketDoor(RpcServer(version="0", clock=SystemClock()), "127.0.0.1", 0, "right")
    url = await door.start()
    try:
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(TokenRefused):
                await WebSocketLink.open(url, "wrong")
            with pytest.raises(NoSidecar, match="No sidecar answers"):
                await WebSocketLink.open(f"{url}/elsewhere", "right")
            link = await WebSocketLink.open(url, "right")
            await link.send('{"jsonrpc":"2.0","id":1,"method":"sidecar.ping"}')
            assert '"pong"' in (await link.receive() or "")
            await link.close()
            assert await link.receive() is None
            with pytest.raises(NoSidecar):
                await link.send("{}")
    finally:
        await door.close()
