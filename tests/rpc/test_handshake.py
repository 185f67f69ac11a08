"""`initialize`: when it may come, what it answers, and who brings the configuration."""

from collections.abc import Mapping
from typing import Any

import pytest

from sidecar.errors import ConfigError
from tests.support.rpc import Bench, DirectClient, MemoryStore, settle

CLIENT = {"protocolVersion": 1, "client": {"name": "t", "version": "1"}}


def kind(message: Any) -> str:
    return message["error"]["data"]["kind"]


async def test_it_answers_what_the_contract_names(bench: Bench, client: DirectClient) -> None:
    client.request(1, "initialize", CLIENT | {"someday": True})
    assert (await client.next())["result"] == {
        "protocolVersion": 1,
        "server": {"name": "voicecall-sidecar", "version": "0.0.1"},
        "capabilities": {"agent": True, "events": True},
        "streamId": "stream-1",
        "lastSeq": 0,
        "resync": False,
        "methods": sorted([*bench.handlers, "initialize", "sidecar.ping", "events.subscribe"]),
    }


async def test_it_may_be_sent_once(client: DirectClient) -> None:
    client.request(1, "initialize", CLIENT)
    client.request(2, "initialize", CLIENT)
    assert kind(await client.next()) == "invalidRequest"
    assert "result" in await client.next()
    client.request(3, "initialize", CLIENT)
    assert kind(await client.next()) == "invalidRequest"


@pytest.mark.parametrize("method", ["echo", "sidecar.ping", "no.such.method"])
async def test_it_must_come_before_anything_else(client: DirectClient, method: str) -> None:
    client.request(1, method)
    await client.next()
    client.request(2, "initialize", CLIENT)
    assert kind(await client.next()) == "invalidRequest"


async def test_broken_messages_and_unknown_dollar_notifications_do_not_count_as_something_else(
    client: DirectClient,
) -> None:
    client.feed("nonsense")
    await client.next()
    client.notify("$/setTrace", {})
    client.request(1, "initialize", CLIENT)
    assert "result" in await client.next()


async def test_a_failed_one_does_not_count(client: DirectClient) -> None:
    client.request(1, "initialize", {"protocolVersion": 1})
    message = await client.next()
    assert kind(message) == "invalidParams"
    assert message["error"]["data"]["errors"][0]["field"] == "client"
    client.request(2, "initialize", CLIENT)
    assert "result" in await client.next()


@pytest.mark.parametrize("version", [0, 2, 99])
async def test_another_version_is_refused_before_its_shape_is_looked_at(
    client: DirectClient, version: int
) -> None:
    client.request(1, "initialize", {"protocolVersion": version, "client": 7})
    message = await client.next()
    assert message["error"]["code"] == -32015
    assert message["error"]["data"]["supported"] == [1]


@pytest.mark.parametrize("version", [True, "1", 1.0, None])
async def test_a_version_that_is_no_whole_number_is_a_bad_param(
    client: DirectClient, version: Any
) -> None:
    client.request(1, "initialize", CLIENT | {"protocolVersion": version})
    assert kind(await client.next()) == "invalidParams"


async def test_configuration_is_refused_where_it_does_not_belong(client: DirectClient) -> None:
    client.request(1, "initialize", CLIENT | {"config": {}})
    message = await client.next()
    assert kind(message) == "invalidParams"
    assert message["error"]["data"]["errors"][0]["field"] == "config"


async def test_before_ready_it_waits_when_it_brings_nothing(bench: Bench) -> None:
    client = DirectClient(bench)
    client.request(1, "initialize", CLIENT)
    await settle()
    await bench.open()
    await client.ready()
    assert "result" in await client.next()


async def test_it_can_stand_in_a_batch(bench: Bench, client: DirectClient) -> None:
    await bench.happen("call.ended")
    client.feed(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT},
            {"jsonrpc": "2.0", "id": 2, "method": "echo"},
        ]
    )
    got = [await client.next(), await client.next()]
    answers = next(message for message in got if isinstance(message, list))
    assert [answer["id"] for answer in answers] == [1, 2]


class _Configured:
    """Accepts `{"good": true}` and opens the bench."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seen: list[Mapping[str, Any] | None] = []
        bench.server.on_configure = self.configure

    async def configure(self, config: Mapping[str, Any] | None) -> None:
        self.seen.append(config)
        await settle(3)
        if config is not None and "good" not in config:
            raise ConfigError([("twilio.authToken", "is required")])
        await self.bench.open()


async def test_with_await_initialize_ready_comes_first_then_the_answer_then_the_rest(
    bench: Bench,
) -> None:
    configured = _Configured(bench)
    client = DirectClient(bench, configures=True)
    client.request("early", "echo")
    client.request("ping", "sidecar.ping")
    assert (await client.next())["id"] == "ping"
    client.request("init", "initialize", CLIENT | {"config": {"good": True}})
    client.request("later", "echo")
    await client.ready()
    assert [(await client.next())["id"] for _ in range(3)] == ["init", "early", "later"]
    assert configured.seen == [{"good": True}]


async def test_with_await_initialize_configuration_may_be_absent(bench: Bench) -> None:
    configured = _Configured(bench)
    client = DirectClient(bench, configures=True)
    client.request(1, "initialize", CLIENT)
    await client.ready()
    assert "result" in await client.next()
    assert configured.seen == [None]


async def test_a_bad_configuration_opens_nothing_and_may_be_mended(bench: Bench) -> None:
    _Configured(bench)
    client = DirectClient(bench, configures=True)
    client.request(1, "initialize", CLIENT | {"config": {"bad": True}})
    client.request(2, "echo")
    message = await client.next()
    assert message["id"] == 1
    assert message["error"]["data"]["errors"] == [
        {"field": "twilio.authToken", "problem": "is required"}
    ]
    client.request(3, "initialize", CLIENT | {"config": {"good": True}})
    await client.ready()
    assert [(await client.next())["id"] for _ in range(2)] == [3, 2]


async def test_a_configuring_initialize_cannot_be_cancelled_half_way(bench: Bench) -> None:
    _Configured(bench)
    client = DirectClient(bench, configures=True)
    client.request(1, "initialize", CLIENT | {"config": {"good": True}})
    await settle(2)
    client.notify("$/cancelRequest", {"id": 1})
    await client.ready()
    assert "result" in await client.next()


async def test_another_client_cannot_bring_configuration(bench: Bench) -> None:
    _Configured(bench)
    other = DirectClient(bench)
    client = DirectClient(bench, configures=True)
    other.request(1, "initialize", CLIENT | {"config": {}})
    client.request(1, "initialize", CLIENT)
    await other.ready()
    assert kind(await other.next()) == "invalidParams"


# -- resync ---------------------------------------------------------------------------------------


async def _resync(store: MemoryStore, events: Any, happened: int = 0) -> bool:
    bench = Bench(store)
    await bench.open()
    for _ in range(happened):
        await bench.happen("call.active")
    client = DirectClient(bench)
    await client.ready()
    client.request(1, "initialize", CLIENT | {"capabilities": {"events": events}})
    answer = await client.next()
    await bench.server.finish(0)
    return bool(answer["result"]["resync"])


async def test_the_same_stream_needs_no_resync() -> None:
    assert not await _resync(MemoryStore(), {"since": 0})
    assert not await _resync(MemoryStore(), {"since": 2, "streamId": "stream-1"}, happened=3)
    assert not await _resync(MemoryStore(), {"streamId": "stream-1"})
    assert not await _resync(MemoryStore(), False)
    assert not await _resync(MemoryStore(first_seq=101), {"since": 100})


async def test_another_stream_or_what_is_not_kept_needs_a_resync() -> None:
    assert await _resync(MemoryStore(), {"since": 0, "streamId": "stream-0"})
    assert await _resync(MemoryStore(first_seq=101), {"since": 99})
    assert await _resync(MemoryStore(), {"since": 5})
