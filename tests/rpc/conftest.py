"""An open server with one client."""

from collections.abc import AsyncIterator

import pytest

from tests.support.rpc import Bench, DirectClient


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.release.set()
    await bench.server.finish(1_000)


@pytest.fixture
async def client(bench: Bench) -> DirectClient:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    return client
