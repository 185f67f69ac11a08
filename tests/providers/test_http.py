"""The one map from network failures to what they mean, against a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sidecar.providers.http import ANSWER_BYTES, FORM, Http, Unanswered, Unreached
from tests.support.twilio_rest import Trouble, TwilioRest, served


@asynccontextmanager
async def a_client(timeout_s: float = 5.0) -> AsyncIterator[Http]:
    http = Http("Acme", timeout_s=timeout_s)
    try:
        async with asyncio.timeout(5):
            yield http
    finally:
        await http.close()


async def test_an_answer_comes_whole_with_lower_case_headers() -> None:
    rest = TwilioRest()
    rest.troubles.append(Trouble(status=429, body="busy", headers={"Retry-After": "2"}))
    async with served(rest) as base, a_client() as http:
        reply = await http.send("POST", f"{base}/x?a=%3E", headers={}, body="a=1")
    assert (reply.status, reply.body) == (429, b"busy")
    assert reply.headers["retry-after"] == "2"


async def test_a_body_is_sent_as_a_form_and_a_url_as_it_is() -> None:
    seen: list[tuple[str, str, bytes]] = []

    async def handle(request: web.Request) -> web.Response:
        kind = request.headers.get("Content-Type", "")
        seen.append((request.raw_path, kind, await request.read()))
        return web.Response(body=b"x" * (ANSWER_BYTES + 70_000))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with a_client() as http:
        url = f"http://127.0.0.1:{port}/Calls.json?StartTime%3E=1"
        reply = await http.send("POST", url, headers={}, body="a=%2B1")
        await http.send("GET", url, headers={})
    await runner.cleanup()
    assert seen[0] == ("/Calls.json?StartTime%3E=1", FORM, b"a=%2B1")
    assert seen[1][2] == b""
    assert len(reply.body) == ANSWER_BYTES


async def test_a_closed_port_was_certainly_not_reached() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with a_client() as http:
            with pytest.raises(Unreached) as refused:
                await http.send("POST", f"http://127.0.0.1:{port}/", headers={}, body="a=1")
    problem = refused.value.problem
    assert (problem.kind, problem.retryable) == ("carrierUnavailable", True)
    assert problem.message == "Acme cannot be reached."


@pytest.mark.parametrize("how", ["hang", "lost", "broken"])
async def test_a_request_without_a_whole_answer_may_have_been_carried_out(how: str) -> None:
    rest = TwilioRest()
    rest.troubles.append(Trouble(how))
    async with served(rest) as base, a_client(timeout_s=0.3) as http:
        with pytest.raises(Unanswered) as refused:
            await http.send("POST", f"{base}/x", headers={}, body="a=1")
    assert refused.value.problem.kind == "carrierUnavailable"


async def test_closing_twice_or_unused_is_fine() -> None:
    http = Http("Acme")
    await http.close()
    await http.close()
