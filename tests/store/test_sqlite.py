"""What is particular to the SQLite store; what every store does is in the contract suite."""

import asyncio
import resource
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from sidecar.errors import StoreError
from sidecar.ports import HistoryQuery, JournalEvent, NewEvent, Write
from sidecar.store import queries
from sidecar.store.opening import connect, open_store
from sidecar.store.sqlite import SqliteStore
from tests.store.samples import a_call, an_ended_call, an_event, events, ids, said, seqs, timed

pytestmark = pytest.mark.timeout(20)


def _nobody(events: Sequence[JournalEvent]) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "calls.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(str(path))
    await opened.start(_nobody)
    yield opened
    await opened.close()


@contextmanager
def _no_file_grows_beyond(size: int) -> Iterator[None]:
    """The operating system fails every write past that size, as a disk that has no room does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_refused_file_raises_at_start(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="is a folder") as caught:
        await SqliteStore(str(path)).start(_nobody)
    assert caught.value.problem.kind == "storeUnavailable"


async def test_repair_begins_anew_with_another_stream(path: Path, store: SqliteStore) -> None:
    await store.commit(events("call.ended"))
    await store.close()
    path.write_bytes(b"\xff" * 8192)
    with pytest.raises(StoreError, match="damaged"):
        await SqliteStore(str(path)).start(_nobody)
    repaired = SqliteStore(str(path), repair=True)
    await repaired.start(_nobody)
    assert repaired.stream_id != store.stream_id
    assert repaired.last_seq == 0
    await repaired.close()
    assert len(list(path.parent.glob("calls.db.corrupt-*"))) == 1


async def test_a_disk_that_fails_is_reported_and_the_store_works_when_it_is_well_again(
    path: Path, store: SqliteStore
) -> None:
    await store.commit(Write(a_call(transcript=said("one")), [an_event()]))
    with _no_file_grows_beyond(Path(f"{path}-wal").stat().st_size):
        grown = Write(a_call(transcript=said("one", "2")), [an_event()])
        writes = [grown, *[events("call.dtmf")] * 5]
        committing = [store.commit(write) for write in writes]
        answers = await asyncio.gather(*committing, return_exceptions=True)
        assert await store.get("c1") == a_call(transcript=said("one"))
    for answer in answers:
        assert isinstance(answer, StoreError)
        assert answer.problem.kind == "storeUnavailable"
        assert str(path) in str(answer)
    assert store.last_seq == 1
    call = a_call(transcript=said("one", "two", "three"))
    assert seqs(await store.commit(Write(call, [an_event()]))) == [2]
    assert await store.get("c1") == call


async def test_a_first_write_that_fails_leaves_the_counters_as_they_were(
    path: Path, store: SqliteStore
) -> None:
    await store.commit(events("call.ended"))
    await store.close()
    again = SqliteStore(str(path))
    await again.start(_nobody)
    with _no_file_grows_beyond(0), pytest.raises(StoreError):
        await again.commit(events("call.dtmf"))
    assert (again.stream_id, again.last_seq) == (store.stream_id, 1)
    assert seqs(await again.commit(events("call.dtmf"))) == [2]
    await again.close()


async def test_a_listener_that_fails_does_not_keep_the_committer_waiting(path: Path) -> None:
    def fail(events: Sequence[JournalEvent]) -> NoReturn:
        raise LookupError("listener")

    reported: list[BaseException] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    store = SqliteStore(str(path))
    await store.start(fail)
    assert seqs(await store.commit(events("call.dtmf"))) == [1]
    await store.close()
    assert [type(error) for error in reported] == [LookupError]


async def test_a_copy_taken_at_any_moment_opens_with_whole_writes(
    path: Path, store: SqliteStore, tmp_path: Path
) -> None:
    call = a_call()
    for number in range(1, 41):
        call = a_call(transcript=said(*map(str, range(number))), turns=timed(*range(number)))
        await store.commit(Write(call, [an_event(), an_event()]))
        if number % 10:
            continue
        crashed = tmp_path / f"crash-{number}"
        crashed.mkdir()
        for name in ("calls.db", "calls.db-wal"):
            shutil.copy(path.parent / name, crashed / name)
        after = SqliteStore(str(crashed / "calls.db"))
        await after.start(_nobody)
        assert after.last_seq == 2 * number
        assert list(await after.open_calls()) == [call]
        await after.close()


@pytest.mark.parametrize("cut", [1, 100, 4_000, 9_000])
async def test_a_log_that_was_cut_off_loses_only_the_last_writes(
    path: Path, store: SqliteStore, tmp_path: Path, cut: int
) -> None:
    for number in range(1, 21):
        await store.commit(Write(a_call(dtmf="1" * number), [an_event()] * number))
    crashed = tmp_path / "crash"
    crashed.mkdir()
    shutil.copy(path, crashed / "calls.db")
    (crashed / "calls.db-wal").write_bytes(Path(f"{path}-wal").read_bytes()[:-cut])
    after = SqliteStore(str(crashed / "calls.db"))
    await after.start(_nobody)
    (call,) = await after.open_calls()
    written = len(call.dtmf)
    assert written < 20
    assert after.last_seq == written * (written + 1) // 2
    await after.close()


async def test_reads_do_not_wait_for_a_writer_that_is_held_up(
    path: Path, store: SqliteStore
) -> None:
    await store.commit(Write(a_call(), [an_event()]))
    with closing(connect(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(store.commit(events("call.dtmf")))
        async with asyncio.timeout(2):
            assert await store.get("c1") == a_call()
            assert ids((await store.history(HistoryQuery())).calls) == ["c1"]
        assert not waiting.done()
        other.execute("ROLLBACK")
    assert seqs(await waiting) == [2]


async def test_writes_are_answered_while_old_rows_are_pruned(store: SqliteStore) -> None:
    for number in range(0, 3_000, 100):
        calls = [an_ended_call(str(each), each) for each in range(number, number + 100)]
        await asyncio.gather(
            *(store.commit(Write(call, [an_event(at_ms=1)] * 3)) for call in calls)
        )
    pruning = asyncio.ensure_future(store.prune(10_000, 0))
    answered = 0
    while not pruning.done():
        await store.commit(Write(events=[NewEvent(20_000, "call.dtmf", "c1", {})]))
        answered += 1
    await pruning
    assert answered > 10
    assert len(await store.events(0, 1_000_000, 1 << 30)) == answered


async def test_one_unreadable_record_does_not_take_the_others_with_it(
    path: Path, store: SqliteStore
) -> None:
    for number in range(3):
        await store.commit(Write(a_call(str(number), number)))
    with closing(connect(str(path))) as other:
        other.execute("UPDATE calls SET record = '{' WHERE call_id = '1'")
    assert ids(await store.open_calls()) == ["0", "2"]
    assert ids((await store.history(HistoryQuery())).calls) == ["2", "0"]
    assert await store.get("1") is None


async def test_an_unreadable_turn_is_a_store_error(path: Path, store: SqliteStore) -> None:
    await store.commit(Write(a_call(turns=timed(1))))
    with closing(connect(str(path))) as other:
        other.execute("UPDATE turns SET json = '{'")
    with pytest.raises(StoreError, match="cannot be read"):
        await store.turns(1)


async def test_damage_found_while_reading_is_a_store_error(path: Path, store: SqliteStore) -> None:
    await store.commit(Write(a_call()))
    with closing(connect(str(path))) as other:
        other.execute("DROP TABLE turns")
    with pytest.raises(StoreError, match=r"calls\.db"):
        await store.turns(1)


async def test_a_file_without_its_counters_is_refused(path: Path) -> None:
    with closing(open_store(str(path))) as db:
        db.execute("DROP TABLE events")
    with pytest.raises(StoreError, match=r"calls\.db"):
        await SqliteStore(str(path)).start(_nobody)


async def test_ended_calls_cost_nothing_at_start(path: Path, store: SqliteStore) -> None:
    calls = [an_ended_call(str(number), number) for number in range(2_000)]
    await asyncio.gather(*(store.commit(Write(call)) for call in calls))
    await store.commit(Write(a_call("open")))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(connect(str(path))) as db:
        queries.open_calls(db)  # reads the schema, which costs the same for any file
        db.set_progress_handler(count, 1)
        assert ids(queries.open_calls(db)) == ["open"]
    assert steps < 100


def test_a_write_whose_loop_has_ended_is_on_disk(path: Path) -> None:
    store = SqliteStore(str(path))

    async def leave_without_closing() -> None:
        await store.start(_nobody)
        waiting = asyncio.ensure_future(store.commit(events("call.ended")))
        await asyncio.wait({waiting}, timeout=0)

    async def look() -> None:
        await store.close()
        again = SqliteStore(str(path))
        await again.start(_nobody)
        assert again.last_seq == 1
        await again.close()

    asyncio.run(leave_without_closing())
    asyncio.run(look())
