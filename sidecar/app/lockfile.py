"""`sidecar.json` beside the store: how the command line finds the running sidecar."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sidecar.app.token import write_private

NAME = "sidecar.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A sidecar that offers WebSocket. `token_file` is None when its token is in the environment
    of whoever started it."""

    pid: int
    url: str
    token_file: str | None


def lock_path(store_path: str) -> Path:
    return Path(store_path).parent / NAME


def write_lock(store_path: str, running: Running) -> None:
    members = {"pid": running.pid, "url": running.url, "tokenFile": running.token_file}
    write_private(lock_path(store_path), json.dumps(members) + "\n")


def remove_lock(store_path: str) -> None:
    """Take our own lock file away; another sidecar's stays."""
    running = read_lock(store_path)
    if running is not None and running.pid == os.getpid():
        lock_path(store_path).unlink(missing_ok=True)


def read_lock(store_path: str) -> Running | None:
    """The sidecar that the lock file names, if that process is alive."""
    try:
        members = json.loads(lock_path(store_path).read_text(encoding="utf-8"))
        running = Running(int(members["pid"]), str(members["url"]), members.get("tokenFile"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if _is_alive(running.pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
