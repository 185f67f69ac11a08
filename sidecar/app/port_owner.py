"""Who listens on a port we wanted: only looked at, never touched. Linux tells; others do not."""

import os
from pathlib import Path

from sidecar.errors import ConfigError

_LISTENING = "0A"


class DoorTaken(ConfigError):
    """A port the configuration asks for is in use."""

    def __init__(self, key: str, port: int, remedy: str) -> None:
        """`key` asked for the port; `remedy` says what to do when its owner cannot go."""
        super().__init__([(key, f"port {port} is in use by {_who_has(port)}; {remedy}")])


def owner_of_port(port: int) -> int | None:
    """The pid of our own kind's owner of a taken port; None for a stranger or when unknown."""
    sockets = _listening_sockets(port)
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        if _has_any(process, sockets) and _is_sidecar(process):
            return int(process.name)
    return None


def _who_has(port: int) -> str:
    owner = owner_of_port(port)
    if owner is None:
        return "another program"
    return "this sidecar itself" if owner == os.getpid() else f"another sidecar (pid {owner})"


def _listening_sockets(port: int) -> set[str]:
    """Names of the sockets that listen on `port`, as they stand in a process's descriptors."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTENING and int(fields[1].rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _has_any(process: Path, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(entry) in sockets for entry in (process / "fd").iterdir())
    except OSError:
        # Another user's process, or one that has just ended.
        return False


def _is_sidecar(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return False
    return "sidecar" in words or any(Path(word).name == "voicecall" for word in words)
