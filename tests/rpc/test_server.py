"""All connections together."""

import asyncio

from tests.support.rpc import WAIT_S, Bench, DirectClient, settle


async def test_everyone_gets_ready_first_whenever_they_came(bench: Bench) -> None:
    early = DirectClient(bench)
    early.request(1, "echo")
    await settle()
    await bench.open()
    late = DirectClient(bench)
    assert (await early.ready())["params"]["streamId"] == "stream-1"
    assert (await late.ready())["params"]["protocolVersion"] == 1
    assert (await early.next())["id"] == 1


async def test_every_client_gets_every_event(bench: Bench) -> None:
    await bench.open()
    clients = [DirectClient(bench) for _ in range(3)]
    await bench.happen("sidecar.draining", None)
    for client in clients:
        await client.ready()
        assert (await client.event())["type"] == "sidecar.draining"


async def test_at_the_end_answers_and_events_are_written_before_it_closes(bench: Bench) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    client.request(1, "slow")
    await settle()
    finishing = asyncio.ensure_future(bench.server.finish(5_000))
    await bench.happen("call.ended")
    bench.release.set()
    got = [await client.next(), await client.next()]
    assert {message.get("method", message.get("id")) for message in got} == {"voicecall.event", 1}
    await asyncio.wait_for(finishing, WAIT_S)
    assert client.outgoing.closed
    assert not bench.server.connections


async def test_requests_that_come_while_the_library_is_loaded_are_not_refused_for_it(
    bench: Bench,
) -> None:
    await bench.open()
    client = DirectClient(bench)
    await client.ready()
    for number in range(2_000):
        client.request(number, "echo")
        if client.connection.congested:
            await asyncio.wait_for(client.connection.relieved(), WAIT_S)
            await settle()
        elif number % 50 == 0:
            await settle()
    assert [(await client.next())["result"] for _ in range(2_000)] == [{}] * 2_000


async def test_connections_and_requests_are_counted(bench: Bench) -> None:
    await bench.open()
    client, other = DirectClient(bench), DirectClient(bench)
    await client.ready()
    client.request(1, "sidecar.ping")
    client.feed("nonsense")
    await bench.server.disconnect(other.connection)
    counted = bench.server.counters.values
    assert (counted["rpc.connected"], counted["rpc.requests"]) == (2, 1)
    assert counted["rpc.invalid"] == 1
