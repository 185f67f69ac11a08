"""Carries out effects: for each call one after the other, never holding another call up."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from sidecar.call.effects import (
    Answer,
    CarrierEffect,
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
from sidecar.call.model import Call
from sidecar.errors import CarrierError
from sidecar.ports import Carrier, Clock
from sidecar.tasks import TaskSet

HANGUP_RETRY_MS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000)

log = structlog.get_logger()

Submit = Callable[[str, Event], Awaitable[object]]


class Performer:
    """One queue of effects per call. A hang-up that fails is repeated beside the queue until the
    carrier confirms it or says that the call is gone."""

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
        queue = self._queues.get(call_id)
        if queue is None:
            self._queues[call_id] = deque((effect,))
            self._tasks.spawn(self._work_off(call_id), f"effects {call_id}")
        else:
            queue.append(effect)

    @property
    def hanging_up(self) -> int:
        """How many hang-ups the carrier has not confirmed yet."""
        return len(self._hanging_up)

    async def settle(self, timeout_ms: int) -> None:
        await self._tasks.settle(timeout_ms)

    async def close(self) -> None:
        await self._tasks.close()

    async def _work_off(self, call_id: str) -> None:
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
        if isinstance(effect, Hangup):
            # Without a leg there is nothing to hang up yet; the dial's answer will ask again.
            if call.provider_call_id is not None and call_id not in self._hanging_up:
                self._hanging_up.add(call_id)
                self._tasks.spawn(self._hang_up(call_id), f"hang up {call_id}")
            return
        try:
            events = await self._carrier.perform(call, effect)
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
            while True:
                call = self._current(call_id)
                if call is None or not call.hangup_due:
                    return
                try:
                    events = await self._carrier.perform(call, Hangup())
                except CarrierError as error:
                    log.warning("hangup.failed", call_id=call_id, reason=error.problem.message)
                else:
                    for event in events:
                        await self._submit(call_id, event)
                    return
                delay_ms = HANGUP_RETRY_MS[min(attempt, len(HANGUP_RETRY_MS) - 1)]
                attempt += 1
                await self._clock.sleep_until(self._clock.now_ms() + delay_ms)
        finally:
            self._hanging_up.discard(call_id)
