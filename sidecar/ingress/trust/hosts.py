"""Host names and addresses as headers and sockets bring them: checked, in one spelling.

Which header is believed is decided in `public_url`.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"[0-9]{1,5}")
_HOST_MAX = 253

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Host:
    """`name` as it was written, an IPv6 literal with its brackets."""

    name: str
    port: int | None = None


def parse_host(value: str) -> Host | None:
    """`host[:port]` of a header; None for user information, control characters, or labels and
    ports that cannot be."""
    name, colon, port_text = _split(value.strip(" \t"))
    if not _is_name(name):
        return None
    if not colon:
        return Host(name)
    port = parse_port(port_text)
    return None if port is None else Host(name, port)


def parse_port(value: str) -> int | None:
    text = value.strip(" \t")
    if _PORT.fullmatch(text) is None or not 0 < int(text) < 65_536:
        return None
    return int(text)


def _split(value: str) -> tuple[str, str, str]:
    if value.startswith("["):
        name, bracket, rest = value.partition("]")
        if rest and not rest.startswith(":"):
            return "", "", ""
        return name + bracket, rest[:1], rest[1:]
    return value.partition(":")


def _is_name(name: str) -> bool:
    if name.startswith("["):
        address = parse_address(name[1:-1]) if name.endswith("]") else None
        return isinstance(address, ipaddress.IPv6Address) and "%" not in name
    if not name or len(name) > _HOST_MAX:
        return False
    return all(_LABEL.fullmatch(label) for label in name.split("."))


# -- addresses ------------------------------------------------------------------------------------


def parse_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def plain_address(peer: str) -> str:
    """A peer in the spelling in which peers are compared: IPv4 inside IPv6 as IPv4, no zone."""
    address = parse_address(peer.partition("%")[0])
    if address is None:
        return peer
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_loopback(peer: str) -> bool:
    address = parse_address(plain_address(peer))
    return address is not None and address.is_loopback


class Networks:
    """A list of addresses and CIDR ranges."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks = [_unmapped(ipaddress.ip_network(entry, strict=False)) for entry in entries]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, peer: str) -> bool:
        address = parse_address(plain_address(peer))
        return address is not None and any(address in network for network in self._networks)


def _unmapped(network: Network) -> Network:
    """Peers compare as IPv4, so a range of mapped addresses means the IPv4 range."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((int(mapped), network.prefixlen - 96))
