"""The door for other processes: looks, and changes nothing."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sidecar.errors import HostError, StoreError
from sidecar.ports import HistoryPage, HistoryQuery, Write
from sidecar.store import migrations
from sidecar.store.offline.reader import StoreReader
from sidecar.store.opening import connect
from sidecar.store.sqlite import SqliteStore
from tests.store.samples import a_call, an_ended_call, events, ids, seqs, timed

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore(str(tmp_path / "calls.db"))
    await opened.start(lambda _: None)
    await opened.commit(Write(a_call("live", 2, turns=timed(7))))
    await opened.commit(Write(an_ended_call("over", 1)))
    await opened.commit(events("call.initiated", "call.ended", call_id="over"))
    await opened.commit(events("call.initiated", call_id="live"))
    yield opened
    await opened.close()


def _check(reader: StoreReader) -> None:
    assert reader.get("over") == an_ended_call("over", 1)
    assert reader.find("p-live") == a_call("live", 2, turns=timed(7))
    assert ids(reader.open_calls()) == ["live"]
    assert ids(reader.history(HistoryQuery()).calls) == ["live", "over"]
    assert list(reader.turns(5)) == list(timed(7))
    assert seqs(reader.events(1, 10, 10_000)) == [2, 3]
    assert seqs(reader.events(0, 10, 10_000, "live")) == [3]
    assert seqs(reader.newest_events(2)) == [2, 3]
    assert seqs(reader.newest_events(2, "over")) == [1, 2]
    assert reader.last_seq() == 3


@contextmanager
def _read_only_copy(source: Path, *names: str) -> Iterator[str]:
    """Copies in a folder where nothing may be made, seen by one who is bound by that."""
    folder = Path(tempfile.mkdtemp())
    for name in names:
        shutil.copy(source / name, folder / name)
        (folder / name).chmod(0o444)
    folder.chmod(0o555)
    uid = os.geteuid()
    try:
        if uid == 0:
            os.seteuid(65_534)
        yield str(folder / "calls.db")
    finally:
        if uid == 0:
            os.seteuid(uid)
        folder.chmod(0o700)
        shutil.rmtree(folder)


async def test_it_reads_while_a_sidecar_runs_and_sees_what_is_new(
    tmp_path: Path, store: SqliteStore
) -> None:
    with StoreReader(str(tmp_path / "calls.db")) as reader:
        _check(reader)
        await store.commit(events("call.ended"))
        assert reader.last_seq() == 4


async def test_it_reads_when_no_sidecar_runs_and_leaves_the_file_alone(
    tmp_path: Path, store: SqliteStore
) -> None:
    await store.close()
    before = (tmp_path / "calls.db").read_bytes()
    with StoreReader(str(tmp_path / "calls.db")) as reader:
        _check(reader)
    assert (tmp_path / "calls.db").read_bytes() == before


async def test_it_reads_what_a_killed_sidecar_left(tmp_path: Path, store: SqliteStore) -> None:
    left = tmp_path / "left"
    left.mkdir()
    for name in ("calls.db", "calls.db-wal"):
        shutil.copy(tmp_path / name, left / name)
    with StoreReader(str(left / "calls.db")) as reader:
        _check(reader)


async def test_it_reads_in_a_folder_where_nothing_may_be_made(
    tmp_path: Path, store: SqliteStore
) -> None:
    await store.close()
    with _read_only_copy(tmp_path, "calls.db") as path, StoreReader(path) as reader:
        _check(reader)


async def test_it_says_so_when_a_log_cannot_be_read_for_lack_of_permission(
    tmp_path: Path, store: SqliteStore
) -> None:
    copy = _read_only_copy(tmp_path, "calls.db", "calls.db-wal")
    with copy as path, pytest.raises(StoreError, match=r"calls\.db"):
        StoreReader(path).last_seq()


@pytest.mark.parametrize("empty", [False, True])
def test_a_store_that_is_not_there_yet_is_empty(tmp_path: Path, empty: bool) -> None:
    path = tmp_path / "calls.db"
    if empty:
        path.touch()
    with StoreReader(str(path)) as reader:
        assert reader.get("c1") is None
        assert reader.find("p1") is None
        assert list(reader.open_calls()) == []
        assert reader.history(HistoryQuery()) == HistoryPage(())
        assert list(reader.turns(5)) == []
        assert list(reader.events(0, 10, 10_000)) == []
        assert list(reader.newest_events(5)) == []
        assert reader.last_seq() == 0
    assert path.exists() == empty


def test_a_file_that_has_no_tables_yet_is_empty(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    with closing(connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        with StoreReader(path) as reader:
            assert reader.last_seq() == 0


def test_it_refuses_what_is_no_store_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"nothing of the kind" * 1_000)
    with pytest.raises(StoreError, match=r"calls\.db"):
        StoreReader(str(path)).last_seq()
    with pytest.raises(StoreError, match="not a folder"):
        StoreReader(str(path / "deeper")).last_seq()


async def test_it_refuses_a_newer_file(tmp_path: Path, store: SqliteStore) -> None:
    await store.close()
    path = str(tmp_path / "calls.db")
    with closing(connect(path)) as db:
        db.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    with pytest.raises(StoreError, match="newer release"):
        StoreReader(path).last_seq()


async def test_a_cursor_nobody_gave_and_a_row_nobody_can_read_are_told_apart(
    tmp_path: Path, store: SqliteStore
) -> None:
    path = str(tmp_path / "calls.db")
    with closing(connect(path)) as db:
        db.execute("UPDATE turns SET json = '{'")
    with StoreReader(path) as reader:
        with pytest.raises(HostError):
            reader.history(HistoryQuery(before="x"))
        with pytest.raises(StoreError, match="cannot be read"):
            reader.turns(1)
