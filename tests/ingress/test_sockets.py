"""How the port is had."""

import socket
from pathlib import Path

import pytest

from sidecar.ingress.sockets import ListenFailed, PortTaken, bind
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
