"""Any header may say anything: an address comes of it that can be written, verified against and
explained, and only hosts that may count do."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config import Config
from sidecar.errors import CarrierError, Problem, StoreError
from sidecar.ingress.limits import Refusal
from sidecar.ingress.messages import plain_path, target_of
from sidecar.ingress.replay import _decoded
from sidecar.ingress.trust.diagnosis import Diagnosis
from sidecar.ingress.trust.public_url import PublicUrls
from sidecar.ports import Counters, HttpRequest
from tests.support.clock import ManualClock
from tests.support.fuzz import FUZZ, changed, refusal_of

HOSTS = [
    "voice.example.test", "voice.example.test:8443", "[2001:db8::1]:443", "a@b", "a,b", "a:b:c",
    "x" * 300, "xn--mnchen-3ya.test", "127.0.0.1:3334", "localhost",
]  # fmt: skip
VALUES = changed([*HOSTS, "https", "http, https", "443", "0", "99999", "::ffff:192.0.2.1"])
HEADERS = st.dictionaries(
    st.sampled_from(
        ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-for",
         "x-original-host", "ngrok-forwarded-host"]
    ),
    VALUES,
)  # fmt: skip
SETTINGS: list[dict[str, Any]] = [
    {},
    {"publicUrl": "https://voice.example.test/voice/webhook"},
    {"webhookSecurity": {"trustForwardingHeaders": True}},
    {"webhookSecurity": {"allowedHosts": ["voice.example.test"]}},
    {"webhookSecurity": {"trustForwardingHeaders": True, "trustedProxyIPs": ["192.0.2.0/24"]}},
]
PEERS = st.sampled_from(["127.0.0.1", "192.0.2.7", "::ffff:192.0.2.7", "fe80::1%eth0", "", "x"])


class Refusing:
    """A carrier that nobody has signed for."""

    name = "refusing"

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        raise CarrierError(Problem("carrierRejected", "The signature differs."))


class Head:
    """As much of a request as a target is taken from."""

    def __init__(self, raw_path: str) -> None:
        self.raw_path = raw_path


@FUZZ
@given(st.sampled_from(SETTINGS), HEADERS, PEERS)
def test_any_headers_give_an_address_that_can_be_verified_and_explained(
    settings: dict[str, Any], headers: dict[str, str], peer: str
) -> None:
    urls = PublicUrls(Config.model_validate(settings))
    request = HttpRequest("POST", "/voice/webhook?n=1", headers, b"", peer)
    address = urls.webhook(request)
    parts = urlsplit(address.url)
    assert (parts.scheme, parts.path, parts.query) == (
        address.scheme,
        "/voice/webhook",
        "n=1",
    )
    assert address.url.isascii()
    assert address.url.isprintable()
    assert urls.stream(request).scheme in ("ws", "wss")
    assert urls.source(request) is not None
    if "allowedHosts" in settings.get("webhookSecurity", {}):
        own = [headers.get("host", "").lower(), "127.0.0.1:3334", "voice.example.test"]
        assert any(address.host.lower() in host for host in own)
    diagnosis = Diagnosis(Refusing(), urls, ManualClock(), Counters())  # type: ignore[arg-type]
    diagnosis.refused(request, address, "The signature differs.", 1_000)


@FUZZ
@given(
    changed(
        ["/voice/webhook?n=1#x", "http://a.test/voice/webhook", "http://a?b", "*", "//a/%2e%2e/"]
    )
)
def test_any_target_is_a_plain_path_or_refused(raw_path: str) -> None:
    head: Any = Head(raw_path)
    refusal = refusal_of(Refusal, lambda: target_of(head))
    if refusal is not None:
        assert refusal.status == 400
        return
    target = target_of(head)
    assert target.isascii()
    assert target.isprintable()
    assert "#" not in target
    plain_path(target.partition("?")[0])


def test_a_stored_answer_of_the_wrong_shape_is_an_error_of_the_store() -> None:
    for text in ("", "[]", "1", "{}", '{"status": "x"}', '{"status": 1e400}', "[" * 5_000):
        with pytest.raises(StoreError):
            _decoded(text)
