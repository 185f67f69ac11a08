"""The REST API over HTTP: who may ask, what comes back, and answers that go wrong on purpose."""

import asyncio

import aiohttp
import pytest

from sidecar.simulator.farend import Plan
from sidecar.simulator.quirks import RestFault, Trouble
from tests.support.exchange import KEY, OURS, SECRET, SID, THEIRS, TOKEN, exchange, twiml

PAUSE = twiml('<Pause length="100"/>')


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic !"},
        {"Authorization": aiohttp.encode_basic_auth(SID, "wrong")},
        {"Authorization": aiohttp.encode_basic_auth("AC9", TOKEN)},
        {"Authorization": aiohttp.encode_basic_auth(KEY, TOKEN)},
    ],
)
async def test_a_stranger_gets_401_with_20003(headers: dict[str, str]) -> None:
    async with exchange() as here:
        status, body = await here.api.ask("GET", f"{SID}/Calls.json", headers=headers)
        assert (status, body["code"]) == (401, 20003)


async def test_an_api_key_may_ask_too() -> None:
    async with exchange() as here:
        headers = {"Authorization": aiohttp.encode_basic_auth(KEY, SECRET)}
        status, _ = await here.api.ask("GET", f"{SID}/Calls.json", headers=headers)
        assert status == 200
        status, body = await here.api.ask("GET", f"{SID}.json", headers=headers)
        assert (status, body["sid"], body["status"]) == (200, SID, "active")


@pytest.mark.parametrize(
    "path", ["AC9/Calls.json", f"{SID}/Calls/CA9.json", f"{SID}/Calls", f"{SID}/Messages.json"]
)
async def test_what_does_not_exist_is_404_with_20404(path: str) -> None:
    async with exchange() as here:
        status, body = await here.api.ask("GET", path)
        assert (status, body["code"]) == (404, 20404)


async def test_a_wrong_method_is_405() -> None:
    async with exchange() as here:
        status, body = await here.api.ask("PUT", f"{SID}/Calls.json")
        assert (status, body["code"]) == (405, 20004)


async def test_only_a_form_is_read() -> None:
    async with exchange() as here:
        headers = {"Authorization": here.api.auth, "Content-Type": "application/json"}
        body = f"To=%2B{THEIRS[1:]}&From=%2B{OURS[1:]}&Twiml=x"
        status, answer = await here.api.ask("POST", f"{SID}/Calls.json", body, headers=headers)
        assert (status, answer["code"]) == (400, 21201)


async def test_a_created_call_can_be_fetched_and_listed_newest_first() -> None:
    async with exchange(speed=1) as here:
        one = (await here.api.create(Twiml=PAUSE))[1]
        two = (await here.api.create(Twiml=PAUSE))[1]
        assert one["uri"].endswith(f"/Calls/{one['sid']}.json")
        assert one["date_created"].endswith("+0000")
        assert one["to_formatted"] == "(555) 000-2222"
        assert (await here.api.fetch(one["sid"]))["sid"] == one["sid"]

        listed = (await here.api.ask("GET", f"{SID}/Calls.json?To=%2B15550002222&PageSize=1"))[1]
        assert [call["sid"] for call in listed["calls"]] in ([one["sid"]], [two["sid"]])
        assert listed["next_page_uri"] is not None
        path = listed["next_page_uri"].removeprefix("/2010-04-01/Accounts/")
        rest = (await here.api.ask("GET", path))[1]
        assert {call["sid"] for call in listed["calls"] + rest["calls"]} == {one["sid"], two["sid"]}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("Status=queued", 1),
        ("Status=completed", 0),
        ("From=%2B15550001111&To=%2B15550002222", 1),
        ("From=%2B15550002222", 0),
        ("StartTime%3E=2020-01-01", 1),
        ("StartTime%3E=2020-01-01T10:00:00Z", 1),
        ("StartTime%3C=2020-01-01", 0),
        ("StartTime=2020-01-01", 0),
        ("EndTime%3E=2020-01-01", 0),
        ("ParentCallSid=CA9", 0),
    ],
)
async def test_a_list_is_filtered(filters: str, found: int) -> None:
    async with exchange(speed=1) as here:
        await here.api.create(Twiml=PAUSE)
        listed = (await here.api.ask("GET", f"{SID}/Calls.json?{filters}"))[1]
        assert len(listed["calls"]) == found


@pytest.mark.parametrize("filters", ["Color=red", "StartTime%3E=soon"])
async def test_a_filter_that_does_not_exist_is_refused(filters: str) -> None:
    async with exchange(speed=1) as here:
        await here.api.create(Twiml=PAUSE)
        status, body = await here.api.ask("GET", f"{SID}/Calls.json?{filters}")
        assert (status, body["code"]) == (400, 20001)


# -- on purpose ------------------------------------------------------------------------------------


async def test_too_many_requests_come_with_twilio_s_load_and_place_no_call() -> None:
    async with exchange() as here:
        here.sim.fail_next("create", RestFault(Trouble.STATUS, status=429))
        status, body = await here.api.create(Twiml=PAUSE)
        assert (status, body["code"]) == (429, 20429)
        assert here.sim.lines == []
        assert (await here.api.create(Twiml=PAUSE))[0] == 201


async def test_a_gateway_error_is_not_json_and_may_have_placed_the_call() -> None:
    async with exchange(speed=1) as here:
        here.sim.fail_next("create", RestFault(Trouble.STATUS, status=503, performed=True))
        with pytest.raises(aiohttp.ContentTypeError):
            await here.api.create(Twiml=PAUSE)
        assert len(here.sim.lines) == 1


@pytest.mark.parametrize(
    ("trouble", "calls"), [(Trouble.UNREACHED, 0), (Trouble.LOST, 1), (Trouble.HALF_CLOSED, 1)]
)
async def test_a_lost_answer_leaves_the_asker_in_doubt(trouble: Trouble, calls: int) -> None:
    async with asyncio.timeout(5), exchange(speed=1) as here:
        here.sim.fail_next("create", RestFault(trouble))
        with pytest.raises(aiohttp.ClientError):
            await here.api.create(Twiml=PAUSE)
        assert len(here.sim.lines) == calls
        assert [(asked.trouble, asked.status) for asked in here.sim.asked] == [(trouble.value, 0)]


async def test_a_slow_answer_comes_late_but_whole() -> None:
    async with exchange(speed=1) as here:
        here.sim.fail_next("list", RestFault(Trouble.SLOW, slow_s=0.05), times=2)
        for _ in range(2):
            status, body = await here.api.ask("GET", f"{SID}/Calls.json")
            assert (status, body["calls"]) == (200, [])


async def test_what_was_asked_of_a_call_stands_on_its_timeline() -> None:
    async with exchange() as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan())
        await call.done.wait()
        await here.api.update(call.sid, Status="completed")
        assert "REST update: 21220" in [moment.text for moment in call.timeline.moments]
