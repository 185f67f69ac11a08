"""Whose store it is: a lock beside the file, held as long as the owning process lives.

The operating system lets go of the lock when the process dies, however it dies, so a file that was
left behind never blocks. How clients find the owner (`sidecar.json`) is not known here.
"""

import fcntl
import os

from sidecar.errors import Problem, StoreError
from sidecar.store.opening import file_refused


class OwnedElsewhere(StoreError):
    """Another live process owns the store; `pid` is its id, None when it could not be read."""

    def __init__(self, store_path: str, pid: int | None) -> None:
        self.pid = pid
        who = "another sidecar" if pid is None else f"another sidecar (pid {pid})"
        text = f"The store {store_path} is owned by {who}; stop it or name another store."
        super().__init__(
            Problem("storeUnavailable", text, data={} if pid is None else {"pid": pid})
        )


class StoreOwner:
    """The right to write to one store, at most one process at a time."""

    def __init__(self, store_path: str) -> None:
        self._store_path = store_path
        self._lock_path = f"{store_path}.lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Raises `OwnedElsewhere`, or `StoreError` when the folder cannot be used."""
        if self._fd is not None:
            return
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._lock_path)), 0o700, exist_ok=True)
            fd = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise file_refused(self._store_path, error) from error
        try:
            self._lock(fd)
        except StoreError:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """The file stays: removing it could take away the lock of whoever opened it just now."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            raise OwnedElsewhere(self._store_path, _read_pid(fd)) from error
        except OSError as error:
            raise file_refused(self._store_path, error) from error


def _read_pid(fd: int) -> int | None:
    text = os.pread(fd, 32, 0).strip()
    return int(text) if text.isdigit() else None
