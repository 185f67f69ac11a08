"""Why a signature may have been refused: a log line for the person who set the line up.

It says which form of the public URL was verified and what is likely wrong with it, and never shows
the values of parameters. It changes no answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

import structlog

from sidecar.errors import CarrierError
from sidecar.ingress.trust.hosts import is_loopback, parse_host, parse_port
from sidecar.ingress.trust.public_url import (
    DEFAULT_PORTS,
    Form,
    PublicAddress,
    PublicUrls,
    first,
    forwarded_hosts,
)
from sidecar.ports import Carrier, Clock, Counters, HttpRequest

LINES_AT_ONCE = 20
LINE_EVERY_MS = 1_000
CANDIDATES_MAX = 48
BODY_MAX_BYTES = 16 * 1024
"""A diagnosis verifies a request many times over; a longer body would cost too much of that."""

HOST, PORT, SCHEME, PATH = "host differs", "port differs", "scheme differs", "path differs"
PROXY, SECRET = "proxy not trusted", "auth token or body differs"

log = structlog.get_logger()


class Diagnosis:
    """Looks for the URL under which the signature would have been right. After the first few a line
    a second at the most is logged, because strangers decide how many requests are refused."""

    def __init__(
        self, carrier: Carrier, urls: PublicUrls, clock: Clock, counters: Counters
    ) -> None:
        self._carrier = carrier
        self._urls = urls
        self._clock = clock
        self._counters = counters
        self._lines_ms = {"unsigned": 0, "refused": 0}

    def unsigned(self) -> None:
        """A request without the carrier's signature headers."""
        if self._may_log("unsigned"):
            log.warning(
                "webhook.unsigned",
                provider=self._carrier.name,
                hint="The request bears no signature of this carrier; it is probably a stranger's.",
            )

    def refused(
        self, request: HttpRequest, address: PublicAddress, reason: str, now_ms: int
    ) -> None:
        """A request whose signature is wrong for `address`."""
        if not self._may_log("refused"):
            return
        causes = self._causes(request, address, now_ms)
        log.warning(
            "webhook.bad_signature",
            provider=self._carrier.name,
            verified_form=address.form.value,
            verified_url=replace(address, query="").url,
            has_query=bool(address.query),
            reason=reason,
            causes=causes,
            hint=" ".join(self._hints(causes, request, address)),
        )

    def _may_log(self, kind: str) -> bool:
        """Each line takes a second off what may be used at once; a quiet time gives it back."""
        now_ms = self._clock.now_ms()
        used_up_ms = max(self._lines_ms[kind], now_ms)
        if used_up_ms - now_ms > (LINES_AT_ONCE - 1) * LINE_EVERY_MS:
            self._counters.count("webhook.lines_left_out")
            return False
        self._lines_ms[kind] = used_up_ms + LINE_EVERY_MS
        return True

    # -- causes -----------------------------------------------------------------------------------

    def _causes(self, request: HttpRequest, address: PublicAddress, now_ms: int) -> list[str]:
        fitting = None
        if len(request.body) <= BODY_MAX_BYTES:
            fitting = self._fitting(request, address, now_ms)
        # What is certain when one address fits is likely when none does.
        other = fitting or self._told(request, address)
        causes = _differences(address, other)
        if self._proxy_ignored(request) and (causes or fitting is None):
            causes.insert(0, PROXY)
        if fitting is None:
            causes.append(SECRET)
        return causes

    def _fitting(
        self, request: HttpRequest, address: PublicAddress, now_ms: int
    ) -> PublicAddress | None:
        """The nearest address for which the signature is right. All are tried, so that the time
        this takes says nothing."""
        found = None
        for candidate in islice(_candidates(request, address), CANDIDATES_MAX):
            try:
                self._carrier.verify(replace(request, public_url=candidate.url), now_ms)
            except CarrierError:
                continue
            found = found or candidate
        return found

    def _told(self, request: HttpRequest, address: PublicAddress) -> PublicAddress:
        """The address as the request's own headers tell it, believed or not."""
        headers = request.headers
        hosts = forwarded_hosts(headers)
        own = parse_host(headers.get("host", ""))
        if own is not None and not is_loopback(own.name) and own.name != "localhost":
            hosts.append(own)
        if not hosts:
            return address
        scheme = first(headers, "x-forwarded-proto").lower() or address.scheme
        scheme = scheme if scheme in DEFAULT_PORTS else address.scheme
        port = hosts[0].port or parse_port(first(headers, "x-forwarded-port"))
        if port == DEFAULT_PORTS[scheme]:
            port = None
        path = request.url.partition("?")[0]
        if address.path.rstrip("/").endswith(path.rstrip("/")):
            path = address.path
        return replace(address, scheme=scheme, host=hosts[0].name, port=port, path=path)

    def _proxy_ignored(self, request: HttpRequest) -> bool:
        """The request came through a proxy that is not believed, and it would have mattered."""
        headers = request.headers
        if self._urls.known is not None:
            return False
        hosts = forwarded_hosts(headers)
        if self._urls.believes(request.peer):
            return bool(hosts) and not any(self._urls.allows(host) for host in hosts)
        return bool(hosts) or "x-forwarded-proto" in headers or "x-forwarded-port" in headers

    # -- what to do about it ----------------------------------------------------------------------

    def _hints(
        self, causes: Sequence[str], request: HttpRequest, address: PublicAddress
    ) -> Iterator[str]:
        if PROXY in causes:
            yield self._proxy_hint(request)
        elif any(cause != SECRET for cause in causes):
            yield (
                "Set publicUrl to exactly the webhook URL that the carrier was given."
                if address.form is not Form.CONFIGURED
                else "Compare publicUrl with the webhook URL that the carrier was given."
            )
        if SECRET in causes:
            yield (
                f"Check the {self._carrier.name} credentials that verify webhooks, and that "
                "nothing in between changes the body."
            )

    def _proxy_hint(self, request: HttpRequest) -> str:
        if not self._urls.headers_count:
            return (
                "Forwarding headers were ignored: set publicUrl, or list the public host in "
                "webhookSecurity.allowedHosts, or set webhookSecurity.trustForwardingHeaders."
            )
        if not self._urls.is_proxy(request.peer):
            return (
                f"Forwarding headers were ignored: {request.peer} is not in "
                "webhookSecurity.trustedProxyIPs."
            )
        return "The forwarded host is not in webhookSecurity.allowedHosts."


def _differences(address: PublicAddress, other: PublicAddress) -> list[str]:
    pairs = (
        (HOST, address.host.lower() != other.host.lower()),
        (PORT, address.port != other.port),
        (SCHEME, address.scheme != other.scheme),
        (PATH, address.path != other.path),
    )
    return [cause for cause, differs in pairs if differs]


def _candidates(request: HttpRequest, address: PublicAddress) -> Iterator[PublicAddress]:
    """Addresses that somebody may have signed for, those that differ least first."""
    headers = request.headers
    hosts = forwarded_hosts(headers)
    own = parse_host(headers.get("host", ""))
    if own is not None:
        hosts.append(own)
    path = request.url.partition("?")[0]
    slash = address.path[:-1] if address.path.endswith("/") else address.path + "/"
    names = dict.fromkeys([address.host, *(host.name for host in hosts)])
    ports = dict.fromkeys(
        [
            address.port,
            None,
            *(host.port for host in hosts),
            parse_port(first(headers, "x-forwarded-port")),
        ]
    )
    schemes = ("https", "http") if address.scheme == "https" else ("http", "https")
    paths = dict.fromkeys([address.path, path, slash])
    every = (
        replace(address, scheme=scheme, host=name, port=port, path=path)
        for scheme, name, port, path in product(schemes, names, ports, paths)
    )
    ranked = sorted(every, key=lambda each: len(_differences(address, each)))
    return iter(ranked[1:])
