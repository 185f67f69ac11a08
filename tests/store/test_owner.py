"""One owner per store, for as long as its process lives."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.store.owner import OwnedElsewhere, StoreOwner

_OWN = """
import sys
from sidecar.store.owner import StoreOwner
StoreOwner(sys.argv[1]).acquire()
print("mine", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "calls.db")
    first, second = StoreOwner(path), StoreOwner(path)
    first.acquire()
    first.acquire()
    with pytest.raises(OwnedElsewhere) as caught:
        second.acquire()
    assert caught.value.pid == os.getpid()
    assert str(os.getpid()) in str(caught.value)
    assert path in str(caught.value)
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_the_lock_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "calls.db"
    owner = StoreOwner(str(path))
    owner.acquire()
    lock = Path(f"{path}.lock")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert stat.S_IMODE(lock.parent.stat().st_mode) == 0o700
    assert lock.read_text() == f"{os.getpid()}\n"
    owner.release()


def test_a_file_that_was_left_behind_blocks_nobody(tmp_path: Path) -> None:
    lock = tmp_path / "calls.db.lock"
    lock.write_text("123456789012345\n")
    owner = StoreOwner(str(tmp_path / "calls.db"))
    owner.acquire()
    assert lock.read_text() == f"{os.getpid()}\n"
    owner.release()


def test_an_owner_without_a_readable_pid_still_owns(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    owner = StoreOwner(path)
    owner.acquire()
    Path(f"{path}.lock").write_text("who knows")
    with pytest.raises(OwnedElsewhere) as caught:
        StoreOwner(path).acquire()
    assert caught.value.pid is None
    owner.release()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.db")
    with subprocess.Popen(
        [sys.executable, "-c", _OWN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(OwnedElsewhere) as caught:
            StoreOwner(path).acquire()
        assert caught.value.pid == other.pid
        other.kill()
        other.wait(5)
    owner = StoreOwner(path)
    owner.acquire()
    owner.release()


def test_a_full_disk_is_named_and_leaves_the_store_free(tmp_path: Path) -> None:
    owner = StoreOwner(str(tmp_path / "calls.db"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StoreError, match=r"calls\.db"):
            owner.acquire()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    owner.acquire()
    owner.release()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="not a folder"):
        StoreOwner(str(tmp_path / "file" / "calls.db")).acquire()
