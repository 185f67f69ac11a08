"""A lock file that somebody wrote names a running sidecar or nobody."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given

from sidecar.app.lockfile import Running, lock_path, read_lock, write_lock
from tests.support.fuzz import DEEP, FUZZ, as_bytes, changed, documents

MINE = {"pid": os.getpid(), "url": "ws://127.0.0.1:1", "tokenFile": "/tmp/token"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "calls.db")


@FUZZ
@given(documents(["pid", "url", "tokenFile"]) | changed([json.dumps(MINE)]))
@example(json.dumps({**MINE, "pid": 10**30}))
@example('{"pid": 1e400, "url": ""}')
@example(json.dumps({**MINE, "pid": 0}))
@example(json.dumps({**MINE, "pid": -1}))
@example(json.dumps({**MINE, "tokenFile": 7}))
@example(DEEP[0])
def test_any_lock_file_names_a_live_process_or_nobody(store: str, text: str) -> None:
    lock_path(store).write_bytes(as_bytes(text))
    running = read_lock(store)
    if running is not None:
        assert running.pid > 0
        assert running.token_file is None or isinstance(running.token_file, str)


def test_what_was_written_is_read(store: str) -> None:
    mine = Running(os.getpid(), "ws://127.0.0.1:1", None)
    write_lock(store, mine)
    assert read_lock(store) == mine
