"""The person (or machine) at the far end: whether they answer, and what they do during the call."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from sidecar.simulator.pace import News, Pace
from sidecar.simulator.timeline import Kind, Timeline


class Pickup(StrEnum):
    """What happens when the telephone rings."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"

    @property
    def answers(self) -> bool:
        return self in (Pickup.HUMAN, Pickup.MACHINE, Pickup.FAX)


@dataclass(frozen=True, slots=True)
class Say:
    """Speak when somebody listens; with `after_s`, so long after that."""

    text: str
    after_s: float = 0.3


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Speak into what is being said, `after_s` after it began."""

    text: str
    after_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys when somebody listens for them."""

    digits: str
    after_s: float = 0.3


@dataclass(frozen=True, slots=True)
class Silence:
    """Let somebody listen in vain, once."""


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the receiver down."""


@dataclass(frozen=True, slots=True)
class ExpectHeard:
    """Wait until the far end has heard `text`, after what it heard for the last such step."""

    text: str
    within_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """The call must end, with this status when one is given."""

    status: str | None = None
    within_s: float = 60.0


Step = Say | Interrupt | Press | Silence | Wait | HangUp | ExpectHeard | ExpectEnd


@dataclass(frozen=True, slots=True)
class Plan:
    """How one call goes at the far end.

    `ring_s`: how long it rings before it is answered or turned away. `greeting_s`: how long a
    machine speaks before its beep. `patience_s`: how long the far end stays after its last step;
    None is for ever. `transfers`: what becomes of a call handed on to a number.
    """

    pickup: Pickup = Pickup.HUMAN
    ring_s: float = 1.0
    greeting_s: float = 4.0
    talk: tuple[Step, ...] = ()
    patience_s: float | None = None
    transfers: "dict[str, Target]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """Whoever a call is handed on to: talks for `talk_s` when they answer."""

    pickup: Pickup = Pickup.HUMAN
    ring_s: float = 1.0
    talk_s: float = 5.0


@dataclass(slots=True)
class Expectation:
    """Something the script expects, and whether it came true."""

    what: str
    met: bool = False
    why: str = ""


class Ear(Protocol):
    """The line, as the far end knows it."""

    pace: Pace
    news: News
    timeline: Timeline

    @property
    def is_over(self) -> bool: ...

    @property
    def final_status(self) -> str: ...

    def listens(self, kind: str) -> bool:
        """Somebody waits for `speech` or `digits`, has got nothing yet, and nothing is being
        said."""
        ...

    def talks(self) -> bool:
        """Something is being said that speech may interrupt."""
        ...

    async def speak(self, text: str) -> None: ...

    async def press(self, digits: str) -> None: ...

    def put_down(self) -> None: ...


class FarEnd:
    """Goes through the steps of a plan on one line; further steps may be added at any time."""

    def __init__(self, ear: Ear, plan: Plan) -> None:
        self.plan = plan
        self.expectations: list[Expectation] = []
        self._ear = ear
        self._steps: deque[Step] = deque()
        self._idle = True
        self._heard_from = 0
        self.add(plan.talk)

    def add(self, steps: Iterable[Step]) -> None:
        self._steps.extend(steps)
        self._ear.news.tell()

    @property
    def is_done(self) -> bool:
        return not self._steps and self._idle

    async def live(self) -> None:
        """Until the call is over."""
        while not self._ear.is_over:
            if not self._steps:
                await self._stay()
                continue
            self._idle = False
            await self._take(self._steps.popleft())
            self._idle = True
            self._ear.news.tell()

    def conclude(self) -> None:
        """The call is over: settle what was still expected."""
        for step in self._steps:
            match step:
                case ExpectHeard(text):
                    self._expected(f"heard: {text}", False, "the call was over")
                case ExpectEnd(status):
                    self._end_expected(status)
        self._steps.clear()

    async def _stay(self) -> None:
        ear = self._ear
        if self.plan.patience_s is None:
            await ear.news.until(lambda: bool(self._steps) or ear.is_over)
            return
        busy = await self._within(self.plan.patience_s, lambda: bool(self._steps))
        if not busy and not ear.is_over:
            ear.timeline.add(Kind.SAID, "(has nothing more to say and hangs up)")
            ear.put_down()
            await ear.news.until(lambda: ear.is_over)

    async def _take(self, step: Step) -> None:
        ear = self._ear
        match step:
            case Say() | Interrupt() | Press():
                await self._contribute(step)
            case Silence():
                if await self._when(self._is_asked):
                    await self._when(lambda: not self._is_asked())
            case Wait(seconds):
                await self._within(seconds, lambda: False)
            case HangUp():
                ear.put_down()
                await ear.news.until(lambda: ear.is_over)
            case ExpectHeard(text, within_s):
                await self._expect_heard(text, within_s)
            case ExpectEnd(status, within_s):
                await self._within(within_s, lambda: ear.is_over)
                self._end_expected(status)

    async def _contribute(self, step: Say | Interrupt | Press) -> None:
        """Speak or press keys when it is time; not at all when the call is over before."""
        ear = self._ear
        while not ear.is_over:
            if await self._when(lambda: self._is_time(step)):
                await self._within(step.after_s, lambda: not self._is_time(step))
            if ear.is_over or not self._is_time(step):
                continue
            if isinstance(step, Press):
                await ear.press(step.digits)
            else:
                await ear.speak(step.text)
            return

    def _is_time(self, step: Say | Interrupt | Press) -> bool:
        match step:
            case Say():
                return self._ear.listens("speech")
            case Interrupt():
                return self._ear.talks()
            case Press():
                return self._ear.listens("digits")

    def _is_asked(self) -> bool:
        return self._ear.listens("speech") or self._ear.listens("digits")

    async def _when(self, true: Callable[[], bool]) -> bool:
        """Wait until it is true; False when the call was over before."""
        ear = self._ear
        await ear.news.until(lambda: true() or ear.is_over)
        return not ear.is_over

    async def _within(self, seconds: float, true: Callable[[], bool]) -> bool:
        """Wait until it is true, the call is over or the time has passed; whether it is true."""
        ear = self._ear
        until_ms = ear.pace.now_ms() + seconds * 1_000
        while not true() and not ear.is_over and ear.pace.now_ms() < until_ms:
            await ear.pace.sleep(min(0.05, (until_ms - ear.pace.now_ms()) / 1_000))
        return true()

    async def _expect_heard(self, text: str, within_s: float) -> None:
        met = await self._within(within_s, lambda: self._find(text) is not None)
        found = self._find(text)
        if found is not None:
            self._heard_from = found + 1
        self._expected(f"heard: {text}", met, f"not within {within_s:g} s" if not met else "")

    def _find(self, text: str) -> int | None:
        heard = self._ear.timeline.heard
        for place in range(self._heard_from, len(heard)):
            if _plain(text) in _plain(heard[place]):
                return place
        return None

    def _end_expected(self, status: str | None) -> None:
        ear = self._ear
        what = f"ended: {status or 'in any way'}"
        if not ear.is_over:
            self._expected(what, False, "the call goes on")
        elif status is not None and status != ear.final_status:
            self._expected(what, False, f"it ended as {ear.final_status}")
        else:
            self._expected(what, True, "")

    def _expected(self, what: str, met: bool, why: str) -> None:
        self.expectations.append(Expectation(what, met, why))
        verdict = "met" if met else f"NOT met, {why}"
        self._ear.timeline.add(Kind.EXPECTED, f"{what} ({verdict})", met=met)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
