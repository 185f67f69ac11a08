"""From a request to its response through jsonrpcserver."""

import asyncio
import logging
from typing import Any

import pytest

from sidecar.errors import HostError, Problem
from sidecar.rpc.dispatch import Dispatcher, RequestContext, encoded
from sidecar.rpc.message import Request


class Nowhere:
    """A connection that remembers what it was told."""

    name = "c0"

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def hold(self, call_id: str) -> None:
        self.told.append(("hold", call_id))

    def release(self, call_id: str) -> None:
        self.told.append(("release", call_id))

    def subscribe(self, types: list[str] | None, call_ids: list[str] | None) -> None:
        raise AssertionError


async def double(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    return {"value": params.get("value", 0) * 2, "by": context.request_id}


async def refuse(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    raise HostError(Problem("callNotFound", "No call has this id.", data={"callId": "x"}))


async def fail(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    raise ValueError("the password is swordfish")


async def wait(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


@pytest.fixture
async def dispatcher() -> Dispatcher:
    dispatcher = Dispatcher({"double": double, "refuse": refuse, "fail": fail, "wait": wait})
    await dispatcher.warm()
    return dispatcher


def context() -> RequestContext:
    return RequestContext(Nowhere(), "c0.1", 1)


async def test_a_result_comes_back_with_the_id(dispatcher: Dispatcher) -> None:
    response = await dispatcher.dispatch(Request("7", "double", {"value": 4}), context())
    assert response == {"jsonrpc": "2.0", "id": "7", "result": {"value": 8, "by": "c0.1"}}


async def test_a_null_id_comes_back_too(dispatcher: Dispatcher) -> None:
    response = await dispatcher.dispatch(Request(None, "double", None), context())
    assert response["id"] is None
    assert response["result"]["value"] == 0


async def test_a_problem_becomes_its_error(dispatcher: Dispatcher) -> None:
    response = await dispatcher.dispatch(Request(1, "refuse", {}), context())
    assert response["error"] == {
        "code": -32001,
        "message": "No call has this id.",
        "data": {"kind": "callNotFound", "retryable": False, "callId": "x"},
    }


async def test_a_foreign_exception_is_kept_from_the_client_and_the_library(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        response = await dispatcher.dispatch(Request(1, "fail", {}), context())
    assert response["error"]["data"]["kind"] == "internalError"
    assert "swordfish" not in str(response)
    assert not [record for record in caplog.records if record.name.startswith("jsonrpcserver")]


@pytest.mark.parametrize("params", [[], [1], [{"value": 1}]])
async def test_positional_params_are_refused(dispatcher: Dispatcher, params: list[Any]) -> None:
    response = await dispatcher.dispatch(Request(1, "double", params), context())
    assert response["error"]["data"]["errors"] == [
        {"field": "params", "problem": "must be an object"}
    ]


async def test_an_unknown_method_is_named_but_not_at_any_length(dispatcher: Dispatcher) -> None:
    response = await dispatcher.dispatch(Request(1, "x" * 500, [1]), context())
    assert response["error"]["data"] == {"kind": "methodNotFound", "retryable": False}
    assert len(response["error"]["message"]) < 200


async def test_cancelling_reaches_the_handler(dispatcher: Dispatcher) -> None:
    running = asyncio.ensure_future(dispatcher.dispatch(Request(1, "wait", {}), context()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_waiter_does_not_stop_the_loading_for_others() -> None:
    dispatcher = Dispatcher({"double": double})
    first = asyncio.ensure_future(dispatcher.dispatch(Request(1, "double", {}), context()))
    second = asyncio.ensure_future(dispatcher.dispatch(Request(2, "double", {}), context()))
    await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(5):
        assert (await second)["id"] == 2
    assert dispatcher.is_warm


async def test_a_call_is_held_until_its_answer_is_out() -> None:
    connection = Nowhere()
    request = RequestContext(connection, "c0.1", 1)
    request.creating("a")
    assert connection.told == [("hold", "a")]
    request.answered()
    request.answered()
    assert connection.told == [("hold", "a"), ("release", "a")]


def test_what_cannot_be_written_becomes_an_internal_error() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for value in (float("inf"), object(), loop, {1: {2, 3}}):
        text = encoded({"jsonrpc": "2.0", "id": 5, "result": value})
        assert b'"internalError"' in text
        assert b'"id":5' in text
