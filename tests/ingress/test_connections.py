"""The bound on open connections."""

import asyncio
from pathlib import Path

import pytest

from sidecar.ingress.limits import Limits
from tests.support.street import SIGNATURE, Street, body_of, event

pytestmark = pytest.mark.timeout(20)

INCOMING = body_of(event("incoming", id="e1"))


async def test_half_open_connections_push_out_each_other_and_nobody_else(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(connections=20, linger_ms=10)) as street:
        lines = []
        for number in range(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
            if number % 2:
                writer.write(b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n")
            lines.append((reader, writer))
        async with asyncio.timeout(5):
            assert (await street.post(INCOMING))[0] == 200
            assert await lines[0][0].read() == b""
        assert street.counters.values["listener.connections_dropped"] >= 40
        for _, writer in lines:
            writer.close()


async def test_a_request_at_work_is_never_pushed_out(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(connections=2, linger_ms=10)) as street:
        head = f"POST /voice/webhook HTTP/1.1\r\nHost: a\r\n{SIGNATURE}: ab\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
        writer.write(head.encode() + b"Content-Length: 2\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(5):
            while street.listener.busy == 0:
                await asyncio.sleep(0)
            for _ in range(10):
                _, idle = await asyncio.open_connection("127.0.0.1", street.port)
                idle.close()
            writer.write(b"{}")
            assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_an_idle_connection_is_closed_in_time(tmp_path: Path) -> None:
    async with Street(tmp_path, limits=Limits(idle_ms=50)) as street:
        assert await street.raw(b"") == b""
        assert await street.raw(b"GET /healthz HTTP/1.1\r\n") == b""
        assert (await street.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).endswith(b"}")
