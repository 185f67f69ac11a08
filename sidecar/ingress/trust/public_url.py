"""The address under which the world sees this listener: the URL a signature was made over, and the
address a request really comes from.

Whether a signature is right is the carrier's to say; why it may be wrong is in `diagnosis`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from sidecar.config import Config
from sidecar.ingress.trust.hosts import (
    Host,
    Networks,
    is_loopback,
    parse_address,
    parse_host,
    parse_port,
    plain_address,
)
from sidecar.ports import HttpRequest

FORWARDED_HOST_HEADERS = ("x-forwarded-host", "x-original-host", "ngrok-forwarded-host")
DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_STREAM_SCHEMES = {"http": "ws", "https": "wss"}


class Form(StrEnum):
    """Where the address that is verified against was taken from."""

    CONFIGURED = "publicUrl"
    TUNNEL = "tunnel"
    FORWARDED = "forwarding headers"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """A URL in the parts that can be wrong by themselves; `host` is the name without a port."""

    form: Form
    scheme: str
    host: str
    port: int | None
    path: str
    query: str = ""

    @property
    def url(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}{port}{self.path}{query}"


class PublicUrls:
    """Decides which headers are believed, by the rules of `webhookSecurity`."""

    def __init__(self, config: Config) -> None:
        security = config.webhook_security
        self._webhook_path = config.serve.path
        self._configured = _base(Form.CONFIGURED, config.public_url)
        self._tunnel: PublicAddress | None = None
        self._tunnelled = config.tunnel.provider != "none" or config.tailscale.mode != "off"
        self._allowed_hosts = {host.lower() for host in security.allowed_hosts}
        self._trust_headers = security.trust_forwarding_headers
        self._proxies = Networks(security.trusted_proxy_ips)
        self._bound = f"{config.serve.bind}:{config.serve.port}"

    def set_tunnel(self, url: str | None) -> None:
        """The tunnel's address, with or without the webhook's path; None when it is down."""
        base = _base(Form.TUNNEL, url)
        if base is not None and base.path in ("", "/"):
            base = PublicAddress(base.form, base.scheme, base.host, base.port, self._webhook_path)
        self._tunnel = base
        self._tunnelled = self._tunnelled or url is not None

    @property
    def known(self) -> PublicAddress | None:
        """The webhook's address as far as it does not depend on a request."""
        return self._configured or self._tunnel

    # -- what was signed --------------------------------------------------------------------------

    def webhook(self, request: HttpRequest) -> PublicAddress:
        """The URL that the signature of a webhook covers."""
        path, _, query = request.url.partition("?")
        known = self.known
        if known is None:
            return self._rebuilt(request, path, query)
        return PublicAddress(known.form, known.scheme, known.host, known.port, known.path, query)

    def stream(self, request: HttpRequest) -> PublicAddress:
        """The URL that the signature of a media handshake covers, in its `ws` form."""
        path, _, query = request.url.partition("?")
        known = self.known
        if known is None:
            seen = self._rebuilt(request, path, query)
        else:
            path = self.prefix + path
            seen = PublicAddress(known.form, known.scheme, known.host, known.port, path, query)
        scheme = _STREAM_SCHEMES[seen.scheme]
        return PublicAddress(seen.form, scheme, seen.host, seen.port, seen.path, seen.query)

    @property
    def prefix(self) -> str:
        """What a proxy puts before our own paths, when the public path tells."""
        known = self.known
        if known is None:
            return ""
        public = known.path.rstrip("/")
        own = self._webhook_path.rstrip("/")
        return public[: len(public) - len(own)] if public.endswith(own) else ""

    def _rebuilt(self, request: HttpRequest, path: str, query: str) -> PublicAddress:
        headers = request.headers
        believed = self.believes(request.peer)
        scheme = "http"
        port: int | None = None
        host: Host | None = None
        if believed:
            scheme = _SCHEMES.get(first(headers, "x-forwarded-proto").lower(), scheme)
            port = parse_port(first(headers, "x-forwarded-port"))
            host = self._forwarded_host(headers)
        form = Form.FORWARDED if host or port or scheme != "http" else Form.REQUEST
        if host is not None:
            # A port beside the host is the more exact statement of the two.
            port = host.port or port
        else:
            host = parse_host(headers.get("host", "")) or Host(self._bound)
            port = port or host.port
        if port == DEFAULT_PORTS[scheme]:
            port = None
        return PublicAddress(form, scheme, host.name, port, path, query)

    def _forwarded_host(self, headers: Mapping[str, str]) -> Host | None:
        for host in forwarded_hosts(headers):
            if self.allows(host):
                return host
        return None

    # -- whom to believe --------------------------------------------------------------------------

    @property
    def headers_count(self) -> bool:
        return bool(self._allowed_hosts) or self._trust_headers

    def is_proxy(self, peer: str) -> bool:
        """Whether `trustedProxyIPs` lets this peer forward; with no list every peer may."""
        return not self._proxies or peer in self._proxies

    def believes(self, peer: str) -> bool:
        return self.headers_count and self.is_proxy(peer)

    def allows(self, host: Host) -> bool:
        name = host.name.lower()
        return (
            not self._allowed_hosts
            or name in self._allowed_hosts
            or (host.port is not None and f"{name}:{host.port}" in self._allowed_hosts)
        )

    def source(self, request: HttpRequest) -> str:
        """The address that counts for limits: the peer's, or, when the peer is a proxy of ours,
        the one it forwards for.

        A proxy appends to what the client sent, so the last address that is not a proxy itself is
        the only one that a stranger cannot choose.
        """
        peer = plain_address(request.peer)
        if not self._forwards_for(peer):
            return peer
        for value in reversed(request.headers.get("x-forwarded-for", "").split(",")):
            address = plain_address(value.strip(" \t"))
            if parse_address(address) is None:
                break
            if address not in self._proxies and not is_loopback(address):
                return address
        return peer

    def _forwards_for(self, peer: str) -> bool:
        if self._proxies:
            return peer in self._proxies or (self._tunnelled and is_loopback(peer))
        return self._trust_headers or (self._tunnelled and is_loopback(peer))


def first(headers: Mapping[str, str], name: str) -> str:
    """The first value of a comma list."""
    return headers.get(name, "").partition(",")[0].strip(" \t")


def forwarded_hosts(headers: Mapping[str, str]) -> list[Host]:
    """Every host that a forwarding header names validly, the most usual header first."""
    found = (parse_host(first(headers, name)) for name in FORWARDED_HOST_HEADERS)
    return [host for host in found if host is not None]


def _base(form: Form, url: str | None) -> PublicAddress | None:
    if url is None:
        return None
    parts = urlsplit(url)
    # `netloc` keeps the letters as they were written; what was signed is what was configured.
    host = parse_host(parts.netloc)
    name, port = (host.name, host.port) if host is not None else (parts.netloc, None)
    return PublicAddress(form, parts.scheme, name, port, parts.path)
