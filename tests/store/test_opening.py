"""Files that cannot be used: the error names the file, and nothing is overwritten."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.ports import Write
from sidecar.store import migrations, opening
from sidecar.store.opening import connect, open_store, refused
from sidecar.store.writing import Ledger, prepare
from tests.store.samples import an_ended_call, an_event, said

_NOBODY = 65_534


def _fill(path: Path, calls: int = 300) -> None:
    with closing(open_store(str(path))) as db:
        ledger = Ledger(db)
        ledger.begin()
        for number in range(calls):
            call = an_ended_call(str(number), number, transcript=said("words " * 20))
            ledger.write(prepare(Write(call, [an_event(call_id=call.call_id)])))
        ledger.commit()


def _refusal(path: Path | str) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(str(path))
    assert caught.value.problem.kind == "storeUnavailable"
    assert str(path) in str(caught.value)
    return caught.value


@contextmanager
def _as_nobody() -> Iterator[Path]:
    """A folder of one who is bound by permissions, which root is not; and to be that one."""
    folder = Path(tempfile.mkdtemp())
    uid = os.geteuid()
    try:
        if uid == 0:
            os.chown(folder, _NOBODY, _NOBODY)
            os.seteuid(_NOBODY)
        yield folder
    finally:
        if uid == 0:
            os.seteuid(uid)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_the_folder_and_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "new" / "deeper" / "calls.db"
        with closing(open_store(str(path))) as db:
            db.execute("INSERT INTO paired VALUES ('x', 1)")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"calls.db": 0o600, "calls.db-wal": 0o600, "calls.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.touch(0o644)
    open_store(str(path)).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_commits_are_flushed_and_logged_ahead(tmp_path: Path) -> None:
    with closing(open_store(str(tmp_path / "calls.db"))) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x00" * 4096, b"{}"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(content)
    assert "--repair" in str(_refusal(path))
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["calls.db"]


def test_a_corrupt_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    _fill(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * 64)
    assert "--repair" in str(_refusal(path))


def test_a_corrupt_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    _fill(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    assert "--repair" in str(_refusal(path))
    assert path.stat().st_size == size


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    _fill(path)
    os.truncate(path, path.stat().st_size // 2)
    assert "--repair" in str(_refusal(path))


def test_repair_sets_a_damaged_file_aside_and_begins_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.write_bytes(b"no database at all, certainly" * 100)
    Path(f"{path}-wal").write_bytes(b"a log")
    for _ in range(2):
        with closing(open_store(str(path), repair=True)) as db:
            assert migrations.version_of(db) == migrations.VERSION
    aside = [name for name in os.listdir(tmp_path) if ".corrupt-" in name]
    assert len([name for name in aside if not name.endswith(("-wal", "-shm"))]) == 1
    assert (tmp_path / min(aside, key=len)).read_bytes().startswith(b"no database at all")


def test_repairs_within_one_second_do_not_overwrite_each_other(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    for number in range(3):
        path.write_bytes(b"no database at all, certainly %d" % number * 100)
        open_store(str(path), repair=True).close()
    contents = {file.read_bytes() for file in tmp_path.glob("calls.db.corrupt-*")}
    assert len(contents) == 3


def test_repair_leaves_a_sound_file_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    _fill(path, 3)
    with closing(open_store(str(path), repair=True)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (3,)
    assert os.listdir(tmp_path) == ["calls.db"]


def test_a_large_file_is_checked_on_repair_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.db"
    _fill(path)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    monkeypatch.setattr(opening, "_FULL_CHECK_BYTES", 4096)
    open_store(str(path)).close()
    open_store(str(path), repair=True).close()
    assert len(list(tmp_path.glob("calls.db.corrupt-*"))) == 1


@pytest.mark.parametrize("repair", [False, True])
def test_a_newer_file_is_refused_and_repair_does_not_touch_it(tmp_path: Path, repair: bool) -> None:
    path = tmp_path / "calls.db"
    _fill(path, 3)
    with closing(connect(str(path))) as db:
        db.execute(f"PRAGMA user_version = {migrations.VERSION + 1}")
    with pytest.raises(StoreError, match="newer release") as caught:
        open_store(str(path), repair)
    assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == ["calls.db"]


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    assert "another program" in str(_refusal(path))
    assert path.read_bytes() == before


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in str(_refusal(tmp_path))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not a folder" in str(_refusal(tmp_path / "file" / "calls.db"))
    assert "not a folder" in str(_refusal(tmp_path / "file" / "deeper" / "calls.db"))


def test_a_folder_that_cannot_be_made_is_refused() -> None:
    _refusal("/proc/voicecall/calls.db")


def test_a_read_only_folder_is_refused() -> None:
    with _as_nobody() as folder:
        folder.chmod(0o500)
        assert "read-only" in str(_refusal(folder / "calls.db"))


def test_a_read_only_file_is_refused() -> None:
    with _as_nobody() as folder:
        path = folder / "calls.db"
        open_store(str(path)).close()
        path.chmod(0o400)
        assert "read-only" in str(_refusal(path))


def test_a_damaged_file_that_cannot_be_set_aside_is_left_alone() -> None:
    with _as_nobody() as folder:
        path = folder / "calls.db"
        path.write_bytes(b"no database at all" * 100)
        folder.chmod(0o500)
        with pytest.raises(StoreError, match="could not be set aside"):
            open_store(str(path), repair=True)
        assert path.read_bytes() == b"no database at all" * 100


def test_a_sound_file_in_a_read_only_folder_is_refused() -> None:
    with _as_nobody() as folder:
        path = folder / "calls.db"
        open_store(str(path)).close()
        folder.chmod(0o500)
        _refusal(path)


def test_a_file_that_another_process_keeps_locked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.db"
    open_store(str(path)).close()
    monkeypatch.setattr(opening, "BUSY_MS", 10)
    with closing(connect(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        error = _refusal(path)
    assert "locked" in str(error)
    assert error.problem.retryable


def test_an_error_without_a_known_cause_still_names_the_file() -> None:
    error = refused("/somewhere/calls.db", sqlite3.Error("secret text"))
    assert str(error) == "The store /somewhere/calls.db cannot be used as asked."
