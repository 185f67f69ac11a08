"""How the port is had."""

import asyncio
import errno
import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from sidecar.ingress.sockets import ListenFailed, PortTaken, affordable, bind
from tests.support.street import Street


async def test_a_port_that_is_in_use_is_named_and_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            await bind("127.0.0.1", port)
        assert taken.value.port == port
        assert str(port) in str(taken.value)
        assert "serve.port" in str(taken.value)
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


async def test_a_listener_keeps_its_port_from_a_second_one(tmp_path: Path) -> None:
    async with Street(tmp_path) as street:
        with pytest.raises(PortTaken):
            await bind("127.0.0.1", street.port)


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(ListenFailed, match=r"serve\.bind \(192\.0\.2\.1\)"):
        await bind("192.0.2.1", 0)
    with pytest.raises(ListenFailed, match=r"serve\.bind \(no such host\)"):
        await bind("no such host", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::", "0.0.0.0"])
async def test_every_usual_address_can_be_listened_on(host: str) -> None:
    try:
        sockets = await bind(host, 0)
    except ListenFailed:
        if ":" in host and not socket.has_ipv6:
            pytest.skip("This machine has no IPv6.")
        raise
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


@pytest.mark.parametrize(
    ("files", "connections"), [(256, 128), (20_000, 1_024), (resource.RLIM_INFINITY, 1_024), (1, 1)]
)
def test_connections_leave_files_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (files, files))
    assert affordable(1_024) == connections


V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
SECOND_V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0))


async def test_a_name_with_two_addresses_gets_one_port_on_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_as(monkeypatch, [V4, V6, SECOND_V4])
    sockets = await bind("both", 0)
    assert [each.family for each in sockets] == [socket.AF_INET, socket.AF_INET6]
    assert len({each.getsockname()[1] for each in sockets}) == 1
    for each in sockets:
        each.close()


async def test_a_name_with_two_addresses_needs_its_port_on_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        resolve_as(monkeypatch, [V4, V6])
        with pytest.raises(PortTaken):
            await bind("both", port)
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_an_address_that_this_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_as(monkeypatch, [V4, (*V6[:4], ("2001:db8::1", 0, 0, 0))])
    (only,) = await bind("both", 0)
    assert only.family == socket.AF_INET
    only.close()


def resolve_as(monkeypatch: pytest.MonkeyPatch, answers: list[Any]) -> None:
    async def getaddrinfo(*args: object, **options: object) -> list[Any]:
        return answers

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EACCES, "more rights"), (errno.EADDRNOTAVAIL, "cannot be listened on")],
)
async def test_what_the_system_refuses_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise OSError(code, "no")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ListenFailed, match=words):
        await bind("127.0.0.1", 80)
