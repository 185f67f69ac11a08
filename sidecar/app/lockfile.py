"""`sidecar.json` beside the store: how the command line finds the running sidecar."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sidecar.app.token import write_private

NAME = "sidecar.json"
_PID_END = 2**31


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
        pid, url, token_file = members["pid"], members["url"], members.get("tokenFile")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not (_is_pid(pid) and isinstance(url, str) and isinstance(token_file, str | None)):
        return None
    return Running(pid, url, token_file) if _is_alive(pid) else None


def _is_pid(value: object) -> bool:
    """0 and less mean groups of processes, some of which always live."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _PID_END


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
