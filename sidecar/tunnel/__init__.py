"""The ways to a public address for the webhook listener, and the choice among them.

`app` and the command line import from here. Which address counts when `publicUrl` is set is
decided above.
"""

import ipaddress

from sidecar.config import Config
from sidecar.ports import Clock, Tunnel
from sidecar.tunnel.ngrok import Ngrok
from sidecar.tunnel.tailnet import place
from sidecar.tunnel.tailscale import ExposeResult, Mode, Tailscale, expose

__all__ = ["ExposeResult", "expose", "select"]


def select(config: Config, clock: Clock) -> Tunnel | None:
    """The tunnel that the configuration asks for. `tunnel.provider` decides when `tailscale.mode`
    is set too."""
    host = local_host(config.serve.bind)
    if config.tunnel.provider == "ngrok":
        return Ngrok(config.tunnel, config.serve.path, clock, host)
    mode = tailscale_mode(config)
    if mode is None:
        return None
    stream_path = config.streaming.stream_path
    there = place(config.tailscale.path, config.tailscale.port, config.serve.path, stream_path)
    return Tailscale(mode, there, clock, host)


def tailscale_mode(config: Config) -> Mode | None:
    if config.tunnel.provider == "tailscale-serve":
        return "serve"
    if config.tunnel.provider == "tailscale-funnel":
        return "funnel"
    return None if config.tailscale.mode == "off" else config.tailscale.mode


def local_host(bind: str) -> str:
    """Where a program on this machine reaches a listener that is bound to `bind`, as written in a
    URL: an address for every interface is reached by the loopback one."""
    try:
        address = ipaddress.ip_address(bind.strip("[]"))
    except ValueError:
        return "127.0.0.1" if bind in ("", "localhost") else bind
    if address.version == 4:
        return "127.0.0.1" if address.is_unspecified else str(address)
    return "[::1]" if address.is_unspecified else f"[{address}]"
