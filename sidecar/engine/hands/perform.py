"""Carries out effects: for each call one after the other, never holding another call up."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from sidecar.call.effects import (
    Answer,
    CarrierEffect,
    Clear,
    Dial,
    Hangup,
    Poll,
    Say,
    SendDigits,
    Transfer,
)
from sidecar.call.events import (
    CarrierFault,
    DialFailed,
    DigitsFailed,
    Event,
    Outcome,
    Spoken,
    TransferFailed,
)
from sidecar.call.model import Call, State
from sidecar.errors import CarrierError, Problem
from sidecar.ports import Carrier, Clock
from sidecar.tasks import TaskSet

HANGUP_RETRY_MS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000)
CONFIRM_MS = 5_000
"""How long a carrier that took a hang-up has to confirm it before it is asked again."""

NOT_DIALLED = Problem("callEnded", "The call was ended before it was placed.")
ADAPTER_FAILED = Problem("internalError", "The connection to the carrier failed unexpectedly.")

log = structlog.get_logger()

Submit = Callable[[str, Event], Awaitable[object]]


class Performer:
    """One queue of effects per call. Hang-ups pass the queue: nothing that is under way is worth
    waiting for then. One is repeated until the carrier confirms it or says that the call is
    gone."""

    def __init__(
        self,
        carrier: Carrier,
        clock: Clock,
        submit: Submit,
        current: Callable[[str], Call | None],
    ) -> None:
        self._carrier = carrier
        self._clock = clock
        self._submit = submit
        self._current = current
        self._queues: dict[str, deque[CarrierEffect]] = {}
        self._hanging_up: set[str] = set()
        self._tasks = TaskSet()

    def put(self, call_id: str, effect: CarrierEffect) -> None:
        """Queue an effect; it is carried out when those before it are."""
        if isinstance(effect, Hangup):
            if call_id not in self._hanging_up:
                self._hanging_up.add(call_id)
                self._tasks.spawn(self._hang_up(call_id), f"hang up {call_id}")
            return
        queue = self._queues.get(call_id)
        if queue is None:
            self._queues[call_id] = deque((effect,))
            self._tasks.spawn(self._work_off(call_id), f"effects {call_id}")
        else:
            queue.append(effect)

    async def settle(self, timeout_ms: int) -> None:
        """Let what is under way end by itself, for at most that long."""
        await self._tasks.settle(timeout_ms)

    async def close(self) -> None:
        await self._tasks.close()

    async def _work_off(self, call_id: str) -> None:
        # No pause between finding the queue empty and taking it away: what is put after that
        # begins a new one.
        queue = self._queues[call_id]
        try:
            while queue:
                await self._one(call_id, queue.popleft())
        finally:
            del self._queues[call_id]

    async def _one(self, call_id: str, effect: CarrierEffect) -> None:
        call = self._current(call_id)
        if call is None:
            return
        if call.state in (State.ENDING, State.ENDED) and not isinstance(effect, Clear):
            # It was decided before the end and would come after it.
            if isinstance(effect, Dial):
                await self._submit(call_id, DialFailed(self._clock.now_ms(), NOT_DIALLED))
            return
        try:
            events = await self._attempt(call, effect)
        except CarrierError as error:
            log.warning(
                "carrier.failed",
                call_id=call_id,
                effect=type(effect).__name__,
                kind=error.problem.kind,
                reason=error.problem.message,
            )
            events = self._failure(effect, error)
        for event in events:
            await self._submit(call_id, event)

    async def _attempt(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        """Raises only `CarrierError`."""
        try:
            return await self._carrier.perform(call, effect)
        except CarrierError:
            raise
        # The root of a call's effects: a fault in one of them must not take those behind it along.
        except Exception as error:
            log.exception("carrier.fault", call_id=call.call_id, effect=type(effect).__name__)
            raise CarrierError(ADAPTER_FAILED) from error

    def _failure(self, effect: CarrierEffect, error: CarrierError) -> Sequence[Event]:
        """What a carrier's refusal of this effect means for the call."""
        now, problem = self._clock.now_ms(), error.problem
        match effect:
            case Dial():
                return (DialFailed(now, problem),)
            case Answer():
                return (CarrierFault(now, problem.message),)
            case Say(utterance):
                return (Spoken(now, utterance.utterance_id, Outcome.FAILED, "", 0),)
            case SendDigits(_, request_id):
                return (DigitsFailed(now, problem, request_id),)
            case Transfer():
                return (TransferFailed(now, problem.message),)
            case Poll():
                return ()
            case _:
                return (CarrierFault(now, problem.message, retryable=True),)

    async def _hang_up(self, call_id: str) -> None:
        attempt = 0
        try:
            while (call := self._current(call_id)) is not None and call.hangup_due:
                delay_ms = HANGUP_RETRY_MS[min(attempt, len(HANGUP_RETRY_MS) - 1)]
                attempt += 1
                try:
                    events = await self._attempt(call, Hangup())
                except CarrierError as error:
                    log.warning("hangup.failed", call_id=call_id, reason=error.problem.message)
                else:
                    delay_ms = max(delay_ms, CONFIRM_MS)
                    for event in events:
                        await self._submit(call_id, event)
                    if not self._is_due(call_id):
                        return
                await self._clock.sleep_until(self._clock.now_ms() + delay_ms)
        finally:
            self._hanging_up.discard(call_id)

    def _is_due(self, call_id: str) -> bool:
        call = self._current(call_id)
        return call is not None and call.hangup_due
