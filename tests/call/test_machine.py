"""The machine's law: the table, row by row, and what holds whatever happens."""

import ast
import inspect
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

import sidecar.call
from sidecar.call import events as ev
from sidecar.call.effects import Effect, Hangup, Notify, Reply
from sidecar.call.machine import TABLE, next_deadline, reduce
from sidecar.call.model import (
    Call,
    Direction,
    EndReason,
    Origin,
    PendingReply,
    State,
    Utterance,
    Waiter,
)
from sidecar.errors import Problem
from tests.support.calls import START_MS, a_draft, an_inbound_draft
from tests.support.walk import walk

PROBLEM = Problem("carrierRejected", "The carrier refused.")
NOW_MS = START_MS + 5_000
EVENTS = get_args(ev.Event)
OPEN_STATES = [state for state in State if state is not State.ENDED]
WALKS = 2_000
WALK_STEPS = 60


def in_state(state: State) -> Call:
    """A plausible call in that state."""
    members: dict[str, Any] = {"state": state, "announced": True, "agent_online": True}
    if state is not State.INITIATED:
        members["provider_call_id"] = "leg-1"
    if state not in (State.INITIATED, State.RINGING):
        members["answered_at_ms"] = START_MS
        members["ends_by_ms"] = START_MS + 300_000
    if state is State.SPEAKING:
        members["saying"] = Utterance("u1", "Hello there.", "t1", Origin.MESSAGE)
        members["turn"] = "t1"
    if state is State.LISTENING:
        members["turn"] = "t1"
        members["waiter"] = Waiter("r-wait", "u1", True, NOW_MS + 1_000)
        members["reply"] = PendingReply("p1", "Hi.", START_MS, NOW_MS + 1_000)
    if state is State.ENDING:
        members["ending_as"] = EndReason.HANGUP_BOT
        members["before_ending"] = State.LISTENING
        members["hangup_due"] = True
    if state is State.ENDED:
        members["end_reason"] = EndReason.COMPLETED
        members["ended_at_ms"] = START_MS
    else:
        members["state_until_ms"] = NOW_MS + 100
    return a_draft(**members)


def an_event(kind: type) -> Any:
    """One of each kind, such as a call in any state may get."""
    values: dict[type, tuple[Any, ...]] = {
        ev.CallRequested: (a_draft(), "r1"),
        ev.SpeakRequested: ("r1", "Hello."),
        ev.ContinueRequested: ("r1", "Hello?"),
        ev.HangupRequested: ("r1",),
        ev.DigitsRequested: ("r1", "1"),
        ev.TransferRequested: ("r1", "+15550002222"),
        ev.RequestDropped: ("r-wait",),
        ev.ReplyLost: ("p1", True),
        ev.ReplyGrew: ("p1", "It is nine. And"),
        ev.ReplyDone: ("p1", "It is nine."),
        ev.ReplyFailed: ("p1", "It failed."),
        ev.Incoming: (an_inbound_draft(),),
        ev.Dialed: ("leg-9",),
        ev.DialFailed: (PROBLEM,),
        ev.Heard: ("What time is it?",),
        ev.SilenceHeard: (800,),
        ev.DigitsHeard: ("5",),
        ev.MachineDetected: ("human",),
        ev.TransferFailed: ("Nobody answered.",),
        ev.CarrierFault: ("Odd.",),
        ev.Spoken: ("u1", ev.Outcome.PLAYED, "Hello there.", 100),
        ev.DigitsFailed: (PROBLEM,),
        ev.Restarted: (True,),
    }
    return kind(NOW_MS, *values.get(kind, ()))


# -- the table ------------------------------------------------------------------------------------


def test_every_event_has_one_row_and_every_row_an_event() -> None:
    assert set(TABLE) == set(EVENTS)


ROWS = [(kind, state) for kind in EVENTS for state in sorted(TABLE[kind].frm)]
NOT_ROWS = [(kind, state) for kind in EVENTS for state in State if state not in TABLE[kind].frm]


@pytest.mark.parametrize(("kind", "state"), ROWS)
def test_an_event_leads_where_its_row_says(kind: type, state: State) -> None:
    before = in_state(state)
    after, effects = reduce(before, an_event(kind))
    assert after.state in TABLE[kind].to
    answers = [effect for effect in effects if isinstance(effect, Reply)]
    waits = kind in (ev.ContinueRequested, ev.DigitsRequested) and not answers
    if isinstance(an_event(kind), ev.HostEvent) and kind is not ev.RequestDropped:
        assert waits or [answer.request_id for answer in answers] == ["r1"]


@pytest.mark.parametrize(("kind", "state"), NOT_ROWS)
def test_an_event_that_does_not_fit_changes_nothing(kind: type, state: State) -> None:
    before = in_state(state)
    event = an_event(kind)
    after, effects = reduce(before, event)
    assert after is before
    assert all(isinstance(effect, Reply) for effect in effects)
    if not isinstance(event, ev.HostEvent) or kind is ev.RequestDropped:
        assert not effects, "only a host is told"


@pytest.mark.parametrize("kind", [ev.CallRequested, ev.Incoming])
def test_two_events_bring_a_call_into_being(kind: type) -> None:
    call, effects = reduce(None, an_event(kind))
    assert call.state in TABLE[kind].to
    assert effects


@pytest.mark.parametrize(
    "kind", [kind for kind in EVENTS if kind not in (ev.CallRequested, ev.Incoming)]
)
def test_no_other_event_brings_a_call_into_being(kind: type) -> None:
    with pytest.raises(TypeError):
        reduce(None, an_event(kind))


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_call_has_a_deadline(state: State) -> None:
    assert next_deadline(in_state(state)) is not None


def test_an_ended_call_has_none() -> None:
    assert next_deadline(in_state(State.ENDED)) is None


def test_the_carriers_news_put_the_next_poll_off() -> None:
    call, _ = reduce(in_state(State.LISTENING), ev.LegAlive(NOW_MS))
    assert call.poll_at_ms == NOW_MS + call.limits.poll_ms


# -- requests that do not fit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind", "word"),
    [
        (State.INITIATED, "wrongState", "answered"),
        (State.RINGING, "wrongState", "answered"),
        (State.ENDING, "wrongState", "hung up"),
        (State.ENDED, "callEnded", "completed"),
    ],
)
def test_speaking_at_the_wrong_time_is_refused_with_the_reason(
    state: State, kind: str, word: str
) -> None:
    _, (reply,) = reduce(in_state(state), an_event(ev.SpeakRequested))
    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Problem)
    assert reply.answer.kind == kind
    assert word in reply.answer.message


def test_a_refusal_because_of_the_end_bears_the_reason() -> None:
    _, (reply,) = reduce(in_state(State.ENDED), an_event(ev.ContinueRequested))
    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Problem)
    assert reply.answer.data["reason"] == "completed"


def test_a_transfer_before_the_line_is_live_is_refused() -> None:
    _, (reply,) = reduce(in_state(State.ANSWERED), an_event(ev.TransferRequested))
    assert isinstance(reply, Reply)
    assert isinstance(reply.answer, Problem)
    assert "call.active" in reply.answer.message


@pytest.mark.parametrize("state", [State.ENDING, State.ENDED])
def test_ending_what_is_ending_or_over_is_a_success(state: State) -> None:
    call = in_state(state)
    after, effects = reduce(call, an_event(ev.HangupRequested))
    assert after is call
    assert effects == (Reply("r1", {"success": True}),)


def test_a_late_ringing_after_the_answer_changes_nothing() -> None:
    call = in_state(State.LISTENING)
    assert reduce(call, ev.Ringing(NOW_MS)) == (call, ())


# -- whatever happens -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walked() -> tuple[int, Counter[str]]:
    """Many random walks, all of whose steps kept the invariants: how many events that were, and
    what was seen on the way. Which events come depends on nothing but the seeds."""
    seen: Counter[str] = Counter()

    def note(call: Call, effects: tuple[Any, ...]) -> None:
        seen[call.state.value] += 1
        seen[call.direction.value] += 1
        seen[f"awaiting the beep: {call.awaiting_beep}"] += 1
        seen[f"ended as {call.end_reason}"] += 1
        seen.update(type(effect).__name__ for effect in effects)
        seen.update(effect.type for effect in effects if isinstance(effect, Notify))

    events = sum(walk(Random(seed), WALK_STEPS, note) for seed in range(WALKS))
    return events, seen


def test_random_walks_keep_the_invariants(walked: tuple[int, Counter[str]]) -> None:
    events, _ = walked
    assert events >= 100_000


def test_random_walks_get_everywhere(walked: tuple[int, Counter[str]]) -> None:
    """An invariant is worth nothing where no walk goes."""
    _, seen = walked
    wanted = [
        *State,
        *Direction,
        *NOTIFICATIONS,
        *(f"ended as {reason}" for reason in EndReason),
        *(kind.__name__ for kind in get_args(Effect)),
        "awaiting the beep: True",
    ]
    assert [name for name in wanted if not seen[name]] == []


NOTIFICATIONS = [
    "call.initiated",
    "call.ringing",
    "call.answered",
    "call.active",
    "call.speaking",
    "call.utterance",
    "call.listening",
    "call.speech",
    "call.silence",
    "call.bargeIn",
    "call.dtmf",
    "call.machine",
    "call.turn",
    "call.transferred",
    "call.warning",
    "call.error",
    "call.ended",
]


def test_a_hang_up_is_asked_for_once_and_not_again_when_it_is_late() -> None:
    call, effects = reduce(in_state(State.LISTENING), an_event(ev.HangupRequested))
    assert [type(effect) for effect in effects].count(Hangup) == 1
    call, effects = reduce(call, ev.DeadlinePassed(NOW_MS + 60_000))
    assert call.is_over
    assert Hangup not in [type(effect) for effect in effects]
    assert call.hangup_due, "the engine goes on asking until the carrier confirms"


# -- purity ---------------------------------------------------------------------------------------


IMPURE = {
    "asyncio",
    "time",
    "random",
    "secrets",
    "uuid",
    "os",
    "socket",
    "threading",
    "subprocess",
    "logging",
    "structlog",
    "sqlite3",
    "aiohttp",
    "pydantic",
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_core_does_no_io_and_knows_nothing_above_it() -> None:
    folder = Path(inspect.getfile(sidecar.call)).parent
    for path in folder.rglob("*.py"):
        imports = _imports(path)
        assert not {name.split(".")[0] for name in imports} & IMPURE, path.name
        ours = {name for name in imports if name.startswith("sidecar")}
        allowed = ("sidecar.call", "sidecar.errors")
        assert all(name.startswith(allowed) for name in ours), path.name
