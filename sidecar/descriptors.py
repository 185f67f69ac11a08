"""Descriptors 0 and 1, taken for the protocol before anything else can write or read them.

Called first of all, so it imports almost nothing. What is written to the private descriptors is
the front door's matter, in `rpc`.
"""

import fcntl
import os
import sys
from dataclasses import dataclass, field

FIRST_PRIVATE_FD = 3


@dataclass(frozen=True, slots=True)
class Claimed:
    """Where the protocol reads and writes; neither is inherited by a child process. `parent_pid` is
    whoever spawned us, read before that process has had much time to go."""

    stdin_fd: int
    stdout_fd: int
    parent_pid: int = field(default_factory=os.getppid)


def claim() -> Claimed:
    """Move stdin and stdout out of reach: afterwards 1 points at stderr and 0 at the null device,
    so a stray print, a C library or a child process cannot corrupt or eat the stream.

    A stdin that was closed reads as ended; a stdout that was closed fails like a pipe that nobody
    reads; a stderr that was closed becomes the null device.
    """
    stdin_open, stdout_open = _is_open(0), _is_open(1)
    _occupy_standard_descriptors()
    claimed = Claimed(
        stdin_fd=_private(0) if stdin_open else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC),
        stdout_fd=_private(1) if stdout_open else _broken_pipe(),
    )
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    _restore_streams()
    return claimed


def _is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def _occupy_standard_descriptors() -> None:
    """Open the null device wherever 0, 1 or 2 is free, so that no later file gets that number."""
    for fd in range(FIRST_PRIVATE_FD):
        if not _is_open(fd):
            null = os.open(os.devnull, os.O_RDWR)
            if null != fd:
                os.dup2(null, fd)
                os.close(null)


def _private(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE_FD)


def _broken_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _restore_streams() -> None:
    """Python leaves a stream None when its descriptor was closed at start; logging would fail."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
