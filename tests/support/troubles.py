"""Parts behind a port that fail when a test says so: a store, the mock carrier, an agent."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidecar.call.effects import CarrierEffect
from sidecar.call.events import Event
from sidecar.call.model import Call
from sidecar.errors import CarrierError, Problem, StoreError
from sidecar.ports import (
    AgentAnswer,
    AgentGone,
    InboundLeg,
    JournalEvent,
    LegSearch,
    LegStatus,
    Write,
)
from sidecar.providers.mock.provider import MockCarrier
from sidecar.store.sqlite import SqliteStore

DISK_FULL = Problem("storeUnavailable", "The disk is full.", retryable=True)
UNREACHABLE = CarrierError(Problem("carrierUnavailable", "The carrier cannot be reached."))


class TroubledStore(SqliteStore):
    """`failing` makes every commit fail, `held` makes it wait, `slow` makes those wait that journal
    this type of event; `busy` counts what is under way."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.failing = False
        self.slow: str | None = None
        self.commits: list[Write] = []
        self.busy = 0
        self._free = asyncio.Event()
        self._free.set()

    def hold(self) -> None:
        """Commits wait from now on."""
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    @property
    def held(self) -> bool:
        return not self._free.is_set()

    async def commit(self, write: Write) -> Sequence[JournalEvent]:
        if any(event.type == self.slow for event in write.events):
            self.hold()
        await self._free.wait()
        if self.failing:
            raise StoreError(DISK_FULL)
        self.commits.append(write)
        return await super().commit(write)

    async def _write(self, work: Any) -> Any:
        return await self._counted(super()._write(work))

    async def _look_up(self, query: Any, *values: object) -> Any:
        return await self._counted(super()._look_up(query, *values))

    async def _search(self, query: Any, *values: object) -> Any:
        return await self._counted(super()._search(query, *values))

    async def _counted(self, work: Any) -> Any:
        self.busy += 1
        try:
            return await work
        finally:
            self.busy -= 1


class TroubledCarrier(MockCarrier):
    """The mock line, with a list of what it was asked to do, and with faults.

    `faults` maps a kind of effect to the error it ends in; `silent` effects are taken and come to
    nothing; `status` and `search`, when set, are what a carrier that was asked answers.
    """

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        self.performed: list[CarrierEffect] = []
        self.rejected: list[tuple[str, str | None]] = []
        self.faults: dict[type, Exception] = {}
        self.silent: set[type] = set()
        self.gates: dict[type, asyncio.Event] = {}
        self.status: LegStatus | CarrierError | None = None
        self.search: LegSearch | CarrierError | None = None

    def done(self, kind: type) -> int:
        """How often this was asked for."""
        return sum(isinstance(effect, kind) for effect in self.performed)

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        self.performed.append(effect)
        if (gate := self.gates.get(type(effect))) is not None:
            await gate.wait()
        if (fault := self.faults.get(type(effect))) is not None:
            raise fault
        if type(effect) in self.silent:
            return ()
        return await super().perform(call, effect)

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        self.rejected.append((reason, say))

    async def leg_status(self, call: Call) -> LegStatus:
        if isinstance(self.status, CarrierError):
            raise self.status
        return self.status or await super().leg_status(call)

    async def find_leg(self, call: Call) -> LegSearch:
        if isinstance(self.search, CarrierError):
            raise self.search
        return self.search or await super().find_leg(call)


class OneAgent:
    """Implements `ports.Agents`: one client that answers when the test says so."""

    def __init__(self) -> None:
        self.available = False
        self.asked: list[Mapping[str, Any]] = []
        self.cancelled = 0
        self._listeners: list[Callable[[], None]] = []
        self._answer: asyncio.Future[AgentAnswer] | None = None
        self._on_delta: Callable[[str], None] | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    async def respond(
        self, params: Mapping[str, Any], on_delta: Callable[[str], None]
    ) -> AgentAnswer:
        if not self.available:
            raise AgentGone("Nobody is connected.")
        self.asked.append(params)
        self._on_delta = on_delta
        self._answer = asyncio.get_running_loop().create_future()
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    # -- the test's side --------------------------------------------------------------------------

    def come(self) -> None:
        self.available = True
        self._tell()

    def leave(self) -> None:
        self.available = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(AgentGone("The client disconnected."))
        self._tell()

    def delta(self, text: str) -> None:
        assert self._on_delta is not None
        self._on_delta(text)

    def answer(self, text: str | None = None, *, end_call: bool = False) -> None:
        assert self._answer is not None
        self._answer.set_result(AgentAnswer(text, end_call))

    def fail(self, error: Exception) -> None:
        assert self._answer is not None
        self._answer.set_exception(error)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
