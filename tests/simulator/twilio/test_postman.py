"""Webhooks: their signature, their headers, and how often they are tried."""

import asyncio

import pytest
from aiohttp import web
from multidict import MultiDict
from twilio.request_validator import RequestValidator

from sidecar.simulator.twilio.postman import Patience, Route, sign
from tests.support.exchange import TOKEN, exchange


@pytest.mark.parametrize(
    ("url", "params"),
    [
        ("https://voice.example.test/voice/webhook?callId=a%20b&x=1&n=", []),
        ("https://voice.example.test/v", [("b", "2"), ("B", "1"), ("a", ""), ("ä", "ö & ü")]),
        ("http://127.0.0.1:3334/v?bodySHA256=00", [("CallSid", "CA1"), ("To", "+15550001111")]),
    ],
)
def test_the_signature_is_the_one_that_twilio_s_own_validator_takes(
    url: str, params: list[tuple[str, str]]
) -> None:
    assert RequestValidator(TOKEN).validate(url, dict(params), sign(TOKEN, url, params))


def test_a_repeated_name_is_signed_with_each_of_its_different_values() -> None:
    params = [("a", "2"), ("a", "1"), ("a", "2"), ("b", "3")]
    assert RequestValidator(TOKEN).validate(
        "https://x.example.test/v",
        MultiDict(params),
        sign(TOKEN, "https://x.example.test/v", params),
    )


async def test_a_webhook_looks_like_one_of_twilio_s() -> None:
    async with exchange() as here:
        url = f"{here.customer.url}?callId=a%2Fb&n=7"
        done = await here.sim.postman.bring("voice", url, {"CallSid": "CA1", "Empty": ""})
        (hit,) = here.customer.hits
        assert done.ok
        assert hit.url == url, "the query comes as it was given"
        assert hit.signed
        assert hit.form["Empty"] == ""
        assert hit.headers["User-Agent"].startswith("TwilioProxy/")
        assert hit.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
        assert hit.headers["I-Twilio-Idempotency-Token"]
        assert "Cookie" not in hit.headers


async def test_a_get_carries_everything_in_its_query_and_signs_that() -> None:
    async with exchange() as here:
        await here.sim.postman.bring("voice", f"{here.customer.url}?x=1", {"A": "b c"}, "GET")
        (hit,) = here.customer.hits
        assert hit.method == "GET"
        assert hit.url.endswith("?x=1&A=b+c")
        assert hit.signed


async def test_a_repetition_is_the_same_to_the_letter() -> None:
    async with exchange() as here:
        first = await here.sim.postman.bring("voice", here.customer.url, {"A": "1"})
        await here.sim.postman.repeat(first)
        one, two = here.customer.hits
        for name in ("X-Twilio-Signature", "I-Twilio-Idempotency-Token"):
            assert one.headers[name] == two.headers[name]
        assert one.form == two.form


async def test_another_webhook_has_another_token() -> None:
    async with exchange() as here:
        for _ in range(2):
            await here.sim.postman.bring("voice", here.customer.url, {"A": "1"})
        one, two = here.customer.hits
        name = "I-Twilio-Idempotency-Token"
        assert one.headers[name] != two.headers[name]


async def test_by_default_an_error_is_not_tried_again() -> None:
    async with exchange(lambda hit: web.Response(status=500)) as here:
        done = await here.sim.postman.bring("voice", here.customer.url, {})
        assert (done.status, len(here.customer.hits)) == (500, 1)


async def test_the_fragment_of_the_address_asks_for_retries_and_is_not_sent() -> None:
    async with exchange(lambda hit: web.Response(status=500)) as here:
        done = await here.sim.postman.bring("voice", f"{here.customer.url}#rc=2&rp=5xx", {})
        assert done.status == 500
        assert len(here.customer.hits) == 3
        assert len({hit.headers["I-Twilio-Idempotency-Token"] for hit in here.customer.hits}) == 1
        assert "#" not in here.customer.hits[0].url


def test_time_outs_of_the_fragment_are_kept_within_their_range() -> None:
    patience = Patience.of("https://x.example.test/v#ct=1&rt=99999&tt=abc&rc=9&rp=all")
    assert patience == Patience(100, 15_000, 15_000, 5, frozenset({"all"}))


async def test_a_silent_program_is_given_up_after_the_read_time_out() -> None:
    async with exchange() as here:
        here.customer.hold = asyncio.Event()
        done = await here.sim.postman.bring("voice", f"{here.customer.url}#rt=150&rc=0", {})
        here.customer.hold.set()
        assert (done.status, done.problem, done.ok) == (0, "rt", False)


async def test_nobody_at_the_address_is_tried_twice() -> None:
    async with exchange() as here:
        route = Route("http://127.0.0.1:1/voice/webhook")
        here.sim.postman._route = route
        done = await here.sim.postman.bring("voice", route.target, {})
        assert (done.status, done.problem) == (0, "ct")


async def test_only_the_sidecar_is_ever_called() -> None:
    async with exchange() as here:
        done = await here.sim.postman.bring("voice", "https://elsewhere.example.test/x", {})
        assert done.status == 0
        assert "not an address of the sidecar" in done.problem


@pytest.mark.parametrize(
    ("public", "url", "real"),
    [
        (None, "http://127.0.0.1:3334/voice/webhook?a=%2F", "http://127.0.0.1:3334/voice/webhook?a=%2F"),
        (None, "https://x.example.test/voice/webhook", None),
        ("https://x.example.test/p/voice/webhook", "https://x.example.test/p/voice/webhook?a=1",
         "http://127.0.0.1:3334/voice/webhook?a=1"),
        ("https://x.example.test/p/voice/webhook", "https://x.example.test/p/voice/stream/t",
         "http://127.0.0.1:3334/voice/stream/t"),
        ("https://x.example.test/hook", "https://x.example.test:443/hook?b=2",
         "http://127.0.0.1:3334/voice/webhook?b=2"),
        ("https://x.example.test/hook", "https://x.example.test/other",
         "http://127.0.0.1:3334/other"),
        ("https://x.example.test/hook", "https://x.example.test:8443/hook", None),
    ],
)  # fmt: skip
def test_the_public_address_leads_to_the_real_one(
    public: str | None, url: str, real: str | None
) -> None:
    assert Route("http://127.0.0.1:3334/voice/webhook", public).real(url) == real


async def test_a_webhook_for_the_public_address_is_signed_for_it() -> None:
    async with exchange(public_url="https://voice.example.test/voice/webhook") as here:
        url = "https://voice.example.test/voice/webhook?callId=1"
        done = await here.sim.postman.bring("voice", url, {"A": "1"})
        (hit,) = here.customer.hits
        assert done.ok
        assert hit.headers["Host"] == "voice.example.test"
        given = hit.headers["X-Twilio-Signature"]
        assert RequestValidator(TOKEN).validate(url, hit.form, given)
