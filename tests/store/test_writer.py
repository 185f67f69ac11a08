"""One thread, many writes in a transaction, and what happens when the disk is full."""

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidecar.errors import StoreError
from sidecar.ports import NewEvent, Write
from sidecar.store.opening import connect, open_store
from sidecar.store.writer import Done, Job, Work, Writer
from sidecar.store.writing import Ledger, prepare
from tests.store.samples import events

_BIG = "x" * 40_000


class _Open:
    """A running writer; `do` waits for one job, `hold` keeps the thread so that jobs gather."""

    def __init__(self, path: Path) -> None:
        self.db = open_store(str(path))
        self.done: queue.Queue[Done] = queue.Queue()
        self.writer = Writer(self.db, str(path), self.done.put)
        self.writer.start()

    def do(self, *works: Work) -> list[tuple[Any, StoreError | None]]:
        with self.hold():
            for number, work in enumerate(works):
                self.writer.put(Job(work, number))
        return self.outcomes(len(works))

    def outcomes(self, count: int) -> list[tuple[Any, StoreError | None]]:
        found: list[tuple[Any, StoreError | None]] = []
        while len(found) < count:
            done = self.done.get(timeout=5)
            found += [
                (result, error) for ticket, result, error in done.results if ticket is not self
            ]
        return found

    @contextmanager
    def hold(self) -> Iterator[None]:
        held, go_on = threading.Event(), threading.Event()

        def wait(ledger: Ledger) -> None:
            held.set()
            go_on.wait(5)

        self.writer.put(Job(wait, self))
        assert held.wait(5)
        try:
            yield
        finally:
            go_on.set()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[_Open]:
    running = _Open(tmp_path / "calls.db")
    yield running
    running.writer.stop()
    running.writer.join()


def _commit(write: Write) -> Callable[[Ledger], Any]:
    prepared = prepare(write)
    return lambda ledger: [event.seq for event in ledger.write(prepared)]


def _event(text: str = "") -> Callable[[Ledger], Any]:
    return _commit(Write(events=[NewEvent(5, "call.speaking", "c1", {"text": text})]))


def _fail(ledger: Ledger) -> None:
    ledger.write(prepare(events("call.dtmf")))
    raise sqlite3.OperationalError("no")


def _fill(opened: _Open, pages: int) -> None:
    """Let the file grow by so many pages and no more."""

    def limit(ledger: Ledger) -> None:
        count = opened.db.execute("PRAGMA page_count").fetchone()[0]
        opened.db.execute(f"PRAGMA max_page_count = {count + pages}")

    assert opened.do(limit)[0][1] is None


def test_jobs_that_wait_share_one_transaction(opened: _Open) -> None:
    with opened.hold():
        for number in range(100):
            opened.writer.put(Job(_event(), number))
    assert opened.done.get(timeout=5).results[0][0] is opened
    together = opened.done.get(timeout=5)
    assert [ticket for ticket, _, _ in together.results] == list(range(100))
    assert [event.seq for event in together.events] == list(range(1, 101))
    assert together.counters is not None
    assert together.counters.last_seq == 100


def test_one_bad_write_fails_alone_and_uses_no_seq(opened: _Open) -> None:
    outcomes = opened.do(_event(), _fail, _event(), _fail, _event())
    assert [result for result, _ in outcomes] == [[1], None, [2], None, [3]]
    errors = [error for _, error in outcomes if error is not None]
    assert [error.problem.kind for error in errors] == ["storeUnavailable"] * 2


def test_a_fault_of_ours_does_not_end_the_thread(opened: _Open) -> None:
    def wrong(ledger: Ledger) -> None:
        raise LookupError("a bug")

    ((_, error),) = opened.do(wrong)
    assert error is not None
    assert error.problem.kind == "internalError"
    assert "a bug" not in str(error)
    assert opened.do(_event()) == [([1], None)]


def test_a_full_disk_fails_what_does_not_fit_and_is_forgotten_when_there_is_room(
    opened: _Open,
) -> None:
    opened.do(_event())
    _fill(opened, 2)
    outcomes = opened.do(_event(), _event(_BIG), _event(), _event(_BIG))
    assert [result for result, _ in outcomes] == [[2], None, [3], None]
    for _, error in outcomes[1::2]:
        assert error is not None
        assert error.problem.kind == "storeUnavailable"
        assert error.problem.retryable
        assert "the disk is full" in str(error)
        assert "calls.db" in str(error)
    _fill(opened, 1_000)
    assert opened.do(_event(_BIG)) == [([4], None)]


def test_reads_go_on_while_the_disk_is_full(opened: _Open, tmp_path: Path) -> None:
    opened.do(_event())
    _fill(opened, 0)
    opened.do(_event(_BIG))
    other = connect(str(tmp_path / "calls.db"), read_only=True)
    assert other.execute("SELECT count(*) FROM events").fetchone() == (1,)
    other.close()


def test_no_more_than_a_bounded_number_of_jobs_shares_a_transaction(opened: _Open) -> None:
    with opened.hold():
        for number in range(600):
            opened.writer.put(Job(_event(), number))
    sizes = [len(opened.done.get(timeout=5).results) for _ in range(4)]
    assert sizes == [1, 256, 256, 88]


def test_stopping_finishes_what_was_handed_in_and_tidies_the_file(tmp_path: Path) -> None:
    running = _Open(tmp_path / "calls.db")
    with running.hold():
        for number in range(300):
            running.writer.put(Job(_event(), number))
        running.writer.stop()
    running.writer.join()
    assert len(running.outcomes(300)) == 300
    assert [file.name for file in tmp_path.iterdir()] == ["calls.db"]


def test_a_file_that_cannot_be_tidied_is_left_with_its_log(
    tmp_path: Path,
) -> None:
    running = _Open(tmp_path / "calls.db")
    running.do(_event())
    running.do(lambda ledger: running.db.close())
    running.writer.stop()
    running.writer.join()
    assert running.done.empty()
