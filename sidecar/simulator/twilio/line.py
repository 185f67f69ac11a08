"""One simulated call from its beginning to its end, with the person at the far end."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sidecar.simulator.farend import FarEnd, HangUp, Interrupt, Pickup, Plan, Press, Say, Silence
from sidecar.simulator.pace import race
from sidecar.simulator.report import CallReport
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.callbacks import Callbacks
from sidecar.simulator.twilio.detection import detect, detected
from sidecar.simulator.twilio.leg import Leg, ending
from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.rest.requests import Create, RestError, Update
from sidecar.simulator.twilio.talk import gather
from sidecar.simulator.twilio.talk.performer import Over, Performer, send_digits
from sidecar.simulator.twilio.talk.stage import CallFailed, Instructions, Page, Stage, World
from sidecar.tasks import TaskSet

SETUP_S = 0.3
APOLOGY = "We are sorry, an application error has occurred. Goodbye."
NOT_IN_PROGRESS = "Call is not in-progress. Cannot redirect."
ERRANDS_MS = 20_000


class Line:
    """A call, seen from outside: what it was told, what the far end heard, how it ended."""

    def __init__(
        self,
        world: World,
        leg: Leg,
        plan: Plan,
        callbacks: tuple[Hook | None, tuple[str, ...]],
        source: Instructions,
        create: Create | None = None,
    ) -> None:
        fallback = create.fallback if create is not None else None
        self.stage = Stage(world, leg, plan, fallback)
        self.leg = leg
        self.pace = world.pace
        self.news = self.stage.news
        self.timeline = self.stage.timeline
        self.done = asyncio.Event()
        self.far_end = FarEnd(self, plan)
        self._quirks = world.quirks
        self._create = create
        self._source = source
        self._told = asyncio.Event()
        self._redirect: Instructions | None = None
        self._ended: str | None = None
        self._refusals = world.quirks.refuse_redirects
        self._tasks = TaskSet()
        self._callbacks = Callbacks(
            world.postman, world.pace, self.timeline, world.quirks, *callbacks
        )
        self._present: asyncio.Task[Any] | None = None

    # -- what can be read -----------------------------------------------------------------------

    @property
    def sid(self) -> str:
        return self.leg.sid

    @property
    def status(self) -> str:
        return self.leg.status

    @property
    def heard(self) -> list[str]:
        """What the far end heard, one text per piece of speech."""
        return self.timeline.heard

    @property
    def faults(self) -> list[str]:
        """What Twilio's debugger would call errors."""
        return [moment.text for moment in self.timeline.of(Kind.FAULT)]

    @property
    def warnings(self) -> list[str]:
        return [moment.text for moment in self.timeline.of(Kind.WARNING)]

    @property
    def is_over(self) -> bool:
        return self._ended is not None

    @property
    def final_status(self) -> str:
        return self._ended or ""

    def report(self) -> CallReport:
        return CallReport(
            sid=self.sid,
            direction=self.leg.direction,
            from_number=self.leg.from_number,
            to_number=self.leg.to_number,
            status=self.final_status or self.status,
            begun_ms=self.timeline.begun_ms,
            moments=tuple(self.timeline.moments),
            heard=tuple(self.heard),
            faults=tuple(self.faults),
            expectations=tuple(self.far_end.expectations),
        )

    # -- what the far end does ------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Speak, the next time somebody listens."""
        self.far_end.add([Say(text)])

    def interrupt(self, text: str, after_s: float = 0.5) -> None:
        self.far_end.add([Interrupt(text, after_s)])

    def dial_keys(self, digits: str) -> None:
        self.far_end.add([Press(digits)])

    def be_silent(self) -> None:
        """Let somebody listen in vain, once."""
        self.far_end.add([Silence()])

    def hang_up(self) -> None:
        """Put the receiver down when everything before has been done."""
        self.far_end.add([HangUp()])

    def listens(self, kind: str) -> bool:
        running = self.stage.gathering
        if running is None or running.prompting or running.has_input:
            return False
        return running.speech if kind == "speech" else running.digits

    def talks(self) -> bool:
        return self.stage.saying

    async def speak(self, text: str) -> None:
        await gather.speak(self.stage, text)

    async def press(self, digits: str) -> None:
        await gather.press(self.stage, digits)

    def put_down(self) -> None:
        self.timeline.add(Kind.SAID, "(hangs up)", hangs_up=True)
        answered = self.leg.answered_ms is not None
        self._end("completed" if answered else "no-answer")

    # -- what the REST API does -----------------------------------------------------------------

    def update(self, wish: Update) -> None:
        """Carry out a request of the sidecar; raises `RestError`."""
        for warning in wish.warnings:
            self.stage.warn(0, warning)
        if self.is_over and not self._quirks.never_ends:
            if self._quirks.ended_is_gone:
                raise RestError(404, 20404, "The requested resource was not found")
            raise RestError(400, 21220, NOT_IN_PROGRESS)
        if wish.status is not None:
            self._update_status(wish.status)
        elif wish.document is not None:
            self._update_document(wish.document)

    def _update_status(self, status: str) -> None:
        answered = self.leg.answered_ms is not None
        if status == "canceled" and answered:
            raise RestError(400, 21220, NOT_IN_PROGRESS)
        self.timeline.add(Kind.CARRIER, "is asked to hang up", asked=status)
        self._end("completed" if answered else "canceled")

    def _update_document(self, document: Instructions) -> None:
        if self.leg.status != "in-progress" or self._refusals > 0:
            self._refusals -= 1
            raise RestError(400, 21220, NOT_IN_PROGRESS)
        self._redirect = document
        self._told.set()

    # -- its life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """From dialling, or from the first webhook of an inbound call, to the last callback."""
        self._callbacks.start()
        try:
            await race(self._life(), self.news.until(lambda: self.is_over))
            if self._present is not None:
                await self._present
            self.far_end.conclude()
            await self._tasks.close()
            await self.stage.errands.settle(ERRANDS_MS)
            for callbacks in [*self.stage.offshoots, self._callbacks]:
                await callbacks.drain()
        finally:
            for callbacks in [*self.stage.offshoots, self._callbacks]:
                await callbacks.close()
            await self._tasks.close()
            await self.stage.errands.close()
            self.done.set()
            self.news.tell()

    async def _life(self) -> None:
        if self._create is None:
            self._advance("ringing", "ringing")
            self._meet()
            await self._talk({"StirVerstat": "TN-Validation-Passed-A"})
            return
        create, extra = self._create, {}
        self._tell("initiated", "initiated")
        if not await self._ring(create.timeout_s):
            return
        self._pick_up(create.time_limit_s)
        self._meet()
        if create.detection is not None and create.async_detection:
            self._tasks.spawn(detect(self.stage, create), "simulator.detection")
        elif create.detection is not None:
            extra = await detect(self.stage, create)
        if create.send_digits:
            await send_digits(self.stage, create.send_digits)
        await self._talk(extra)

    async def _ring(self, timeout_s: int) -> bool:
        """Whether somebody answers."""
        plan = self.stage.plan
        await self.pace.sleep(SETUP_S)
        if plan.pickup is Pickup.FAILED:
            self._end("failed")
            return False
        self._advance("ringing", "ringing")
        if plan.pickup is Pickup.NO_ANSWER or plan.ring_s > timeout_s:
            await self.pace.sleep(timeout_s)
            self._end("no-answer")
            return False
        await self.pace.sleep(plan.ring_s)
        if plan.pickup is Pickup.BUSY:
            self._end("busy")
        return plan.pickup.answers

    def _pick_up(self, time_limit_s: int = 14_400) -> None:
        self._advance("in-progress", "answered")
        self._tasks.spawn(self._limit(time_limit_s), "simulator.limit")

    def _meet(self) -> None:
        self._present = self._tasks.spawn(self.far_end.live(), "simulator.far-end")

    async def _talk(self, extra: Mapping[str, str]) -> None:
        """Perform the first document and all that follow, redirected ones included."""
        following: Instructions | None = self._source
        while following is not None and not self.is_over:
            self._told.clear()
            if self._redirect is not None:
                following, self._redirect = self._redirect, None
            await race(self._perform(following, extra), self._told.wait())
            following, self._redirect, extra = self._redirect, None, {}

    async def _perform(self, source: Instructions, extra: Mapping[str, str]) -> None:
        try:
            page = await self.stage.open(source, extra)
            if not await self._take(page):
                return
            await Performer(self.stage).run(page)
            self.timeline.add(Kind.CARRIER, "has nothing more to do and hangs up")
        except Over:
            self.timeline.add(Kind.CARRIER, "hangs up")
        except CallFailed:
            if self.leg.answered_ms is None:
                self._pick_up()
            await self.stage.utter(APOLOGY, voice="twilio")
        self._end("completed")

    async def _take(self, page: Page) -> bool:
        """Answer an inbound call as its first document says; False when that turns it away."""
        if self.leg.answered_ms is not None:
            return True
        for verb in page.document.verbs:
            if verb.name == "Reject":
                busy = verb.attributes.get("reason") == "busy"
                self._end("busy" if busy else "no-answer")
                return False
            if verb.name != "Pause":
                break
            await self.pace.sleep(verb.number("length", 1))
        self._pick_up()
        return True

    async def _limit(self, seconds: int) -> None:
        await self.pace.sleep(seconds)
        self.timeline.add(Kind.CARRIER, "ends the call: its time limit has passed")
        self._end("completed")

    def _advance(self, status: str, event: str) -> None:
        """Another status, unless somebody ended the call in this very moment."""
        if not self.is_over:
            self._move(status)
            self._tell(event, status)

    def _move(self, status: str) -> None:
        self.leg.to(status, self.pace.now_ms())
        self.timeline.add(Kind.STATUS, status, status=status)

    def _tell(self, event: str, status: str, extra: Mapping[str, str] | None = None) -> None:
        self._callbacks.tell(event, self.leg, status, extra)

    def _end(self, status: str) -> None:
        """The call is over; the first reason counts."""
        if self._ended is not None:
            return
        self._ended = status
        self._told.set()
        if self._quirks.never_ends:
            self.timeline.add(Kind.CARRIER, f"never says that the call is {status} (quirk)")
            return
        self._move(status)
        self._tell("completed", status, {**ending(self.leg), **detected(self.leg)})
