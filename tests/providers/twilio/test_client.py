"""Twilio's REST interface: hosts, credentials, what is repeated, and what its errors mean."""

import asyncio
from typing import Any

import pytest

from sidecar.config import Twilio
from sidecar.providers.http import Http
from sidecar.providers.twilio.client import (
    MaybeCreated,
    NotInProgress,
    Repeat,
    TwilioClient,
)
from tests.support.clock import ManualClock
from tests.support.twilio_bench import Bench
from tests.support.twilio_rest import (
    ACCOUNT,
    TOKEN,
    Asked,
    MemoryHttp,
    Trouble,
    TwilioRest,
    error,
    served,
)

CREATE = (("To", "+15550001111"), ("From", "+15550000000"), ("Url", "https://voice.example.test/"))
SAY = (("Twiml", '<?xml version="1.0"?><Response/>'),)


def busy(retry_after: str | None = None) -> Trouble:
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return Trouble(status=429, body=error(429, 20429).body, headers=headers)


# -- create ---------------------------------------------------------------------------------------


async def test_a_created_call_has_twilios_id() -> None:
    bench = Bench()
    leg_id = await bench.run(bench.client.create(CREATE))
    assert bench.rest.created == [Asked("POST", "/Calls.json", list(CREATE))]
    assert leg_id in bench.rest.calls


async def test_what_never_arrived_is_sent_again() -> None:
    bench = Bench()
    bench.rest.troubles += [Trouble("refused"), busy("3")]
    assert await bench.run(bench.client.create(CREATE)) in bench.rest.calls
    assert bench.waited_ms == 300 + 3_000


async def test_after_three_refused_connections_the_host_may_try_again() -> None:
    bench = Bench()
    bench.rest.troubles += [Trouble("refused")] * 3
    failure = await bench.fails(bench.client.create(CREATE))
    assert (failure.problem.kind, failure.problem.retryable) == ("carrierUnavailable", True)
    assert not isinstance(failure, MaybeCreated)


async def test_a_lasting_429_is_told_with_twilios_words() -> None:
    bench = Bench()
    bench.rest.troubles += [busy(), busy("soon"), busy("999")]
    failure = await bench.fails(bench.client.create(CREATE))
    assert (failure.problem.kind, failure.problem.retryable) == ("carrierUnavailable", True)
    assert failure.problem.data["carrier"]["code"] == 20429
    assert bench.waited_ms == 1_000 + 2_000


@pytest.mark.parametrize("retry_after", ["inf", "nan", "-5"])
async def test_a_senseless_retry_after_does_no_harm(retry_after: str) -> None:
    bench = Bench()
    bench.rest.troubles.append(busy(retry_after))
    await bench.run(bench.client.create(CREATE))
    assert bench.waited_ms <= 8_000


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("lost"),
        Trouble("broken"),
        Trouble(status=500),
        Trouble(status=503),
        Trouble(status=302),
        Trouble(status=201, body="[]"),
        Trouble(status=201, body='{"sid": 7}'),
        Trouble(status=201, body="[" * 100_000),
    ],
)
async def test_a_create_of_unknown_outcome_is_not_repeated(trouble: Trouble) -> None:
    bench = Bench()
    bench.rest.troubles.append(trouble)
    failure = await bench.fails(bench.client.create(CREATE))
    assert isinstance(failure, MaybeCreated)
    assert (failure.problem.kind, failure.problem.retryable) == ("carrierUnavailable", False)
    assert len(bench.rest.created) <= 1
    assert bench.waited_ms == 0


@pytest.mark.parametrize(
    ("trouble", "carrier", "named"),
    [
        (
            error(400, 21211, "Invalid 'To' Phone Number: 555"),
            {"status": 400, "code": 21211, "message": "Invalid 'To' Phone Number: 555"},
            "`to`",
        ),
        (error(401, 20003, "Authenticate"), {"status": 401, "code": 20003}, "`twilio.authToken`"),
        (error(400, 99999, "Odd"), {"status": 400, "code": 99999}, "HTTP 400, code 99999"),
        (Trouble(status=403, body="no"), {"status": 403}, "HTTP 403"),
        (
            Trouble(
                status=400,
                body='{"type": "https://www.twilio.com/docs/errors/1", "title": "Bad", "code": 1}',
            ),
            {"status": 400, "code": 1, "message": "Bad"},
            "code 1",
        ),
        (Trouble(status=400, body='{"code": true, "message": 3}'), {"status": 400}, "HTTP 400"),
    ],
)
async def test_a_refusal_carries_twilios_code_and_link(
    trouble: Trouble, carrier: dict[str, Any], named: str
) -> None:
    bench = Bench()
    bench.rest.troubles.append(trouble)
    problem = (await bench.fails(bench.client.create(CREATE))).problem
    assert (problem.kind, problem.retryable) == ("carrierRejected", False)
    assert carrier.items() <= problem.data["carrier"].items()
    assert ("moreInfo" in problem.data["carrier"]) is ("docs/errors" in trouble.body)
    assert named in problem.message
    assert "555" not in problem.message


async def test_wrong_credentials_are_refused() -> None:
    bench = Bench(authToken="wrong")
    problem = (await bench.fails(bench.client.create(CREATE))).problem
    assert problem.kind == "carrierRejected"
    assert "wrong" not in problem.message


# -- the others -----------------------------------------------------------------------------------


async def test_a_document_is_sent_again_after_an_error_but_not_into_the_dark() -> None:
    bench = Bench()
    leg = bench.rest.add_leg(status="in-progress")
    bench.rest.troubles.append(Trouble(status=502))
    await bench.run(bench.client.update(leg["sid"], SAY, Repeat.AFTER_ERROR))
    bench.rest.troubles.append(Trouble("lost"))
    await bench.fails(bench.client.update(leg["sid"], SAY, Repeat.AFTER_ERROR))
    assert len(bench.rest.updates(leg["sid"])) == 2


async def test_a_hang_up_is_repeated_whatever_happens() -> None:
    bench = Bench()
    leg = bench.rest.add_leg(status="in-progress")
    bench.rest.troubles += [Trouble("hang"), Trouble(status=500)]
    await bench.run(bench.client.update(leg["sid"], (("Status", "completed"),), Repeat.ALWAYS))
    assert leg["status"] == "completed"


async def test_what_cannot_be_changed_is_its_own_error() -> None:
    bench = Bench()
    for leg_id in (bench.rest.add_leg(status="completed")["sid"], "CAunknown"):
        failure = await bench.fails(bench.client.update(leg_id, SAY, Repeat.NEVER))
        assert isinstance(failure, NotInProgress)
        assert failure.problem.kind == "carrierRejected"


async def test_a_call_can_be_asked_for() -> None:
    bench = Bench()
    leg_id = bench.rest.add_leg(status="completed", duration="41")["sid"]
    leg = await bench.run(bench.client.fetch(leg_id))
    assert (leg.leg_id, leg.is_over, leg.duration_s) == (leg_id, True, 41.0)
    assert await bench.run(bench.client.fetch("CAunknown")) is None


async def test_a_fetch_is_repeated_and_then_fails() -> None:
    bench = Bench()
    bench.rest.troubles += [Trouble("lost"), Trouble(status=500), Trouble(status=500)]
    failure = await bench.fails(bench.client.fetch("CA1"))
    assert (failure.problem.kind, failure.problem.retryable) == ("carrierUnavailable", True)


@pytest.mark.parametrize("body", ['{"calls": 3}', '{"sid": 3}'])
async def test_an_answer_of_another_shape_is_no_answer(body: str) -> None:
    bench = Bench()
    for ask in (lambda: bench.client.fetch("CA1"), lambda: bench.client.list("a", "b")):
        bench.rest.troubles.append(Trouble(status=200, body=body))
        failure = await bench.fails(ask())
        assert failure.problem.kind == "carrierUnavailable"


async def test_jitter_halves_a_pause_at_most() -> None:
    bench = Bench()
    client = TwilioClient(
        Twilio.model_validate({"accountSid": ACCOUNT, "authToken": TOKEN}),
        MemoryHttp(bench.rest),
        bench.clock,
        lambda: 0.0,
    )
    bench.rest.troubles.append(Trouble("refused"))
    await bench.run(client.create(CREATE))
    assert bench.waited_ms == 150


# -- where requests go ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        ({}, "https://api.twilio.com"),
        ({"region": "ie1"}, "https://api.ie1.twilio.com"),
        ({"edge": "ashburn"}, "https://api.ashburn.us1.twilio.com"),
        ({"region": "ie1", "edge": "dublin"}, "https://api.dublin.ie1.twilio.com"),
        ({"region": "ie1", "baseUrl": "http://127.0.0.1:9/"}, "http://127.0.0.1:9"),
    ],
)
async def test_region_and_edge_choose_the_host(settings: dict[str, Any], origin: str) -> None:
    class Noted(MemoryHttp):
        async def send(self, method: str, url: str, **rest: Any) -> Any:
            urls.append(url)
            return await super().send(method, url, **rest)

    urls: list[str] = []
    clock = ManualClock()
    config = Twilio.model_validate({"accountSid": ACCOUNT, "authToken": TOKEN, **settings})
    await TwilioClient(config, Noted(TwilioRest()), clock).fetch("CA1")
    assert urls == [f"{origin}/2010-04-01/Accounts/{ACCOUNT}/Calls/CA1.json"]


async def test_an_api_key_speaks_for_the_account() -> None:
    bench = Bench(apiKeySid="SK1", apiKeySecret="hush")
    bench.rest.secret = "SK1:hush"
    assert await bench.run(bench.client.create(CREATE)) in bench.rest.calls


# -- over a real socket ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["hang", "lost", "broken"])
async def test_over_a_socket_a_create_without_an_answer_is_found_or_final(how: str) -> None:
    clock = ManualClock()
    rest = TwilioRest(clock.now_ms)
    rest.troubles.append(Trouble(how))
    http = Http("Twilio", timeout_s=0.3)
    async with asyncio.timeout(5), served(rest) as base:
        config = Twilio.model_validate({"accountSid": ACCOUNT, "authToken": TOKEN, "baseUrl": base})
        client = TwilioClient(config, http, clock)
        with pytest.raises(MaybeCreated):
            await client.create(CREATE)
        assert await client.create(CREATE) in rest.calls
        await http.close()
