"""The listener's port: had or not had, and never taken from another program."""

import asyncio
import errno
import resource
import socket
from typing import Any

from sidecar.errors import Problem, SidecarError

BACKLOG = 1_024
RECEIVE_BYTES = 16 * 1024
"""The kernel's buffer per socket, and so the most that one read brings into memory."""


class ListenFailed(SidecarError):
    """The listener's address cannot be had."""


class PortTaken(ListenFailed):
    """Another program listens on the port. It is left alone."""

    def __init__(self, port: int) -> None:
        super().__init__(
            Problem(
                "internalError",
                f"Port {port} is in use by another program; stop that program, or set serve.port "
                "to a free port (0 picks one).",
                data={"field": "serve.port", "port": port},
            )
        )
        self.port = port


async def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all with one port. Raises `PortTaken` or
    `ListenFailed`."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot_listen(f"serve.bind ({host}) is not an address of this machine") from error
    # A name such as `localhost` has two addresses; both get the port that the first one got.
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            if sockets and family == sockets[0].family:
                continue
            own_port = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_bound(family, (address[0], own_port, *address[2:])))
    except OSError as error:
        if sockets and (port == 0 or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)):
            return sockets
        for bound in sockets:
            bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from error
        if error.errno == errno.EACCES:
            raise _cannot_listen(f"serve.port {port} needs more rights than we have") from error
        raise _cannot_listen(f"serve.bind ({host}) cannot be listened on") from error
    return sockets


def affordable(connections: int) -> int:
    """How many connections to allow: at most half of the files this process may open, because
    without one to spare neither the store nor a carrier could be reached."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections, files // 2))


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        # A port whose old connections still linger is free; one that is listened on is not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        if family == socket.AF_INET6:
            # `::` means every address of the machine, IPv4 ones included.
            every = address[0] == "::"
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if every else 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _cannot_listen(what: str) -> ListenFailed:
    return ListenFailed(Problem("internalError", f"The webhook listener cannot start: {what}."))
