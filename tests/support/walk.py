"""A random walk through the machine, and a watcher that knows what must hold at every step."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from sidecar.call import effects as ef
from sidecar.call import events as ev
from sidecar.call.machine import next_deadline, reduce
from sidecar.call.model import (
    BargeIn,
    Call,
    Detection,
    EndReason,
    Limits,
    Mode,
    Phrases,
    State,
)
from sidecar.errors import Problem
from tests.support.calls import START_MS, a_draft, an_inbound_draft

RANK = {
    State.INITIATED: 0,
    State.RINGING: 1,
    State.ANSWERED: 2,
    State.ACTIVE: 3,
    State.SPEAKING: 4,
    State.LISTENING: 4,
    State.ENDING: 5,
    State.ENDED: 6,
}
AFTER_THE_END = {"hangup_due", "provider_call_id", "leg_over"}
SAME_INSTANT_MAX = 12
STEPS_TO_THE_END = 200
TEXTS = ("mm-hm", "yes", "No, stop that.", "What time is it?", " ", "tomorrow at nine")
REPLIES = ("It is nine o'clock. Good", " bye then.", "", "Sure!", "\U0001f600")
_PROBLEM = Problem("carrierRejected", "The carrier refused.")


class Watcher:
    """Sees every step of one call and remembers what it owes."""

    def __init__(self) -> None:
        self.requests: dict[str, int] = {}
        self.dropped: set[str] = set()
        self.story: list[str] = []
        self.speaking: str | None = None
        self.uttered: Counter[str] = Counter()
        self.to_be_said: set[str] = set()
        self.open_replies: set[str] = set()
        self.asked: set[str] = set()
        self.hangups = 0
        self.restarts = 0
        self.ended_by_us = False

    def see(
        self, before: Call | None, event: ev.Event, after: Call, effects: tuple[Any, ...]
    ) -> None:
        self._event(before, event)
        speaking = self.speaking
        for effect in effects:
            self._effect(before, effect)
        if before is not None and before.is_over:
            self._nothing_after_the_end(before, after, effects)
        elif before is not None:
            assert RANK[after.state] >= RANK[before.state], (before.state, after.state)
        if isinstance(event, ev.Spoken) and event.utterance_id != speaking:
            assert self.speaking == speaking, "the fate of another utterance"
        self._shape(after)
        if after.is_over and not (before and before.is_over):
            self._settled(after)

    def _event(self, before: Call | None, event: ev.Event) -> None:
        request_id = getattr(event, "request_id", None)
        if isinstance(event, ev.RequestDropped):
            self.dropped.add(event.request_id)
        elif isinstance(event, ev.HostEvent) and request_id is not None:
            self.requests[request_id] = 0
        elif isinstance(event, ev.Restarted) and event.alive is None:
            # Whoever asked, and the agent, were clients of the process that is gone.
            self.restarts += 1
            self.dropped.update(self.requests)
            self.open_replies.clear()
        elif isinstance(event, ev.ReplyDone | ev.ReplyFailed | ev.ReplyLost) and (
            before is not None
            and before.reply is not None
            and before.reply.reply_id == event.reply_id
            and RANK[State.ACTIVE] <= RANK[before.state] < RANK[State.ENDING]
        ):
            self.open_replies.discard(event.reply_id)

    def _effect(self, before: Call | None, effect: Any) -> None:
        match effect:
            case ef.Reply(request_id, _):
                assert request_id in self.requests, "an answer to nobody"
                self.requests[request_id] += 1
                assert self.requests[request_id] == 1, "two answers to one request"
            case ef.Notify(type, members):
                self._notify(type, members)
            case ef.AskAgent(reply_id):
                assert reply_id not in self.asked
                self.asked.add(reply_id)
                self.open_replies.add(reply_id)
            case ef.CancelReply(reply_id):
                assert reply_id in self.open_replies, "cancelled what was over"
                self.open_replies.discard(reply_id)
            case ef.Hangup():
                self.hangups += 1
            case ef.Say(utterance):
                assert self.speaking == utterance.utterance_id
                assert utterance.text.strip(), "silence is not said"

    def _notify(self, type: str, members: Any) -> None:
        assert "call.ended" not in self.story, f"{type} after the end"
        if not self.story:
            assert type == "call.initiated", f"{type} before call.initiated"
        if type in ("call.initiated", "call.answered", "call.active", "call.ended"):
            assert type not in self.story, f"{type} twice"
        if type == "call.active":
            assert "call.answered" in self.story
        if type in ("call.speaking", "call.listening", "call.speech", "call.turn"):
            assert "call.active" in self.story, f"{type} before the line was live"
        if type == "call.speaking":
            assert self.speaking is None, "two voices"
            self.speaking = members["utteranceId"]
            assert not self.uttered[self.speaking]
        if type == "call.utterance":
            self.uttered[members["utteranceId"]] += 1
            assert self.uttered[members["utteranceId"]] == 1, "an utterance ended twice"
            if members["utteranceId"] == self.speaking:
                self.speaking = None
        if type == "call.ended":
            assert self.speaking is None, "call.ended in the middle of an utterance"
        if type == "call.turn":
            assert all(value >= 0 for value in members["latency"].values())
        self.story.append(type)

    def _nothing_after_the_end(self, before: Call, after: Call, effects: tuple[Any, ...]) -> None:
        kept = {name: getattr(after, name) for name in AFTER_THE_END}
        assert replace(before, **kept) == after, "an ended call changed"
        assert all(isinstance(effect, ef.Reply | ef.Hangup) for effect in effects), effects
        if before.leg_over or before.transferred:
            assert ef.Hangup() not in effects, "nothing is left to hang up"

    def _shape(self, call: Call) -> None:
        self.to_be_said.update(said.utterance_id for said in call.queue)
        assert (next_deadline(call) is None) is call.is_over
        assert (self.speaking is not None) is (call.saying is not None)
        if call.saying is None:
            assert not call.cutting
        if call.state is State.LISTENING:
            assert call.saying is None
            assert call.turn
        if call.state in (State.SPEAKING, State.LISTENING) and call.saying is None:
            if not call.awaiting_beep:
                assert not call.queue, "something to say is forgotten"
                assert not call.unheard, "words are forgotten"
            if call.transfer_to is None and call.waiter is not None and not call.awaiting_beep:
                assert call.waiter.until_ms is not None, "a waiter without an end"
        if call.state is State.ENDING:
            self.ended_by_us = True
            assert call.reply is None

    def _settled(self, call: Call) -> None:
        """The call is over: nobody waits any more."""
        assert call.waiter is None
        assert not call.digit_requests
        assert call.reply is None
        assert not call.queue
        assert call.end_reason is not None
        assert self.story[-1] == "call.ended"
        assert self.to_be_said <= set(self.uttered), "something was never said, and nobody told"
        assert not self.open_replies, "the agent was never told"
        owed = {r for r, answers in self.requests.items() if not answers} - self.dropped
        assert not owed, "a request without an answer"
        had_leg = call.provider_call_id is not None
        if self.ended_by_us and had_leg:
            assert 1 <= self.hangups <= 1 + self.restarts
        else:
            assert self.hangups <= self.restarts


Note = Callable[[Call, tuple[Any, ...]], None]


def walk(random: Random, steps: int, note: Note | None = None) -> int:
    """One call through `steps` random events and then through its deadlines to its end; how many
    events that were. `note` sees what each of them led to."""
    watcher = Watcher()
    at_ms = START_MS
    draft = _draft(random)
    event: ev.Event
    if draft.state is State.RINGING:
        event = ev.Incoming(at_ms, draft)
    else:
        event = ev.CallRequested(at_ms, draft, random.choice(("dial", None)))
    call, effects = reduce(None, event)
    watcher.see(None, event, call, effects)
    if note is not None:
        note(call, effects)
    count = 1
    same_instant = 0
    source = _Source(random, watcher)
    for number in range(steps + STEPS_TO_THE_END):
        if call.is_over and number >= steps:
            break
        due_ms = next_deadline(call)
        if due_ms is not None and (number >= steps or random.random() < 0.25):
            same_instant = same_instant + 1 if due_ms <= at_ms else 0
            assert same_instant < SAME_INSTANT_MAX, f"no progress in {call.state}"
            at_ms = max(at_ms, due_ms)
            event = ev.DeadlinePassed(at_ms)
        else:
            at_ms += random.choice((0, 1, 40, 900, 5_000))
            event = source.next(call, at_ms)
        before = call
        call, effects = reduce(before, event)
        watcher.see(before, event, call, effects)
        if note is not None:
            note(call, effects)
        count += 1
    assert call.is_over, f"the call never ended: {call.state}"
    return count


def _draft(random: Random) -> Call:
    members: dict[str, Any] = {
        "mode": random.choice((Mode.CONVERSATION, Mode.CONVERSATION, Mode.NOTIFY)),
        "greeting": random.choice(("Hello there.", "Hello there.", None, "\U0001f600")),
        "agent_online": random.random() < 0.6,
        "barge_in": BargeIn(
            enabled=random.random() < 0.8,
            min_words=random.choice((0, 0, 3)),
            protect_greeting=random.random() < 0.3,
        ),
        "limits": Limits(
            max_duration_ms=random.choice((30_000, 300_000)),
            transcript_ms=random.choice((2_000, 60_000)),
            response_ms=random.choice((1_000, 30_000)),
            ack_ms=random.choice((0, 500)),
            notify_hangup_ms=random.choice((0, 3_000)),
            stale_ms=random.choice((0, 0, 40_000)),
        ),
        "phrases": random.choice((Phrases(), Phrases("", "", "", ""))),
    }
    if random.random() < 0.3:
        return an_inbound_draft(**(members | {"mode": Mode.CONVERSATION}))
    members["detection"] = random.choice(tuple(Detection))
    if members["mode"] is Mode.CONVERSATION and random.random() < 0.3:
        members["dtmf_sequence"] = "12w#"
    return a_draft(**members)


class _Source:
    """Makes events: mostly plausible ones, and some that are late, stale, or repeated."""

    def __init__(self, random: Random, watcher: Watcher) -> None:
        self._random = random
        self._watcher = watcher
        self._requests = 0
        self._turns = [""]
        self._utterances = ["u0-none"]
        self._makers: list[Callable[[Call, int], ev.Event]] = [
            *self._host(),
            *self._agent(),
            *self._carrier(),
        ]

    def next(self, call: Call, at_ms: int) -> ev.Event:
        self._turns.append(call.turn)
        if call.saying is not None:
            self._utterances.append(call.saying.utterance_id)
        random = self._random
        if random.random() < 0.15 and RANK[call.state] < 4:
            kinds = (ev.Ringing, ev.Answered, ev.LineLive)
            return random.choice(kinds)(at_ms)
        if call.saying is not None and random.random() < 0.3:
            return self._spoken(call, at_ms)
        return random.choice(self._makers)(call, at_ms)

    def _request_id(self) -> str:
        self._requests += 1
        return f"q{self._requests}"

    def _spoken(self, call: Call, at_ms: int) -> ev.Event:
        recent = self._random.choice(self._utterances[-2:])
        outcome = self._random.choice(tuple(ev.Outcome))
        heard = "" if outcome is ev.Outcome.FAILED else "Hello"
        return ev.Spoken(at_ms, recent, outcome, heard, 10)

    def _heard(self, call: Call, at_ms: int) -> ev.Event:
        turn = self._random.choice((None, None, call.turn, *self._turns[-3:]))
        return ev.Heard(at_ms, self._random.choice(TEXTS), turn)

    def _reply_id(self, call: Call) -> str:
        if call.reply is not None and self._random.random() < 0.8:
            return call.reply.reply_id
        return self._random.choice((*sorted(self._watcher.asked)[-2:], "r0-none"))

    def _host(self) -> list[Callable[[Call, int], ev.Event]]:
        random = self._random

        def dropped(call: Call, at_ms: int) -> ev.Event:
            mine = call.waiter.request_id if call.waiter else f"q{self._requests}"
            return ev.RequestDropped(at_ms, mine)

        def hangup(call: Call, at_ms: int) -> ev.Event:
            if random.random() < 0.7:
                return ev.LegAlive(at_ms)
            return ev.HangupRequested(
                at_ms,
                random.choice((None, self._request_id())),
                random.random() < 0.5,
                random.choice((None, None, "Goodbye.")),
            )

        return [
            lambda call, at_ms: ev.SpeakRequested(at_ms, self._request_id(), "Some news."),
            lambda call, at_ms: ev.SpeakRequested(at_ms, self._request_id(), "\U0001f600"),
            lambda call, at_ms: ev.ContinueRequested(at_ms, self._request_id(), "And you?"),
            lambda call, at_ms: ev.ContinueRequested(at_ms, self._request_id(), "\U0001f600"),
            lambda call, at_ms: ev.DigitsRequested(at_ms, self._request_id(), "1w2"),
            lambda call, at_ms: ev.TransferRequested(
                at_ms, self._request_id(), "+15550002222", random.choice((None, "One moment."))
            ),
            dropped,
            hangup,
        ]

    def _agent(self) -> list[Callable[[Call, int], ev.Event]]:
        random = self._random
        return [
            lambda call, at_ms: ev.AgentOffered(at_ms),
            lambda call, at_ms: ev.AgentLost(at_ms),
            lambda call, at_ms: ev.ReplyLost(at_ms, self._reply_id(call), random.random() < 0.5),
            lambda call, at_ms: ev.ReplyGrew(at_ms, self._reply_id(call), random.choice(REPLIES)),
            lambda call, at_ms: ev.ReplyDone(
                at_ms,
                self._reply_id(call),
                random.choice((None, *REPLIES)),
                random.random() < 0.1,
            ),
            lambda call, at_ms: ev.ReplyFailed(at_ms, self._reply_id(call), "It failed."),
        ]

    def _carrier(self) -> list[Callable[[Call, int], ev.Event]]:
        random = self._random

        def rarely(event: Callable[[int], ev.Event], often: float = 0.15) -> Any:
            def make(call: Call, at_ms: int) -> ev.Event:
                return event(at_ms) if random.random() < often else self._heard(call, at_ms)

            return make

        def digits_done(call: Call, at_ms: int) -> ev.Event:
            request_id = random.choice((None, *call.digit_requests))
            if random.random() < 0.7:
                return ev.DigitsSent(at_ms, request_id)
            return ev.DigitsFailed(at_ms, _PROBLEM, request_id)

        reason = (None, *EndReason)
        return [
            lambda call, at_ms: ev.Dialed(at_ms, random.choice(("leg-1", "leg-1", "leg-2"))),
            rarely(lambda at_ms: ev.DialFailed(at_ms, _PROBLEM)),
            lambda call, at_ms: ev.Ringing(at_ms),
            lambda call, at_ms: ev.Answered(at_ms),
            lambda call, at_ms: ev.LineLive(at_ms),
            self._heard,
            self._heard,
            lambda call, at_ms: ev.SilenceHeard(at_ms, 800, random.choice((None, call.turn, "x"))),
            lambda call, at_ms: ev.DigitsHeard(at_ms, "5"),
            rarely(
                lambda at_ms: ev.MachineDetected(
                    at_ms,
                    random.choice(("human", "voicemail", "voicemail", "ivr", "fax", "unknown")),
                    random.random() < 0.4,
                ),
                0.5,
            ),
            rarely(ev.TransferDone, 0.3),
            lambda call, at_ms: ev.TransferFailed(at_ms, "Nobody answered."),
            rarely(lambda at_ms: ev.CarrierFault(at_ms, "Odd.", random.random() < 0.8), 0.3),
            rarely(lambda at_ms: ev.LegEnded(at_ms, random.choice(reason))),
            lambda call, at_ms: ev.LegAlive(at_ms),
            digits_done,
            self._spoken,
            rarely(lambda at_ms: ev.Restarted(at_ms, None), 0.2),
            rarely(
                lambda at_ms: ev.Restarted(at_ms, random.random() < 0.8, random.choice(reason)),
                0.2,
            ),
        ]
