"""The signature step: are the headers there, is the signature right, and the one exception to it.

The algorithms are the carriers'; the URL that was signed comes from `public_url`.
"""

from dataclasses import replace
from urllib.parse import parse_qs

import structlog

from sidecar.config import Config
from sidecar.errors import CarrierError
from sidecar.ingress.limits import Refusal
from sidecar.ingress.trust.diagnosis import Diagnosis
from sidecar.ingress.trust.hosts import is_loopback
from sidecar.ingress.trust.public_url import PublicUrls, forwarded_hosts
from sidecar.ports import Carrier, Clock, Counters, HttpRequest, Store

NGROK_FREE_TIER = (".ngrok-free.app", ".ngrok-free.dev", ".ngrok.io")

log = structlog.get_logger()


class Signatures:
    """Lets only verified requests through; every refusal is the same 401."""

    def __init__(
        self,
        config: Config,
        carrier: Carrier,
        urls: PublicUrls,
        store: Store,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._carrier = carrier
        self._urls = urls
        self._clock = clock
        self._counters = counters
        self._skip = config.skip_signature_verification
        self._bypass = NgrokBypass(config, carrier, store)
        self.diagnosis = Diagnosis(carrier, urls, clock, counters)

    def require_headers(self, head: HttpRequest) -> None:
        """Raises `Refusal` when no signature of this carrier can be in these headers."""
        wanted = self._carrier.signature_headers
        if self._skip or not wanted:
            return
        if any(all(_is_there(head, name) for name in names) for names in wanted):
            return
        self._counters.count("webhook.unsigned")
        self.diagnosis.unsigned()
        raise unauthorized()

    async def verified(self, request: HttpRequest) -> HttpRequest:
        """The request with the URL it was verified against; raises `Refusal`."""
        address = self._urls.webhook(request)
        request = replace(request, public_url=address.url)
        if self._skip:
            return request
        now_ms = self._clock.wall_ms()
        try:
            self._carrier.verify(request, now_ms)
        except CarrierError as error:
            if await self._bypass.accepts(request):
                self._counters.count("webhook.bypassed")
                return request
            self._counters.count("webhook.bad_signature")
            self.diagnosis.refused(request, address, str(error), now_ms)
            raise unauthorized() from error
        return request


def unauthorized() -> Refusal:
    return Refusal(401, "unauthorized")


def _is_there(head: HttpRequest, name: str) -> bool:
    """No carrier signs with anything but ASCII; other text cannot be compared in constant time."""
    value = head.headers.get(name, "")
    return bool(value) and value.isascii()


class NgrokBypass:
    """`tunnel.allowNgrokFreeTierLoopbackBypass`: ngrok's free tier may change what was signed."""

    def __init__(self, config: Config, carrier: Carrier, store: Store) -> None:
        self._store = store
        self._account = config.twilio.account_sid
        self._enabled = (
            config.tunnel.allow_ngrok_free_tier_loopback_bypass
            and config.provider == "twilio"
            and carrier.name == "twilio"
            and config.tunnel.provider == "ngrok"
            and is_loopback(config.serve.bind.replace("localhost", "127.0.0.1"))
        )

    async def accepts(self, request: HttpRequest) -> bool:
        if not self._enabled or not is_loopback(request.peer):
            return False
        hosts = forwarded_hosts(request.headers)
        if not hosts or not all(host.name.lower().endswith(NGROK_FREE_TIER) for host in hosts):
            return False
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if not self._account or form.get("AccountSid") != [self._account]:
            return False
        call_sid = form.get("CallSid", [])
        if len(call_sid) != 1 or await self._store.find(call_sid[0]) is None:
            return False
        log.warning("webhook.bypassed", key="tunnel.allowNgrokFreeTierLoopbackBypass")
        return True
