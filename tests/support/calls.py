"""Calls and short walks for the tests of the machine: values in, values out, no loop."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sidecar.call import events as ev
from sidecar.call.effects import Effect, Notify, Reply
from sidecar.call.machine import next_deadline, reduce
from sidecar.call.model import Call, Direction, Limits, Mode, State

OURS = "+15550000000"
THEIRS = "+15550001111"
START_MS = 1_000_000

E = TypeVar("E")


def a_draft(**members: Any) -> Call:
    """An outbound conversation that nobody has asked for yet."""
    call = Call(
        call_id="11111111-2222-3333-4444-555555555555",
        provider="mock",
        direction=Direction.OUTBOUND,
        mode=Mode.CONVERSATION,
        state=State.INITIATED,
        from_number=OURS,
        to_number=THEIRS,
        session_key="voice:15550001111",
        started_at_ms=START_MS,
        greeting="Hello there.",
    )
    return replace(call, **members)


def an_inbound_draft(**members: Any) -> Call:
    return a_draft(
        direction=Direction.INBOUND,
        state=State.RINGING,
        from_number=THEIRS,
        to_number=OURS,
        provider_call_id="leg-1",
        **members,
    )


class Talk:
    """One call and everything it asked for. `at_ms` is the time of the next event; events are
    built by `on(kind, ...)`, which fills in the time."""

    def __init__(self, draft: Call | None = None, *, request_id: str | None = "r-dial") -> None:
        self.at_ms = START_MS
        self.effects: list[Effect] = []
        self.last: Sequence[Effect] = ()
        draft = draft or a_draft()
        self.call = draft
        if draft.state is State.RINGING:
            self._take(reduce(None, ev.Incoming(self.at_ms, draft)))
        else:
            self._take(reduce(None, ev.CallRequested(self.at_ms, draft, request_id)))

    def on(self, kind: type[Any], *values: Any, after_ms: int = 10, **members: Any) -> "Talk":
        """Let `after_ms` pass, then apply one event."""
        self.at_ms += after_ms
        self._take(reduce(self.call, kind(self.at_ms, *values, **members)))
        return self

    def dialed(self) -> "Talk":
        return self.on(ev.Dialed, "leg-1")

    def live(self) -> "Talk":
        """Up to the moment when speech can pass."""
        if self.call.state is State.INITIATED:
            self.dialed().on(ev.Ringing)
        return self.on(ev.Answered).on(ev.LineLive)

    def listening(self) -> "Talk":
        """Live, and everything that was to be said first has been said."""
        self.live()
        return self.all_said()

    def played(self, **members: Any) -> "Talk":
        """What is being said has been heard to its end."""
        said = self.call.saying
        assert said is not None
        return self.on(ev.Spoken, said.utterance_id, ev.Outcome.PLAYED, said.text, 100, **members)

    def cut_short(self, heard: str = "") -> "Talk":
        """The audio's word on a `Clear`."""
        said = self.call.saying
        assert said is not None
        return self.on(ev.Spoken, said.utterance_id, ev.Outcome.INTERRUPTED, heard, 50)

    def all_said(self) -> "Talk":
        while self.call.saying is not None:
            self.played()
        return self

    def deadline(self) -> "Talk":
        """Let time pass until the call must be looked at again."""
        at_ms = next_deadline(self.call)
        assert at_ms is not None
        self.at_ms = max(at_ms, self.at_ms)
        self._take(reduce(self.call, ev.DeadlinePassed(self.at_ms)))
        return self

    def passes(self, duration_ms: int) -> "Talk":
        """Let time pass; every deadline on the way is handed back."""
        until_ms = self.at_ms + duration_ms
        while (at_ms := next_deadline(self.call)) is not None and at_ms <= until_ms:
            self.deadline()
        self.at_ms = until_ms
        return self

    # -- what came of it --------------------------------------------------------------------------

    def asked_for(self, kind: type[E]) -> list[E]:
        """Effects of one kind, since the beginning."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def told(self, *types: str) -> list[dict[str, Any]]:
        """Members of the events of these types, or of all, each with its type."""
        return [
            {"type": effect.type, **effect.members}
            for effect in self.asked_for(Notify)
            if not types or effect.type in types
        ]

    @property
    def story(self) -> list[str]:
        """The types of all events, in order, without `call.`."""
        return [effect.type.removeprefix("call.") for effect in self.asked_for(Notify)]

    def answer(self, request_id: str) -> Any:
        """The only answer to a request; None while there is none."""
        answers = [e.answer for e in self.asked_for(Reply) if e.request_id == request_id]
        assert len(answers) <= 1, answers
        return answers[0] if answers else None

    def problem(self, request_id: str) -> str | None:
        """The kind of the problem a request was answered with."""
        answer = self.answer(request_id)
        return getattr(answer, "kind", None)

    @property
    def said(self) -> list[str]:
        return [members["text"] for members in self.told("call.speaking")]

    def _take(self, result: tuple[Call, tuple[Effect, ...]]) -> None:
        self.call, self.last = result
        self.effects.extend(self.last)


def quick(**limits: Any) -> Limits:
    """Limits for tests; unnamed ones as in the configuration."""
    return replace(Limits(), **limits)
