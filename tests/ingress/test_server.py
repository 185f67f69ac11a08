"""The listener's routes and what strangers get from them."""

import asyncio
import io
import json
from pathlib import Path

import pytest
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response, StreamResponse

from sidecar.ingress.limits import Limits
from tests.support.street import SIGNATURE, Street, body_of, event, sign

pytestmark = pytest.mark.timeout(20)

INCOMING = body_of(event("incoming", id="e1"))


async def test_the_health_check_says_ok_and_nothing_more(street: Street) -> None:
    status, text, headers = await street.request("GET", "/healthz")
    assert (status, json.loads(text)) == (200, {"status": "ok"})
    assert headers["Content-Type"] == "application/json"
    assert "aiohttp" not in headers["Server"].lower()


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/healthz", "GET"),
        ("HEAD", "/healthz", "GET"),
        ("GET", "/voice/webhook", "POST"),
        ("PUT", "/voice/webhook/", "POST"),
        ("DELETE", "/voice/webhook?a=b", "POST"),
    ],
)
async def test_a_wrong_method_on_a_known_path_is_405_and_names_the_right_one(
    street: Street, method: str, path: str, allow: str
) -> None:
    status, _, headers = await street.request(method, path)
    assert (status, headers["Allow"]) == (405, allow)


@pytest.mark.parametrize(
    "path",
    ["/", "/voice", "/voice/webhook/x", "/voice/webhookx", "//voice/webhook", "/voice/stream"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_everything_else_is_not_found(street: Street, method: str, path: str) -> None:
    status, _, _ = await street.request(method, path)
    assert status == 404


async def test_rpc_is_not_served_on_this_listener(street: Street) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "sidecar.ping"}
    for path in ("/", "/rpc", "/ws"):
        status, text, _ = await street.request("POST", path, json=request)
        assert status == 404
        assert "jsonrpc" not in text


async def test_a_signed_webhook_makes_a_call_and_gets_its_document(street: Street) -> None:
    status, text = await street.post(INCOMING)
    assert status == 200
    assert text.startswith("<Call state='ringing'")
    assert await street.types() == ["call.initiated", "call.ringing"]


async def test_a_trailing_slash_is_not_significant(street: Street) -> None:
    assert (await street.post(INCOMING, path="/voice/webhook/"))[0] == 200


async def test_a_trailing_slash_in_the_configuration_is_not_significant(tmp_path: Path) -> None:
    async with Street(tmp_path, {"serve": {"path": "/hook/"}}) as street:
        assert (await street.post(INCOMING, path="/hook"))[0] == 200
        assert (await street.post(INCOMING, path="/hook/?n=2"))[0] == 200


async def test_the_root_can_be_the_webhook_path(tmp_path: Path) -> None:
    async with Street(tmp_path, {"serve": {"path": "/"}}) as street:
        assert (await street.post(INCOMING, path="/?a=1"))[0] == 200


async def test_an_escaped_path_is_the_same_path_and_is_verified_as_it_was_sent(
    street: Street,
) -> None:
    target = "/voice/webhoo%6b"
    signature = sign(f"http://127.0.0.1:{street.port}{target}", INCOMING)
    answer = await street.raw(_post(street, target, INCOMING, signature))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_whole_url_as_target_means_its_path(street: Street) -> None:
    target = f"http://127.0.0.1:{street.port}/voice/webhook?n=1"
    signature = sign(target, INCOMING)
    answer = await street.raw(_post(street, target, INCOMING, signature))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_text_answers_name_their_encoding(street: Street) -> None:
    headers = {SIGNATURE: sign(street.url(), INCOMING)}
    _, _, answered = await street.request("POST", data=INCOMING, headers=headers)
    assert answered["Content-Type"] == "text/xml; charset=utf-8"


async def test_stream_paths_are_not_found_until_the_media_door_is_open(tmp_path: Path) -> None:
    async with Street(tmp_path, {"streaming": {"enabled": True}}) as street:
        assert (await street.request("GET", "/voice/stream"))[0] == 404
        street.listener.open_media(TeapotDoor())
        assert (await street.request("GET", "/voice/stream"))[0] == 418
        assert (await street.request("GET", "/voice/stream/abc"))[0] == 418
        assert (await street.request("GET", "/voice/stream/abc/d"))[0] == 404
        status, _, headers = await street.request("POST", "/voice/stream/abc")
        assert (status, headers["Allow"]) == (405, "GET")


async def test_stream_paths_are_not_found_with_streaming_off(street: Street) -> None:
    street.listener.open_media(TeapotDoor())
    assert (await street.request("GET", "/voice/stream/abc"))[0] == 404


async def test_a_fault_of_ours_is_500_without_a_word_about_it(street: Street) -> None:
    street.listener.open_media(TeapotDoor())

    def broken(*args: object) -> str:
        raise ZeroDivisionError("secret text")

    street.carrier.replay_key = broken  # type: ignore[method-assign, assignment]
    status, text = await street.post(INCOMING)
    assert (status, text) == (500, '{"error":"internalError"}')
    assert street.counters.values["listener.failed"] == 1
    assert (await street.request("GET", "/healthz"))[0] == 200


# -- what is not good HTTP ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /voice/\xff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_and_is_not_repeated(street: Street, data: bytes) -> None:
    answer = await street.raw(data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert body == b'{"error":"badRequest"}'


async def test_many_headers_are_refused(street: Street) -> None:
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(1_000))
    answer = await street.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    assert answer.split(b" ")[1] == b"400"


async def test_headers_that_are_not_ascii_do_no_harm(street: Street) -> None:
    signature = sign(street.url(), INCOMING)
    extra = b"X-Name: \xc3\xa9\xff\r\nX-Forwarded-Host: \xff\xfe\r\n"
    answer = await street.raw(_post(street, "/voice/webhook", INCOMING, signature, extra))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_signature_that_is_not_ascii_is_none(street: Street) -> None:
    head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ".encode()
    answer = await street.raw(head + b"\xc3\xa9\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert street.carrier.verified == 0


async def test_a_host_that_is_not_ascii_fails_the_signature_and_nothing_else(
    street: Street,
) -> None:
    head = f"POST /voice/webhook HTTP/1.1\r\n{SIGNATURE}: ab\r\n".encode()
    rest = b"Host: \xff\xfe\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    answer = await street.raw(head + rest)
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_broken_chunk_is_400(street: Street) -> None:
    head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n".encode()
    answer = await street.raw(head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")
    assert answer.split(b" ")[1] == b"400"


async def test_a_chunk_that_breaks_later_is_400_too(street: Street) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
    head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n".encode()
    writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    async with asyncio.timeout(5):
        while street.listener.busy == 0:
            await asyncio.sleep(0)
        writer.write(b"zz\r\nabc\r\n")
        assert (await reader.read()).split(b" ")[1] == b"400"
    writer.close()
    assert street.listener.busy == 0


async def test_a_packed_body_is_verified_as_it_was_sent(street: Street) -> None:
    headers = {"Content-Encoding": "gzip"}
    status, _ = await street.post(b"\x1f\x8b not gzip", headers=headers)
    assert status == 400
    assert street.counters.values["webhook.malformed"] == 1


async def test_a_peer_that_goes_away_in_its_body_leaves_nothing_behind(street: Street) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", street.port)
    head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n"
    writer.write(head.encode() + b"Content-Length: 100\r\n\r\nabc")
    await writer.drain()
    async with asyncio.timeout(5):
        while street.listener.busy == 0:
            await asyncio.sleep(0)
        writer.transport.abort()
        while street.listener.busy:
            await asyncio.sleep(0)
    assert street.counters.values["listener.peer_gone"] == 1


# -- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 * 1024 + 1, 60_000_000])
async def test_a_body_over_the_cap_is_413(tmp_path: Path, size: int) -> None:
    async with Street(tmp_path, limits=Limits()) as street:
        headers = {SIGNATURE: "00"}
        body = io.BytesIO(bytes(size))
        status, _, _ = await street.request("POST", data=body, headers=headers)
        assert status == 413
        assert street.carrier.verified == 0


async def test_a_short_body_of_unknown_length_is_measured(street: Street) -> None:
    signature = sign(street.url(), INCOMING)
    head = f"POST /voice/webhook HTTP/1.1\r\nHost: 127.0.0.1:{street.port}\r\n"
    wire = f"{head}{SIGNATURE}: {signature}\r\nConnection: close\r\n"
    chunk = f"Transfer-Encoding: chunked\r\n\r\n{len(INCOMING):x}\r\n".encode()
    data = wire.encode() + chunk + INCOMING + b"\r\n0\r\n\r\n"
    assert (await street.raw(data)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_at_the_cap_is_read(street: Street) -> None:
    status, _ = await street.post(b"x" * 64 * 1024, signature="00")
    assert status == 401


async def test_a_body_of_unknown_length_is_capped_too(street: Street) -> None:
    async def endless() -> object:
        for _ in range(1_000):
            yield b"x" * 1_024

    headers = {SIGNATURE: "00"}
    status, _, _ = await street.request("POST", data=endless(), headers=headers)
    assert status == 413


async def test_a_slow_body_is_408(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(body_ms=50, linger_ms=10)) as street:
        head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n".encode()
        answer = await street.raw(head + b"Content-Length: 100\r\n\r\nabc")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"Connection: close" in answer


async def test_unsigned_requests_are_refused_before_their_body_is_read(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(linger_ms=10)) as street:
        head = b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
        answer = await street.raw(head)
        assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_client_that_asks_first_is_told_to_go_on(street: Street) -> None:
    signature = sign(street.url(), INCOMING)
    reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
    whole = _post(street, "/voice/webhook", INCOMING, signature, b"Expect: 100-continue\r\n")
    head, _, body = whole.partition(b"\r\n\r\n")
    async with asyncio.timeout(5):
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_client_that_asks_for_too_much_is_told_so_at_once(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(linger_ms=10)) as street:
        head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n".encode()
        wish = b"Expect: 100-continue\r\nContent-Length: 60000000\r\n\r\n"
        assert (await street.raw(head + wish)).startswith(b"HTTP/1.1 413 ")
        wish = b"Expect: a-miracle\r\nContent-Length: 6\r\n\r\n"
        assert (await street.raw(head + wish)).startswith(b"HTTP/1.1 417 ")


# -- life -----------------------------------------------------------------------------------------


async def test_closing_lets_the_answer_out_that_is_being_written(street: Street) -> None:
    held = asyncio.Event()
    entered = asyncio.Event()
    take = street.inbound.take

    async def slow_take(*args: object) -> object:
        entered.set()
        await held.wait()
        return await take(*args)  # type: ignore[arg-type]

    street.inbound.take = slow_take  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(5):
        posting = asyncio.create_task(street.post(INCOMING))
        await entered.wait()
        closing = asyncio.create_task(street.listener.close())
        await asyncio.sleep(0)
        held.set()
        assert (await posting)[0] == 200
        await closing


async def test_closing_twice_is_harmless(street: Street) -> None:
    await street.listener.close()
    await street.listener.close()


class TeapotDoor:
    async def handle(self, request: BaseRequest) -> StreamResponse:
        return Response(status=418)


def _post(street: Street, target: str, body: bytes, signature: str, extra: bytes = b"") -> bytes:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{street.port}\r\n{SIGNATURE}: {signature}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    )
    return head.encode() + extra + b"\r\n" + body
