"""Bodies, headers and addresses of strangers: each is verified or refused, nothing else; and what
Twilio signed verifies for every way in which the same address can be written."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.errors import CarrierError
from sidecar.ports import HttpRequest
from sidecar.providers.twilio.signature import replay_key, verify
from sidecar.providers.twilio.wire import parse, read
from tests.support.fuzz import FUZZ, as_bytes, changed, refusal_of

TOKEN = "example-token"
URLS = [
    "https://voice.example.test/voice/webhook",
    "https://voice.example.test:8443/voice/webhook",
    "http://[2001:db8::1]:80/hook",
    "wss://voice.example.test/voice/stream",
]
BODIES = ["CallSid=CA1&From=%2B15550001111", "a=%FF&a=%ZZ&=&&;", '{"a": 1}', "a=" + "%C3" * 9]
KINDS = ["application/x-www-form-urlencoded; charset=UTF-8", "application/json", "", ";;", "\xe9"]


@FUZZ
@given(
    url=st.sampled_from(URLS),
    query=changed(["?callId=c&type=gather&n=1", "?bodySHA256=00", "/%zz?"]),
    body=changed(BODIES).map(as_bytes) | st.binary(max_size=60),
    kind=st.sampled_from(KINDS) | st.text(max_size=12),
    given_signature=st.text(max_size=30) | st.just("bm9ib2R5J3M="),
    settings=st.sampled_from(["", "algorithm=x", "\xff"]),
    method=st.sampled_from(["POST", "GET"]),
)
def test_a_strangers_request_is_refused_and_nothing_else(
    url: str,
    query: str,
    body: bytes,
    kind: str,
    given_signature: str,
    settings: str,
    method: str,
) -> None:
    headers = {
        "content-type": kind,
        "x-twilio-signature": given_signature,
        "x-twilio-webhooks-signature-settings": settings,
    }
    request = HttpRequest(method, "/voice/webhook", headers, body, "192.0.2.1", url + query)
    refusal = refusal_of(CarrierError, lambda: verify(request, TOKEN))
    assert str(refusal).startswith("The request is not Twilio's")
    assert replay_key(request)


@FUZZ
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(
        st.characters(exclude_categories=["Cs"])), max_size=6),
    st.sampled_from(["https://a.test/w?n=1", "https://a.test:443/w?n=1", "http://a.test:80/w"]),
    st.booleans(),
)  # fmt: skip
def test_with_or_without_its_usual_port_an_address_is_the_same(
    form: dict[str, str], url: str, port_was_signed: bool
) -> None:
    port = ":443" if url.startswith("https") else ":80"
    bare = url.replace(port, "")
    signed = bare.replace("a.test", "a.test" + port) if port_was_signed else bare
    text = signed + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()
    headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
    verify(HttpRequest("POST", "/w", headers, urlencode(form).encode(), "::1", url), TOKEN)


@FUZZ
@given(
    query=changed(["callId=c&type=gather&turn=t&u=1&s=5&n=1", "type=status"]),
    body=changed([BODIES[0], "CallSid=CA1&CallStatus=completed&CallDuration=12"]).map(as_bytes),
)
@example("type=status", b"CallSid=C&CallStatus=completed&CallDuration=" + b"9" * 400)
@example("type=gather&s=" + "9" * 400, b"CallSid=C")
def test_any_callback_is_read_or_refused(query: str, body: bytes) -> None:
    target = f"/voice/webhook?{query}"
    request = HttpRequest("POST", target, {}, body, "::1", "https://a.test" + target)
    refusal_of(CarrierError, lambda: parse(read(request), 1_000, None))
