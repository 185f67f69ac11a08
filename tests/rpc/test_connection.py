"""The loop of one client: answers, batches, ids, cancellation, limits."""

import asyncio
import json
from typing import Any

import pytest

from sidecar.rpc.connection import IN_FLIGHT_LIMIT
from tests.support.rpc import Bench, DirectClient, settle


def refusal(request_id: Any, kind: str, message: Any) -> None:
    assert message["id"] == request_id
    assert message["error"]["data"]["kind"] == kind
    assert isinstance(message["error"]["data"]["retryable"], bool)


# -- the examples of the specification ------------------------------------------------------------


async def test_positional_params_are_refused(client: DirectClient) -> None:
    client.request(1, "echo", [42, 23])
    refusal(1, "invalidParams", await client.next())


async def test_named_params_reach_the_method(client: DirectClient) -> None:
    client.request(3, "echo", {"subtrahend": 23, "minuend": 42, "self": 1, "context": 2})
    assert await client.next() == {
        "jsonrpc": "2.0",
        "id": 3,
        "result": {"subtrahend": 23, "minuend": 42, "self": 1, "context": 2},
    }


async def test_a_notification_is_worked_on_and_never_answered(
    bench: Bench, client: DirectClient
) -> None:
    client.notify("echo", {"a": 1})
    client.notify("foobar")
    client.notify("echo", [1, 2, 3])
    client.notify("broken")
    await settle()
    await client.nothing_more()
    async with asyncio.timeout(5):
        while bench.calls != ["echo"]:
            await asyncio.sleep(0)


async def test_an_unknown_method_is_method_not_found(client: DirectClient) -> None:
    client.request("1", "foobar")
    message = await client.next()
    refusal("1", "methodNotFound", message)
    assert message["error"]["code"] == -32601


async def test_invalid_json_is_a_parse_error(client: DirectClient) -> None:
    client.feed('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    message = await client.next()
    refusal(None, "parseError", message)
    assert message["error"]["code"] == -32700


async def test_an_invalid_request_object_is_an_invalid_request(client: DirectClient) -> None:
    client.feed('{"jsonrpc": "2.0", "method": 1, "params": "bar"}')
    message = await client.next()
    refusal(None, "invalidRequest", message)
    assert message["error"]["code"] == -32600


async def test_a_batch_that_is_not_json_is_one_parse_error(client: DirectClient) -> None:
    client.feed('[{"jsonrpc": "2.0", "method": "sum", "id": "1"},{"jsonrpc": "2.0", "method"]')
    refusal(None, "parseError", await client.next())
    await client.nothing_more()


async def test_an_empty_batch_is_one_invalid_request(client: DirectClient) -> None:
    client.feed("[]")
    refusal(None, "invalidRequest", await client.next())


async def test_invalid_elements_of_a_batch_are_answered_one_by_one(client: DirectClient) -> None:
    client.feed("[1]")
    answers = await client.next()
    assert len(answers) == 1
    refusal(None, "invalidRequest", answers[0])
    client.feed("[1,2,3]")
    answers = await client.next()
    assert [answer["error"]["code"] for answer in answers] == [-32600] * 3


async def test_a_mixed_batch_is_answered_together(client: DirectClient) -> None:
    client.feed(
        [
            {"jsonrpc": "2.0", "method": "echo", "params": {"n": 1}, "id": "1"},
            {"jsonrpc": "2.0", "method": "echo", "params": {"n": 2}},
            {"jsonrpc": "2.0", "method": "echo", "params": {"n": 3}, "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "echo", "id": "9"},
            {"jsonrpc": "2.0", "id": "s1", "result": {}},
        ]
    )
    answers = await client.next()
    assert [answer["id"] for answer in answers] == ["1", "2", None, "5", "9"]
    assert answers[0]["result"] == {"n": 1}
    assert answers[4]["result"] == {}
    refusal("5", "methodNotFound", answers[3])


async def test_a_batch_of_notifications_and_responses_is_not_answered(client: DirectClient) -> None:
    client.feed([{"jsonrpc": "2.0", "method": "echo"}, {"jsonrpc": "2.0", "id": 1, "result": 1}])
    await settle()
    await client.nothing_more()


async def test_a_batch_of_101_is_one_invalid_request(client: DirectClient) -> None:
    client.feed([{"jsonrpc": "2.0", "id": n, "method": "echo"} for n in range(101)])
    refusal(None, "invalidRequest", await client.next())
    await client.nothing_more()


async def test_a_cancelled_element_does_not_hurt_its_batch(
    bench: Bench, client: DirectClient
) -> None:
    client.feed(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "slow"},
            {"jsonrpc": "2.0", "id": 2, "method": "echo"},
            {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}},
        ]
    )
    answers = await client.next()
    refusal(1, "cancelled", answers[0])
    assert answers[1]["result"] == {}
    assert bench.calls == ["echo"]


# -- answers --------------------------------------------------------------------------------------


async def test_one_slow_verb_delays_no_other(bench: Bench, client: DirectClient) -> None:
    client.request(1, "slow")
    client.request(2, "echo")
    assert (await client.next())["id"] == 2
    bench.release.set()
    assert (await client.next())["id"] == 1


async def test_a_null_id_is_answered_with_null(client: DirectClient) -> None:
    client.request(None, "echo")
    assert await client.next() == {"jsonrpc": "2.0", "id": None, "result": {}}


async def test_a_fault_of_ours_is_told_without_its_text(client: DirectClient) -> None:
    client.request(1, "broken")
    message = await client.next()
    refusal(1, "internalError", message)
    assert "secret" not in json.dumps(message)


async def test_a_result_without_json_form_is_an_internal_error(client: DirectClient) -> None:
    client.request(1, "strange")
    refusal(1, "internalError", await client.next())


async def test_responses_to_ids_never_issued_are_ignored(client: DirectClient) -> None:
    client.feed({"jsonrpc": "2.0", "id": 5, "result": 1}, {"id": "s1", "error": {}}, {"error": 1})
    await client.nothing_more()


async def test_ping_tells_the_time_and_takes_no_params(bench: Bench, client: DirectClient) -> None:
    client.request(1, "sidecar.ping")
    answer = await client.next()
    assert answer["result"] == {"pong": True, "at": bench.clock.wall_ms()}
    client.request(2, "sidecar.ping", {"x": 1})
    message = await client.next()
    refusal(2, "invalidParams", message)
    assert message["error"]["data"]["errors"][0]["field"] == "x"
    client.request(3, "sidecar.ping", [1])
    refusal(3, "invalidParams", await client.next())


# -- ids and cancellation -------------------------------------------------------------------------


async def test_an_id_in_flight_is_refused_without_id(bench: Bench, client: DirectClient) -> None:
    client.request(1, "slow")
    client.request(1, "echo")
    client.request(1, "sidecar.ping")
    client.request("1", "echo")
    refusal(None, "invalidRequest", await client.next())
    refusal(None, "invalidRequest", await client.next())
    assert (await client.next())["id"] == "1"
    bench.release.set()
    assert (await client.next())["id"] == 1
    client.request(1, "echo")
    assert (await client.next())["result"] == {}


async def test_null_ids_may_be_in_flight_together(bench: Bench, client: DirectClient) -> None:
    client.request(None, "slow")
    client.request(None, "slow")
    bench.release.set()
    assert [(await client.next())["result"] for _ in range(2)] == [{"slow": True}] * 2


async def test_a_cancel_in_the_same_chunk_is_not_lost(bench: Bench, client: DirectClient) -> None:
    client.request(1, "slow")
    client.notify("$/cancelRequest", {"id": 1})
    refusal(1, "cancelled", await client.next())
    assert bench.calls == []
    await client.nothing_more()


async def test_a_running_request_can_be_cancelled(bench: Bench, client: DirectClient) -> None:
    client.request("a", "slow")
    async with asyncio.timeout(5):
        while not bench.calls:
            await asyncio.sleep(0)
    client.notify("$/cancelRequest", {"id": "a"})
    message = await client.next()
    refusal("a", "cancelled", message)
    assert message["error"]["code"] == -32800


async def test_a_committed_request_cannot_be_cancelled(bench: Bench, client: DirectClient) -> None:
    client.request(0, "echo")
    await client.next()
    client.request(1, "committed")
    await settle()
    client.notify("$/cancelRequest", {"id": 1})
    bench.release.set()
    assert (await client.next())["result"] == {"committed": True}


@pytest.mark.parametrize("params", [None, {}, [1], {"id": None}, {"id": []}, {"id": 99}, "x", 1.5])
async def test_a_cancel_of_nothing_is_ignored(client: DirectClient, params: Any) -> None:
    client.notify("$/cancelRequest", params)
    client.notify("$/whatever", params)
    await client.nothing_more()


async def test_a_true_id_does_not_cancel_request_one(bench: Bench, client: DirectClient) -> None:
    client.request(1, "slow")
    client.notify("$/cancelRequest", {"id": True})
    bench.release.set()
    assert (await client.next())["result"] == {"slow": True}


# -- limits ---------------------------------------------------------------------------------------


async def test_a_thousand_requests_are_in_flight_and_no_more(
    bench: Bench, client: DirectClient
) -> None:
    for number in range(IN_FLIGHT_LIMIT):
        client.request(number, "slow")
    client.request("one-more", "echo")
    message = await client.next()
    refusal("one-more", "overloaded", message)
    assert message["error"]["data"]["retryable"] is True
    assert message["error"]["data"]["retryAfterMs"] > 0
    client.request("ping", "sidecar.ping")
    assert (await client.next())["result"]["pong"] is True
    client.notify("$/cancelRequest", {"id": 3})
    refusal(3, "cancelled", await client.next())
    bench.release.set()
    answered = {(await client.next())["id"] for _ in range(IN_FLIGHT_LIMIT - 1)}
    assert answered == set(range(IN_FLIGHT_LIMIT)) - {3}
    client.request("again", "echo")
    assert (await client.next())["result"] == {}


async def test_requests_are_refused_while_the_answers_are_unread(
    bench: Bench, client: DirectClient
) -> None:
    client.outgoing.put(b'"' + b"x" * 5_000_000 + b'"')
    client.outgoing.put(b"0")
    client.request(1, "echo")
    await settle()
    assert client.outgoing.size > 5_000_000
    for _ in range(2):
        await client.next()
    assert (await client.next())["id"] == 1
    client.outgoing.put(b'"' + b"x" * 3_000_000 + b'"')
    client.outgoing.put(b'"' + b"x" * 3_000_000 + b'"')
    client.request(2, "echo")
    client.request(3, "sidecar.ping")
    for _ in range(2):
        await client.next()
    refusal(2, "overloaded", await client.next())
    assert (await client.next())["id"] == 3


async def test_a_message_that_is_too_long_is_an_invalid_request(client: DirectClient) -> None:
    client.connection.feed_too_long()
    refusal(None, "invalidRequest", await client.next())


# -- before ready, and the end --------------------------------------------------------------------


async def test_before_ready_pings_are_answered_and_the_rest_is_kept(bench: Bench) -> None:
    client = DirectClient(bench)
    client.request(1, "echo")
    client.feed("nonsense")
    client.request(2, "sidecar.ping")
    client.request(3, "slow")
    client.notify("$/cancelRequest", {"id": 3})
    assert (await client.next())["id"] == 2
    await settle()
    await bench.open()
    await client.ready()
    got = [await client.next() for _ in range(3)]
    assert sorted(str(message["id"]) for message in got) == ["1", "3", "None"]


async def test_a_client_that_goes_stops_its_requests_but_not_the_committed_ones(
    bench: Bench, client: DirectClient
) -> None:
    client.request(1, "slow")
    client.request(2, "committed")
    client.notify("slow")
    async with asyncio.timeout(5):
        while len(bench.calls) < 2:
            await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await bench.server.disconnect(client.connection)
    assert bench.calls == ["slow", "slow"]
    bench.release.set()
    await bench.server.finish(5_000)
    assert bench.calls == ["slow", "slow", "committed"]
    client.feed("late")
    assert not bench.server.connections


async def test_at_the_end_what_still_runs_is_answered_with_shutting_down(
    bench: Bench, client: DirectClient
) -> None:
    client.request(1, "slow")
    client.request(2, "echo")
    assert (await client.next())["id"] == 2
    finishing = asyncio.ensure_future(bench.server.finish(0))
    refusal(1, "shuttingDown", await client.next())
    async with asyncio.timeout(5):
        await finishing
    assert client.outgoing.closed


async def test_the_end_does_not_wait_for_a_reader_that_does_not_read(
    bench: Bench, client: DirectClient
) -> None:
    client.outgoing.put(b"unread")
    async with asyncio.timeout(5):
        await bench.server.finish(0)
    assert client.outgoing.closed


async def test_the_end_before_ready_still_answers(bench: Bench) -> None:
    client = DirectClient(bench)
    client.request(1, "echo")
    await settle()
    finishing = asyncio.ensure_future(bench.server.finish(0))
    refusal(1, "shuttingDown", await client.next())
    async with asyncio.timeout(5):
        await finishing
