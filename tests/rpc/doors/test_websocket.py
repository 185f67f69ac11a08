"""The WebSocket door: who may come in, what is read, who is sent away."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sidecar.rpc.doors.websocket import WebSocketDoor
from sidecar.rpc.message import MESSAGE_LIMIT_BYTES
from tests.support.rpc import WAIT_S, Bench, settle

TOKEN = "t0ken"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def door(bench: Bench) -> AsyncIterator[WebSocketDoor]:
    await bench.open()
    door = WebSocketDoor(
        bench.server, "127.0.0.1", 0, TOKEN, ["phone.example:80"], ["https://ok.example"]
    )
    yield door
    await door.close()


@pytest.fixture
async def url(door: WebSocketDoor) -> str:
    return await door.start()


def enter(url: str, headers: dict[str, str] | None = None) -> Any:
    return connect(url, additional_headers=BEARER | (headers or {}), proxy=None)


async def receive(client: ClientConnection) -> Any:
    async with asyncio.timeout(WAIT_S):
        text = await client.recv()
    assert isinstance(text, str)
    assert text.isascii()
    return json.loads(text)


async def close_code(client: ClientConnection) -> int | None:
    async with asyncio.timeout(WAIT_S):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None


async def status(url: str, headers: dict[str, str]) -> int:
    """The HTTP status of a handshake with exactly these headers."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    path = "/" + url.partition("//")[2].partition("/")[2]
    lines = [f"GET {path} HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    async with asyncio.timeout(WAIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
    return int(answer.split()[1])


async def test_ready_comes_first_and_requests_are_answered(url: str) -> None:
    async with enter(url) as client:
        assert (await receive(client))["method"] == "sidecar.ready"
        await client.send('{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":"\u2028"}}')
        assert (await receive(client))["result"] == {"a": "\u2028"}
        await client.send("[]")
        assert (await receive(client))["error"]["data"]["kind"] == "invalidRequest"


async def test_many_messages_at_once_are_all_answered(url: str) -> None:
    async with enter(url) as client:
        await receive(client)
        for number in range(1_500):
            await client.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": "echo"}))
        answers = [await receive(client) for _ in range(1_500)]
    assert {answer["id"] for answer in answers if "result" in answer} == set(range(1_500))


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}"]
)
async def test_without_the_token_it_is_401(url: str, authorization: str | None) -> None:
    headers = {"Host": "127.0.0.1"}
    if authorization is not None:
        headers["Authorization"] = authorization
    assert await status(url, headers) == 401


async def test_the_scheme_of_the_token_has_no_case(url: str) -> None:
    assert await status(url, {"Host": "localhost", "Authorization": f"bearer {TOKEN}"}) == 101


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:1", "LOCALHOST:99", "localhost.", "[::1]:5", "[::1]", "127.9.9.9"]
    + ["phone.example", "Phone.Example:8765", "[::ffff:127.0.0.1]:80"],
)
async def test_our_own_hosts_are_let_in(url: str, host: str) -> None:
    assert await status(url, BEARER | {"Host": host}) == 101


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::2]", "localhost.evil", "0"],
)
async def test_another_host_is_403(url: str, host: str) -> None:
    assert await status(url, BEARER | {"Host": host}) == 403


async def test_no_host_at_all_is_403(url: str) -> None:
    assert await status(url, BEARER) == 403


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://ok.example", 101),
        ("https://OK.example/", 101),
        ("https://evil.example", 403),
        ("http://localhost", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_an_origin_must_be_allowed(url: str, origin: str, expected: int) -> None:
    assert await status(url, BEARER | {"Host": "localhost", "Origin": origin}) == expected


async def test_another_path_is_404(url: str) -> None:
    assert await status(url + "/other", BEARER | {"Host": "localhost"}) == 404
    assert await status(url + "/?x=1", BEARER | {"Host": "localhost"}) == 101


async def test_a_refused_client_gets_the_status(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, proxy=None)
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == "Bearer"


async def test_binary_frames_close_with_1003(url: str) -> None:
    async with enter(url) as client:
        await client.send(b'{"jsonrpc":"2.0","id":1,"method":"echo"}')
        assert await close_code(client) == 1003


async def test_a_message_that_is_too_long_closes_with_1009(url: str) -> None:
    async with enter(url) as client:
        await receive(client)
        ping = '{"jsonrpc":"2.0","id":1,"method":"sidecar.ping"}'
        await client.send(ping.ljust(MESSAGE_LIMIT_BYTES))
        assert (await receive(client))["id"] == 1
        await client.send(ping.ljust(MESSAGE_LIMIT_BYTES + 1))
        assert await close_code(client) == 1009


async def test_a_client_that_goes_is_forgotten_and_its_requests_stop(
    bench: Bench, url: str
) -> None:
    async with enter(url) as client:
        await client.send('{"jsonrpc":"2.0","id":1,"method":"slow"}')
        async with asyncio.timeout(WAIT_S):
            while not bench.calls:
                await asyncio.sleep(0)
    async with asyncio.timeout(WAIT_S):
        while bench.server.connections:
            await asyncio.sleep(0)


async def test_at_the_end_clients_are_told_that_we_go(bench: Bench, url: str) -> None:
    async with enter(url) as client:
        await receive(client)
        await bench.server.finish(0)
        assert await close_code(client) == 1001


async def test_a_slow_reader_is_cut_and_the_others_go_on(bench: Bench, url: str) -> None:
    port = int(url.rpartition(":")[2])
    slow = socket.create_connection(("127.0.0.1", port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.sendall(
        (
            f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {TOKEN}\r\n\r\n"
        ).encode()
    )
    async with asyncio.timeout(WAIT_S):
        while not bench.server.connections:
            await asyncio.sleep(0)
    (slow_connection,) = bench.server.connections
    async with enter(url) as client, asyncio.timeout(30):
        await receive(client)
        seq = 0
        while slow_connection in bench.server.connections:
            seq = await bench.happen("call.speech", transcript="x" * 50_000)
            assert (await receive(client))["params"]["seq"] == seq
        assert seq > 80
        assert slow_connection.outgoing.closed
    slow.close()


async def test_a_taken_port_is_an_error_of_the_system(door: WebSocketDoor, url: str) -> None:
    port = int(url.rpartition(":")[2])
    second = WebSocketDoor(door._server, "127.0.0.1", port, TOKEN)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()


async def test_ipv6_addresses_are_written_in_brackets(bench: Bench) -> None:
    await bench.open()
    door = WebSocketDoor(bench.server, "::1", 0, TOKEN)
    try:
        url = await door.start()
    except OSError:
        pytest.skip("no IPv6 here")
    assert url.startswith("ws://[::1]:")
    await settle()
    await door.close()
