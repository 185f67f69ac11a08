"""One simulated line: it rings, answers, plays what is said in real time, speaks and hangs up.

It knows nothing of calls or carriers; it reports through the function it is given.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sidecar.call.events import (
    Answered,
    Event,
    Heard,
    LegEnded,
    LineLive,
    MachineDetected,
    Outcome,
    Ringing,
    Spoken,
)
from sidecar.call.model import EndReason, Utterance
from sidecar.ports import Clock
from sidecar.tasks import TaskSet

Tell = Callable[[Event], Awaitable[None]]

_UNANSWERED = {
    "busy": EndReason.BUSY,
    "no-answer": EndReason.NO_ANSWER,
    "failed": EndReason.FAILED,
}


@dataclass(frozen=True, slots=True)
class LineSettings:
    """`mock` of the configuration. Durations are the line's own and are divided by `speed`; a speed
    of zero makes them zero."""

    outcome: str = "answer"
    ring_ms: int = 300
    answer_ms: int = 700
    replies: tuple[str, ...] = ()
    reply_delay_ms: int = 400
    words_per_minute: int = 180
    speed: float = 1.0
    hangup_after_replies: bool = False

    def scaled_ms(self, duration_ms: float) -> int:
        return round(duration_ms / self.speed) if self.speed > 0 else 0

    def playing_ms(self, text: str) -> int:
        return self.scaled_ms(len(text.split()) * 60_000 / self.words_per_minute)


@dataclass(slots=True)
class _Playing:
    """What the far end hears now; `clear` is set when it is told to stop."""

    utterance: Utterance
    started_at_ms: int
    clear: asyncio.Event


class Line:
    """The far end of one call."""

    def __init__(self, settings: LineSettings, clock: Clock, tell: Tell) -> None:
        self._settings = settings
        self._clock = clock
        self._tell = tell
        self._replies = list(settings.replies)
        self._playing: _Playing | None = None
        self._answering: asyncio.Task[None] | None = None
        self._tasks = TaskSet()

    # -- the beginning ----------------------------------------------------------------------------

    def dial(self) -> None:
        """Somebody calls the far end."""
        self._tasks.spawn(self._ring(), "mock line rings")

    def take(self) -> None:
        """The far end called us and we pick up."""
        self._tasks.spawn(self._pick_up(), "mock line answers")

    async def _ring(self) -> None:
        settings = self._settings
        await self._pause(settings.ring_ms)
        if settings.outcome == "failed":
            await self._tell(LegEnded(self._now(), EndReason.FAILED))
            return
        await self._tell(Ringing(self._now()))
        if (reason := _UNANSWERED.get(settings.outcome)) is not None:
            await self._pause(settings.answer_ms)
            await self._tell(LegEnded(self._now(), reason))
            return
        await self._pick_up()
        if settings.outcome == "voicemail":
            await self._machine()

    async def _pick_up(self) -> None:
        await self._pause(self._settings.answer_ms)
        await self._tell(Answered(self._now()))
        await self._tell(LineLive(self._now()))

    async def _machine(self) -> None:
        await self._tell(MachineDetected(self._now(), "voicemail"))
        await self._pause(self._settings.reply_delay_ms)
        await self._tell(MachineDetected(self._now(), "voicemail", beep=True))

    # -- the talk ---------------------------------------------------------------------------------

    def play(self, utterance: Utterance) -> None:
        """Let the far end hear `utterance`, word by word; a reply it was about to give waits."""
        self._stop_answering()
        self._playing = _Playing(utterance, self._now(), asyncio.Event())
        self._tasks.spawn(self._play(self._playing), "mock line plays")

    async def _play(self, playing: _Playing) -> None:
        whole_ms = self._settings.playing_ms(playing.utterance.text)
        until_ms = playing.started_at_ms + whole_ms
        if whole_ms:
            sleeping = asyncio.ensure_future(self._clock.sleep_until(until_ms))
            clearing = asyncio.ensure_future(playing.clear.wait())
            try:
                await asyncio.wait((sleeping, clearing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                clearing.cancel()
                await asyncio.gather(sleeping, clearing, return_exceptions=True)
        if self._playing is playing:
            self._playing = None
        await self._tell(self._heard(playing, whole_ms))

    def _heard(self, playing: _Playing, whole_ms: int) -> Spoken:
        """How much the far end has heard: all of it, or the words that were played by now."""
        said, now_ms = playing.utterance, self._now()
        if not playing.clear.is_set():
            return Spoken(now_ms, said.utterance_id, Outcome.PLAYED, said.text, whole_ms)
        heard_ms = min(now_ms - playing.started_at_ms, whole_ms)
        words = said.text.split()
        count = int(len(words) * heard_ms / whole_ms) if whole_ms else 0
        text = " ".join(words[:count])
        return Spoken(now_ms, said.utterance_id, Outcome.INTERRUPTED, text, heard_ms)

    def clear(self) -> None:
        """Stop what is being played."""
        if self._playing is not None:
            self._playing.clear.set()

    def listen(self, *, awaited: bool, may_hang_up: bool) -> None:
        """It is the far end's turn. It speaks its next line when somebody waits for words."""
        self._stop_answering()
        if self._replies:
            if awaited:
                self._answering = self._tasks.spawn(self._reply(), "mock line speaks")
        elif self._settings.hangup_after_replies and may_hang_up:
            self._answering = self._tasks.spawn(self._leave(), "mock line hangs up")

    async def _reply(self) -> None:
        await self._pause(self._settings.reply_delay_ms)
        self._answering = None
        await self._tell(Heard(self._now(), self._replies.pop(0)))

    async def _leave(self) -> None:
        await self._pause(self._settings.reply_delay_ms)
        self._answering = None
        await self._tell(LegEnded(self._now(), EndReason.HANGUP_USER))

    def _stop_answering(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            self._answering = None

    def later(self, duration_ms: int, event: Callable[[int], Event]) -> None:
        """Report `event(at_ms)` after `duration_ms` of line time."""

        async def report() -> None:
            await self._pause(duration_ms)
            await self._tell(event(self._now()))

        self._tasks.spawn(report(), "mock line reports")

    # -- the end ----------------------------------------------------------------------------------

    async def drop(self) -> Spoken | None:
        """The line is gone; gives what was heard of an utterance that this cut."""
        playing, self._playing = self._playing, None
        await self._tasks.close()
        if playing is None:
            return None
        playing.clear.set()
        return self._heard(playing, self._settings.playing_ms(playing.utterance.text))

    def _now(self) -> int:
        return self._clock.now_ms()

    async def _pause(self, duration_ms: int) -> None:
        scaled_ms = self._settings.scaled_ms(duration_ms)
        if scaled_ms:
            await self._clock.sleep_until(self._now() + scaled_ms)
