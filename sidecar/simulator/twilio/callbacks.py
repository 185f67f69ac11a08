"""Status callbacks of one leg: in order, numbered, and disturbed as the quirks say."""

import asyncio
from collections.abc import Mapping

from sidecar.simulator.pace import Pace
from sidecar.simulator.quirks import CallbackQuirk, Quirks
from sidecar.simulator.quirks import Delivery as Fate
from sidecar.simulator.timeline import Kind, Timeline
from sidecar.simulator.twilio.leg import Leg, rfc2822
from sidecar.simulator.twilio.postman import UNREACHABLE, Delivery, Hook, Postman
from sidecar.tasks import TaskSet

LATE_MS = 60_000


class Callbacks:
    """Tells the events that were asked for, each to `hook`."""

    def __init__(
        self,
        postman: Postman,
        pace: Pace,
        timeline: Timeline,
        quirks: Quirks,
        hook: Hook | None,
        events: tuple[str, ...],
    ) -> None:
        self._postman = postman
        self._pace = pace
        self._timeline = timeline
        self._quirks = quirks
        self.hook = hook
        self._events = frozenset(events)
        self._sequence = 0
        self._held_back: list[tuple[str, Mapping[str, str]]] = []
        self._queue: asyncio.Queue[tuple[str, Mapping[str, str]]] = asyncio.Queue()
        self._tasks = TaskSet()
        self._late = TaskSet()

    def start(self) -> None:
        self._tasks.spawn(self._run(), "simulator.callbacks")

    def tell(
        self, event: str, leg: Leg, status: str, extra: Mapping[str, str] | None = None
    ) -> None:
        """Queue an event of the call, if somebody asked for it."""
        if self.hook is None or event not in self._events:
            return
        params = {
            **leg.params(status),
            "SequenceNumber": str(self._sequence),
            "Timestamp": rfc2822(self._pace.now_ms()),
            "CallbackSource": "call-progress-events",
            **(extra or {}),
        }
        self._sequence += 1
        self._queue.put_nowait((event, params))

    async def drain(self) -> None:
        """Until everything told has been delivered, late ones included."""
        await self._queue.join()
        for event, params in self._take_held_back():
            await self._bring(event, params)
        while len(self._late):
            await self._late.settle(LATE_MS)

    async def close(self) -> None:
        await self._tasks.close()
        await self._late.close()

    async def _run(self) -> None:
        while True:
            event, params = await self._queue.get()
            try:
                await self._deliver(event, params, self._quirks.of(event))
            finally:
                self._queue.task_done()

    async def _deliver(self, event: str, params: Mapping[str, str], quirk: CallbackQuirk) -> None:
        match quirk.delivery:
            case Fate.MISSING:
                self._timeline.add(Kind.CARRIER, f"the callback {event} is not sent (quirk)")
            case Fate.LATE:
                self._late.spawn(self._later(event, params, quirk.late_s), "simulator.late")
            case Fate.REORDERED if not self._held_back:
                self._held_back.append((event, params))
            case Fate.DOUBLED:
                await self._bring(event, params, twice=True)
            case _:
                await self._bring(event, params)
                for held in self._take_held_back():
                    await self._bring(*held)

    def _take_held_back(self) -> list[tuple[str, Mapping[str, str]]]:
        held, self._held_back = self._held_back, []
        return held

    async def _later(self, event: str, params: Mapping[str, str], late_s: float) -> None:
        await self._pace.sleep(late_s)
        await self._bring(event, params)

    async def _bring(self, event: str, params: Mapping[str, str], twice: bool = False) -> None:
        assert self.hook is not None
        delivery = await self._postman.bring(event, self.hook.url, params, self.hook.method)
        note_delivery(self._timeline, delivery)
        if twice:
            again = await self._postman.repeat(delivery)
            note_delivery(self._timeline, again, again=True)


def note_delivery(timeline: Timeline, delivery: Delivery, again: bool = False) -> None:
    """Put a webhook and its answer on the timeline."""
    answer = f"{delivery.status}" if delivery.status else f"no answer ({delivery.problem})"
    status = delivery.param("CallStatus")
    repeated = ", again" if again else ""
    timeline.add(
        Kind.WEBHOOK,
        f"{delivery.what}{repeated} ({status}): {answer}",
        what=delivery.what,
        status=delivery.status,
    )
    if not delivery.ok:
        timeline.add(
            Kind.WARNING,
            f"{UNREACHABLE}: the webhook {delivery.what} was answered with {answer}",
            code=UNREACHABLE,
        )
