"""What a write costs and what it leaves, statement by statement."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.call.model import EndReason, State
from sidecar.ports import SeenKey, Write
from sidecar.store import queries, writing
from sidecar.store.opening import open_store
from sidecar.store.writing import Ledger, prepare, wire_state
from tests.store.samples import a_call, an_ended_call, an_event, said, timed


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_store(str(tmp_path / "calls.db"))) as opened:
        yield opened


def _write(ledger: Ledger, write: Write) -> None:
    ledger.begin()
    ledger.write(prepare(write))
    ledger.commit()


def test_a_long_call_costs_as_many_rows_per_write_as_a_short_one(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    costs = []
    call = a_call()
    for number in range(200):
        lines = (*call.transcript, *said(f"line {number}"))
        call = replace(call, transcript=lines, turns=(*call.turns, *timed(number)))
        before = db.total_changes
        _write(ledger, Write(call))
        costs.append(db.total_changes - before)
    assert set(costs) == {3}
    assert queries.get(db, "c1") == call


def test_a_call_from_before_a_restart_is_continued_without_writing_it_anew(
    db: sqlite3.Connection,
) -> None:
    _write(Ledger(db), Write(a_call(transcript=said("one", "two"))))
    before = db.total_changes
    _write(Ledger(db), Write(a_call(transcript=said("one", "two", "three"))))
    assert db.total_changes - before == 2


def test_an_ended_call_is_not_remembered(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    for number in range(50):
        _write(ledger, Write(a_call(str(number))))
        _write(ledger, Write(an_ended_call(str(number))))
    assert ledger._stored == {}


def test_a_rolled_back_write_leaves_neither_rows_nor_a_used_seq(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    _write(ledger, Write(a_call(transcript=said("one")), [an_event()]))
    ledger.begin()
    ledger.write(prepare(Write(a_call(transcript=said("one", "two")), [an_event()])))
    ledger.rollback()
    ledger.begin()
    written = ledger.write(
        prepare(Write(a_call(transcript=said("one", "two", "three")), [an_event()]))
    )
    ledger.commit()
    assert [event.seq for event in written] == [2]
    assert queries.get(db, "c1") == a_call(transcript=said("one", "two", "three"))


def test_lines_that_cannot_be_read_any_more_are_written_anew(db: sqlite3.Connection) -> None:
    _write(Ledger(db), Write(a_call(transcript=said("one", "two"))))
    db.execute("UPDATE lines SET json = '{' WHERE idx = 0")
    call = a_call(transcript=said("one", "two", "three"))
    _write(Ledger(db), Write(call))
    assert queries.get(db, "c1") == call


def test_replay_keys_are_bounded(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_SEEN_MAX", 10)
    ledger = Ledger(db)
    _write(ledger, Write(seen=[SeenKey(str(number), 100 + number) for number in range(500)]))
    while True:
        ledger.begin()
        deleted = ledger.prune_keys(now_ms=0)
        ledger.commit()
        if not deleted:
            break
    left = [key for (key,) in db.execute("SELECT key FROM seen ORDER BY until_ms")]
    assert left == [str(number) for number in range(490, 500)]


def test_an_ended_call_without_an_end_is_pruned_by_its_start(db: sqlite3.Connection) -> None:
    ledger = Ledger(db)
    _write(ledger, Write(an_ended_call(started_at_ms=5, ended_at_ms=None)))
    ledger.begin()
    assert ledger.prune_calls(5) == 0
    assert ledger.prune_calls(6) == 1
    ledger.commit()


@pytest.mark.parametrize(
    ("state", "members", "shown"),
    [
        (State.INITIATED, {}, "initiated"),
        (State.LISTENING, {}, "listening"),
        (State.ENDING, {"before_ending": State.RINGING}, "ringing"),
        (State.ENDED, {"end_reason": EndReason.NO_ANSWER}, "no-answer"),
        (State.ENDED, {"end_reason": EndReason.HANGUP_USER}, "hangup-user"),
    ],
)
def test_states_are_filed_by_the_names_of_the_contract(
    state: State, members: dict[str, Any], shown: str
) -> None:
    assert wire_state(a_call(state=state, **members)) == shown
