"""The methods about the process and its journal: replay, ack, discover, stats, shutdown."""

import json
from collections.abc import Mapping
from typing import Any

from sidecar.rpc.dispatch import RequestContext
from sidecar.rpc.methods.services import Services
from sidecar.rpc.schema import AckParams, EmptyParams, ReplayParams, ShutdownParams, validate

Result = Mapping[str, Any]
Params = dict[str, Any]

DRAIN_MS = 10_000
REPLAY_BYTES = 512 * 1024


class Process:
    """One method each; the docstrings are in the contract."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._journal = services.engine.journal

    async def replay(self, context: RequestContext, params: Params) -> Result:
        wish = validate(ReplayParams, params)
        events = await self._journal.read(wish.since, wish.limit, REPLAY_BYTES)
        return {
            "events": [json.loads(event.body) for event in events],
            "lastSeq": self._journal.last_seq,
        }

    async def ack(self, context: RequestContext, params: Params) -> Result:
        wish = validate(AckParams, params)
        await self._journal.ack(min(wish.seq, self._journal.last_seq))
        return {}

    async def discover(self, context: RequestContext, params: Params) -> Result:
        validate(EmptyParams, params)
        # The exporter builds every schema; a process that is never asked does not pay for it.
        from sidecar.rpc.export import openrpc

        return openrpc()

    async def stats(self, context: RequestContext, params: Params) -> Result:
        validate(EmptyParams, params)
        return {
            "counters": dict(self._services.counters.values),
            "gauges": self._services.gauges(),
        }

    async def shutdown(self, context: RequestContext, params: Params) -> Result:
        wish = validate(ShutdownParams, params)
        drain_ms = DRAIN_MS if wish.drain_ms is None else wish.drain_ms
        context.on_answered(lambda: self._services.begin_shutdown(drain_ms))
        return {}
