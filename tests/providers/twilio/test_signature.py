"""Twilio's signatures: the vectors, one flipped bit, and bodies that no signature covers."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from sidecar.errors import CarrierError
from sidecar.ports import HttpRequest
from sidecar.providers.twilio.signature import form_of, replay_key, verify

FIXTURES = Path(__file__).parents[2] / "fixtures" / "twilio" / "signatures.json"
VECTORS = json.loads(FIXTURES.read_text(encoding="utf-8"))["twilio"]
TOKEN = "example-token"
URL = "https://voice.example.test/voice/webhook"
FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}


def a_request(
    body: bytes = b"", url: str = URL, method: str = "POST", **headers: str
) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest(method, "/voice/webhook", {**FORM, **named}, body, "127.0.0.1", url)


def sign(text: str, token: str = TOKEN) -> str:
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_valid(request: HttpRequest, token: str = TOKEN) -> bool:
    try:
        verify(request, token)
    except CarrierError:
        return False
    return True


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_every_vector_has_its_verdict_and_shared_keys_are_refused(vector: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = (vector.get("raw_body") or "").encode()
    request = HttpRequest(vector["method"], "/", headers, body, "127.0.0.1", vector["url"])
    expected = vector["expected"] == "valid" and "shared-key" not in vector.get("tags", ())
    assert is_valid(request, vector["secret"]) is expected


def test_one_flipped_bit_anywhere_in_the_signature_refuses() -> None:
    good = sign(URL + "CallSidCA1")
    assert is_valid(a_request(b"CallSid=CA1", x_twilio_signature=good))
    raw = base64.b64decode(good)
    for place in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[place // 8] ^= 1 << place % 8
        bad = base64.b64encode(bytes(flipped)).decode()
        assert not is_valid(a_request(b"CallSid=CA1", x_twilio_signature=bad))


def test_a_flipped_bit_in_the_body_refuses() -> None:
    body = b"CallSid=CA1&To=15550001111"
    good = sign(URL + "CallSidCA1To15550001111")
    assert is_valid(a_request(body, x_twilio_signature=good))
    for place in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[place // 8] ^= 1 << place % 8
        request = a_request(bytes(flipped), x_twilio_signature=good)
        if dict(form_safely(request)) != {"CallSid": ["CA1"], "To": ["15550001111"]}:
            assert not is_valid(request), bytes(flipped)


def form_safely(request: HttpRequest) -> dict[str, list[str]]:
    try:
        return form_of(request)
    except CarrierError:
        return {}


def test_without_a_token_nothing_is_valid() -> None:
    assert not is_valid(a_request(x_twilio_signature=sign(URL, "")), "")


def test_without_a_signature_nothing_is_valid() -> None:
    assert not is_valid(a_request())


@pytest.mark.parametrize("settings", ["", "key=webhooks_sharedkey_example"])
def test_a_settings_header_without_an_algorithm_means_the_auth_token(settings: str) -> None:
    request = a_request(x_twilio_signature=sign(URL), x_twilio_webhooks_signature_settings=settings)
    assert is_valid(request)


def test_a_shared_key_is_refused_even_with_the_right_hash() -> None:
    request = a_request(
        x_twilio_signature=sign(URL),
        x_twilio_webhooks_signature_settings="key=a, algorithm=HMAC_SHA1",
    )
    assert not is_valid(request)


def test_a_json_body_without_its_hash_is_refused() -> None:
    good = sign(URL)
    assert not is_valid(a_request(b"{}", content_type="application/json", x_twilio_signature=good))


def test_a_json_body_that_is_not_text_is_covered_by_its_hash() -> None:
    body = b"\xff\xfe{"
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    request = a_request(body, url, content_type="application/json", x_twilio_signature=sign(url))
    assert is_valid(request)


def test_a_hash_that_is_no_hash_refuses() -> None:
    url = f"{URL}?bodySHA256=%C3%A9"
    request = a_request(b"{}", url, content_type="application/json", x_twilio_signature=sign(url))
    assert not is_valid(request)


@pytest.mark.parametrize("body", [b"a=%FF", b"\xff=1", b"a=%ED%A0%80", b"&".join([b"a=1"] * 1_001)])
def test_a_form_that_cannot_be_decoded_is_refused(body: bytes) -> None:
    assert not is_valid(a_request(body, x_twilio_signature=sign(URL)))


def test_a_url_with_an_impossible_port_is_refused() -> None:
    url = "https://voice.example.test:99999/voice"
    assert not is_valid(a_request(url=url, x_twilio_signature=sign(url)))


def test_a_media_handshake_may_be_signed_with_the_default_port_of_tls() -> None:
    signed = sign("wss://voice.example.test:443/voice/stream")
    request = a_request(
        url="wss://voice.example.test/voice/stream", method="GET", x_twilio_signature=signed
    )
    assert is_valid(request)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=8))
def test_whatever_parameters_twilio_signs_are_accepted(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs).encode()
    form = form_of(a_request(body))
    signature = RequestValidator(TOKEN).compute_signature(URL, form)
    assert is_valid(a_request(body, x_twilio_signature=signature))
    if pairs:
        assert (
            not is_valid(a_request(body + b"&x=1", x_twilio_signature=signature))
            or (
                "x",
                "1",
            )
            in pairs
        )


def test_the_replay_key_tells_signatures_and_bodies_apart_and_nothing_else() -> None:
    first = a_request(b"a=1", x_twilio_signature="s", i_twilio_idempotency_token="one")
    again = a_request(b"a=1", x_twilio_signature="s", i_twilio_idempotency_token="two")
    assert replay_key(first) == replay_key(again)
    assert replay_key(first) != replay_key(a_request(b"a=2", x_twilio_signature="s"))
    assert replay_key(first) != replay_key(a_request(b"a=1", x_twilio_signature="t"))
