from typing import Any

import pytest

from sidecar.config import load_config
from sidecar.ports import Tunnel
from sidecar.tunnel import local_host, select
from tests.tunnel.field import HandClock


def chosen(clock: HandClock, **config: Any) -> Tunnel | None:
    return select(load_config(given=config, environ={"HOME": "/nonexistent"}).config, clock)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"tunnel": {"provider": "ngrok"}}, "ngrok"),
        ({"tunnel": {"provider": "tailscale-serve"}}, "tailscale-serve"),
        ({"tunnel": {"provider": "tailscale-funnel"}}, "tailscale-funnel"),
        ({"tailscale": {"mode": "serve"}}, "tailscale-serve"),
        ({"tailscale": {"mode": "funnel"}}, "tailscale-funnel"),
        ({"tunnel": {"provider": "ngrok"}, "tailscale": {"mode": "serve"}}, "ngrok"),
        (
            {"tunnel": {"provider": "tailscale-serve"}, "tailscale": {"mode": "funnel"}},
            "tailscale-serve",
        ),
    ],
)
def test_the_configuration_chooses(clock: HandClock, config: dict[str, Any], name: str) -> None:
    tunnel = chosen(clock, **config)
    assert tunnel is not None
    assert tunnel.name == name
    assert tunnel.problem is None


def test_without_a_wish_there_is_no_tunnel(clock: HandClock) -> None:
    assert chosen(clock) is None


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("192.0.2.7", "192.0.2.7"),
        ("pbx.local", "pbx.local"),
    ],
)
def test_a_listener_is_reached_where_it_is_bound(bind: str, host: str) -> None:
    assert local_host(bind) == host
