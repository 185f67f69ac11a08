"""The verbs that only look: status, history, latency, readiness; and pairing's approval."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.call.model import Call, Turn
from sidecar.errors import HostError, Problem
from sidecar.ports import HistoryQuery
from sidecar.rpc.dispatch import RequestContext
from sidecar.rpc.methods.readiness import readiness
from sidecar.rpc.methods.services import Services
from sidecar.rpc.schema import (
    CallRecord,
    HistoryParams,
    LatencyParams,
    PairingApproveParams,
    SetupParams,
    StatusParams,
    to_wire,
    validate,
)

Result = Mapping[str, Any]
Params = dict[str, Any]

PAGE_BYTES = 512 * 1024
EVERY_TURN = 2**31


def record(call: Call) -> dict[str, Any]:
    """The wire's view of a call."""
    return to_wire(CallRecord.of(call))


class Reading:
    """One method each; the docstrings are in the contract."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine

    async def status(self, context: RequestContext, params: Params) -> Result:
        wish = validate(StatusParams, params)
        if wish.call_id is None:
            return {"calls": [record(call) for call in self._engine.open_calls]}
        call = await self._engine.get(wish.call_id) or await self._engine.find(wish.call_id)
        return {"found": False} if call is None else {"found": True, "call": record(call)}

    async def history(self, context: RequestContext, params: Params) -> Result:
        wish = validate(HistoryParams, params)
        query = HistoryQuery(
            limit=wish.limit,
            before=wish.before,
            from_number=wish.from_number,
            to_number=wish.to,
            state=wish.state,
            direction=wish.direction,
        )
        return await self._page(query)

    async def _page(self, query: HistoryQuery) -> Result:
        """One page; a page that is too large is asked for again with fewer calls."""
        while True:
            page = await self._engine.store.history(query)
            calls = [record(call) for call in page.calls]
            size = len(json.dumps(calls, separators=(",", ":")))
            if size <= PAGE_BYTES or len(calls) <= 1:
                break
            fewer = max(1, min(len(calls) - 1, len(calls) * PAGE_BYTES // size))
            query = HistoryQuery(
                limit=fewer,
                before=query.before,
                from_number=query.from_number,
                to_number=query.to_number,
                state=query.state,
                direction=query.direction,
            )
        result: dict[str, Any] = {"calls": calls}
        if page.next_cursor is not None:
            result["nextCursor"] = page.next_cursor
        return result

    async def latency(self, context: RequestContext, params: Params) -> Result:
        wish = validate(LatencyParams, params)
        # More turns than any store holds means all of them; larger numbers are not the store's.
        last = min(wish.last, EVERY_TURN)
        return latency_report(await self._engine.store.turns(last))

    async def setup(self, context: RequestContext, params: Params) -> Result:
        validate(SetupParams, params)
        return readiness(self._services.config, self._services.warnings, self._services.checks())

    async def pairing_approve(self, context: RequestContext, params: Params) -> Result:
        wish = validate(PairingApproveParams, params)
        number = await self._engine.store.approve_pairing(wish.code, self._engine.clock.now_ms())
        if number is None:
            raise HostError(
                Problem(
                    "notFound",
                    "There is no pending pairing with this code; codes are valid for 60 minutes.",
                )
            )
        return {"number": number}


def latency_report(turns: Sequence[Turn]) -> Result:
    """Percentiles over turns: the whole turn, the wait for the caller's words, and the time from
    the reply's first text to its first sound."""
    return {
        "recordsScanned": len(turns),
        "turnLatency": _figures(turns, "total"),
        "listenWait": _figures(turns, "listenWait"),
        "firstAudio": _figures(turns, "firstAudio"),
    }


def _figures(turns: Sequence[Turn], name: str) -> dict[str, int]:
    values = sorted(turn.latency[name] for turn in turns if name in turn.latency)
    if not values:
        return dict.fromkeys(("count", "minMs", "maxMs", "avgMs", "p50Ms", "p95Ms"), 0)
    return {
        "count": len(values),
        "minMs": values[0],
        "maxMs": values[-1],
        "avgMs": round(sum(values) / len(values)),
        "p50Ms": _percentile(values, 50),
        "p95Ms": _percentile(values, 95),
    }


def _percentile(values: Sequence[int], percent: int) -> int:
    """Nearest rank: a value that was really measured."""
    rank = -(-len(values) * percent // 100)
    return values[max(rank, 1) - 1]
