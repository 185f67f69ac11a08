"""Long requests: begun with one, fetched with another."""

from collections.abc import Mapping
from typing import Any

from sidecar.errors import HostError, Problem
from tests.support.world import World


async def works() -> Mapping[str, Any]:
    return {"transcript": "Fine."}


async def fails() -> Mapping[str, Any]:
    raise HostError(Problem("transcriptTimeout", "Nothing was said."))


async def breaks() -> Mapping[str, Any]:
    raise RuntimeError("a bug")


async def test_a_result_is_pending_then_there_then_gone(world: World) -> None:
    operation_id = world.operations.begin(works())
    assert world.operations.result(operation_id) is None
    await world.idle()
    assert world.operations.result(operation_id) == {"transcript": "Fine."}
    await world.passes(599_999)
    assert world.operations.result(operation_id) == {"transcript": "Fine."}
    await world.passes(1)
    assert await world.refusal(world.do(lookup(world, operation_id))) == "notFound"


async def lookup(world: World, operation_id: str) -> Any:
    return world.operations.result(operation_id)


async def test_a_failure_is_a_result(world: World) -> None:
    operation_id = world.operations.begin(fails())
    await world.idle()
    problem = world.operations.result(operation_id)
    assert isinstance(problem, Problem)
    assert problem.kind == "transcriptTimeout"


async def test_a_fault_of_our_own_is_a_result_without_its_text(world: World) -> None:
    operation_id = world.operations.begin(breaks())
    await world.idle()
    problem = world.operations.result(operation_id)
    assert isinstance(problem, Problem)
    assert problem.kind == "internalError"
    assert "bug" not in problem.message


async def test_an_unknown_operation_is_not_found(world: World) -> None:
    assert await world.refusal(world.do(lookup(world, "nothing"))) == "notFound"


async def test_closing_lets_go_of_what_still_runs(world: World) -> None:
    call_id = await world.talking()
    waiting = world.prompt(call_id)
    world.operations.begin(_wait(waiting))
    await world.idle()
    await world.operations.close()
    waiting.cancel()


async def _wait(task: Any) -> Mapping[str, Any]:
    outcome: Mapping[str, Any] = await task
    return outcome
