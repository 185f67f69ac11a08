"""The part of a script about one call: who calls whom, and what the far end does."""

import re
from dataclasses import dataclass
from typing import Any

from sidecar.simulator.farend import (
    ExpectEnd,
    ExpectHeard,
    HangUp,
    Interrupt,
    Pickup,
    Plan,
    Press,
    Say,
    Silence,
    Step,
    Target,
    Wait,
)
from sidecar.simulator.script.reading import Problems, Table, seconds_of

ANSWERS = "after 2s, busy, no-answer, failed, machine, fax, or machine after 2s"
STEPS = (
    "say, interrupt, dtmf, silence, wait, hangup, expect heard, expect ended; beside them after and"
    " within"
)
STATUSES = ("completed", "busy", "no-answer", "failed", "canceled")
CALL_KEYS = "direction, from, to, answer, greeting, patience, transfers, talk"


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One call of a script. An outbound one is placed by the sidecar."""

    inbound: bool
    from_number: str | None
    to_number: str | None
    plan: Plan


def call_of(table: Table) -> ScriptedCall:
    direction = table.text("direction", "outbound")
    if direction not in ("inbound", "outbound"):
        table.wrong("direction", "it must be inbound or outbound")
    inbound = direction == "inbound"
    from_number, to_number = table.number("from"), table.number("to")
    for key, value in (("from", from_number), ("to", to_number)):
        if inbound and value is None:
            table.wrong(key, "an inbound call needs the numbers from and to, in quotes")
    pickup, ring_s = _answer(table, "answer")
    patience = table.take("patience", "60s")
    transfers = table.table("transfers")
    plan = Plan(
        pickup=pickup,
        ring_s=ring_s,
        greeting_s=table.seconds("greeting", 4.0),
        talk=tuple(_steps(table)),
        patience_s=_patience(table, patience),
        transfers={number: _target(transfers, number) for number in list(transfers.peek())},
    )
    table.finish(CALL_KEYS)
    return ScriptedCall(inbound, from_number, to_number, plan)


def _patience(table: Table, value: Any) -> float | None:
    if value == "forever":
        return None
    found = seconds_of(value)
    if found is None:
        table.wrong("patience", "it must be a duration like 30s, or forever")
    return found


def _answer(table: Table, key: str) -> tuple[Pickup, float]:
    """`after 2s`, `busy`, `machine after 2s`."""
    text = table.text(key, "after 1s") or ""
    found = re.fullmatch(r"(?:([a-z-]+)\s*)?(?:after\s+(\S+))?", text.strip())
    word = (found[1] if found else None) or "human"
    ring_s = seconds_of(found[2]) if found and found[2] else 1.0
    if not found or not text.strip() or word not in list(Pickup) or ring_s is None:
        table.wrong(key, f"it must be one of: {ANSWERS}")
        return Pickup.HUMAN, 1.0
    return Pickup(word), ring_s


def _target(transfers: Table, number: str) -> Target:
    if isinstance(transfers.peek()[number], str):
        return Target(*_answer(transfers, number))
    table = transfers.table(number)
    pickup, ring_s = _answer(table, "answer")
    target = Target(pickup, ring_s, table.seconds("talk", 5.0))
    table.finish("answer, talk")
    return target


def _steps(table: Table) -> list[Step]:
    steps = []
    for path, entry in table.items("talk"):
        step = _step(path, entry, table.problems)
        if step is not None:
            steps.append(step)
    return steps


def _step(path: str, entry: Any, problems: Problems) -> Step | None:
    if isinstance(entry, str):
        entry = {entry: None}
    table = Table(entry, path, problems)
    name = next((key for key in MAKERS if table.has(key)), None)
    if name is None:
        problems.add(path, f"it must be one of: {STEPS}")
        return None
    step = MAKERS[name](table)
    table.finish(STEPS)
    return step


def _worded(table: Table, key: str) -> str:
    given = table.peek()[key]
    text = table.text(key)
    if not text and (given is None or isinstance(given, str)):
        table.wrong(key, "it needs some text, in quotes")
    return text or ""


def _say(table: Table) -> Step:
    return Say(_worded(table, "say"), table.seconds("after", 0.3))


def _interrupt(table: Table) -> Step:
    return Interrupt(_worded(table, "interrupt"), table.seconds("after", 0.5))


def _press(table: Table) -> Step:
    digits = _worded(table, "dtmf")
    if not re.fullmatch(r"[0-9A-D*#]*", digits):
        table.wrong("dtmf", "it may have 0-9, A-D, * and #")
    return Press(digits, table.seconds("after", 0.3))


def _silence(table: Table) -> Step:
    value = table.take("silence")
    seconds = None if value is None else seconds_of(value)
    if value is not None and seconds is None:
        table.wrong("silence", "it must be a duration like 5s, or nothing for one whole turn")
    return Silence() if seconds is None else Wait(seconds)


def _wait(table: Table) -> Step:
    return Wait(table.seconds("wait", 1.0))


def _hang_up(table: Table) -> Step:
    table.take("hangup")
    return HangUp()


def _expect_heard(table: Table) -> Step:
    return ExpectHeard(_worded(table, "expect heard"), table.seconds("within", 30.0))


def _expect_ended(table: Table) -> Step:
    status = table.text("expect ended")
    if status is not None and status not in STATUSES:
        table.wrong("expect ended", f"it must be one of: {', '.join(STATUSES)}")
    return ExpectEnd(status, table.seconds("within", 60.0))


MAKERS = {
    "say": _say,
    "interrupt": _interrupt,
    "dtmf": _press,
    "silence": _silence,
    "wait": _wait,
    "hangup": _hang_up,
    "expect heard": _expect_heard,
    "expect ended": _expect_ended,
}
