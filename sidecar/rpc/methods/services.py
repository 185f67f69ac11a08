"""What the methods work with, made by `app` once everything is up."""

from collections.abc import Callable
from dataclasses import dataclass

from sidecar.config import Config
from sidecar.engine.desk.dialling import Dialling
from sidecar.engine.desk.operations import Operations
from sidecar.engine.engine import Engine, no_such_call
from sidecar.errors import HostError
from sidecar.ports import Check, Counters


@dataclass(frozen=True, slots=True)
class Services:
    """`checks` are the readiness checks of everything outside the configuration (carrier, tunnel,
    listener); `warnings` what the configuration said about itself when it was read;
    `begin_shutdown(drain_ms)` starts the end of the process; `gauges` are read when asked for."""

    config: Config
    warnings: tuple[str, ...]
    engine: Engine
    dialling: Dialling
    operations: Operations
    counters: Counters
    checks: Callable[[], list[Check]]
    gauges: Callable[[], dict[str, int]]
    begin_shutdown: Callable[[int], None]

    async def call_id_of(self, given: str) -> str:
        """Our id of the call that a client names by ours or by the carrier's."""
        call = await self.engine.get(given) or await self.engine.find(given)
        if call is None:
            raise HostError(no_such_call(given))
        return call.call_id
