"""`<Dial>`: handing a call on."""

import asyncio

import pytest

from sidecar.simulator.farend import HangUp, Pickup, Plan, Target, Wait
from tests.support.exchange import OURS, SID, THEIRS, Exchange, exchange, twiml

OTHER = "+15550003333"
EVENTS = "initiated ringing answered completed"


def program(dial: str):
    def answer(hit):
        if "?dialled" in hit.url:
            return twiml("<Say>Back again.</Say><Hangup/>")
        if "?whisper" in hit.url:
            return twiml("<Say>A call for you.</Say>")
        return twiml(dial)

    return answer


async def dialled(here: Exchange, plan: Plan):
    call = await here.sim.incoming(THEIRS, OURS, plan)
    await call.done.wait()
    return call


def child_events(here: Exchange) -> list[str]:
    return [hit.form["CallStatus"] for hit in here.customer.hits if "ParentCallSid" in hit.form]


async def test_the_target_answers_and_the_call_comes_back_after_it_hangs_up() -> None:
    dial = (
        f'<Dial action="?dialled"><Number statusCallback="?leg" statusCallbackEvent="{EVENTS}">'
        f"{OTHER}</Number></Dial>"
    )
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await dialled(here, Plan(transfers={OTHER: Target(talk_s=30)}))
        (back,) = [hit for hit in here.customer.hits if "?dialled" in hit.url]
        assert back.form["DialCallStatus"] == "completed"
        assert back.form["DialCallDuration"] == "30"
        assert back.form["DialBridged"] == "true"
        assert child_events(here) == ["initiated", "ringing", "in-progress", "completed"]
        assert all(hit.signed for hit in here.customer.hits)
        assert call.heard == ["Back again."]

        child = await here.api.fetch(back.form["DialCallSid"])
        assert child["parent_call_sid"] == call.sid
        assert child["direction"] == "outbound-dial"
        listed = (await here.api.ask("GET", f"{SID}/Calls.json?ParentCallSid={call.sid}"))[1]
        assert [each["sid"] for each in listed["calls"]] == [child["sid"]]
        status, refused = await here.api.update(child["sid"], Status="completed")
        assert (status, refused["code"]) == (400, 21220)


@pytest.mark.parametrize(
    ("pickup", "status"),
    [(Pickup.BUSY, "busy"), (Pickup.NO_ANSWER, "no-answer"), (Pickup.FAILED, "failed")],
)
async def test_a_failed_transfer_says_how(pickup: Pickup, status: str) -> None:
    dial = f'<Dial action="?dialled" timeout="10">{OTHER}</Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await dialled(here, Plan(transfers={OTHER: Target(pickup)}))
        (back,) = [hit for hit in here.customer.hits if "?dialled" in hit.url]
        assert back.form["DialCallStatus"] == status
        assert back.form["DialBridged"] == "false"
        assert call.heard == ["Back again."]


async def test_without_an_action_the_next_verb_runs() -> None:
    dial = f"<Dial>{OTHER}</Dial><Say>Next.</Say>"
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await dialled(here, Plan())
        assert call.heard == ["Next."]


async def test_the_time_limit_cuts_the_talk() -> None:
    dial = f'<Dial action="?dialled" timeLimit="7">{OTHER}</Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        await dialled(here, Plan(transfers={OTHER: Target(talk_s=100)}))
        (back,) = [hit for hit in here.customer.hits if "?dialled" in hit.url]
        assert back.form["DialCallDuration"] == "7"


async def test_a_caller_who_hangs_up_ends_both_legs() -> None:
    dial = (
        f'<Dial action="?dialled"><Number statusCallback="?leg" statusCallbackEvent="{EVENTS}">'
        f"{OTHER}</Number></Dial>"
    )
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        plan = Plan(talk=(Wait(20), HangUp()), transfers={OTHER: Target(talk_s=100)})
        call = await dialled(here, plan)
        assert call.status == "completed"
        assert child_events(here)[-1] == "completed"
        assert not [hit for hit in here.customer.hits if "?dialled" in hit.url]


async def test_the_star_ends_the_talk_when_it_may() -> None:
    dial = f'<Dial action="?dialled" hangupOnStar="true">{OTHER}</Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(transfers={OTHER: Target(talk_s=100)}))
        await call.news.until(lambda: call.stage.bridged)
        await call.press("*")
        await call.done.wait()
        (back,) = [hit for hit in here.customer.hits if "?dialled" in hit.url]
        assert int(back.form["DialCallDuration"]) < 100


async def test_the_number_may_get_keys_and_a_document_of_its_own() -> None:
    dial = f'<Dial><Number sendDigits="ww12" url="?whisper">{OTHER}</Number></Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await dialled(here, Plan())
        texts = [moment.text for moment in call.timeline.moments]
        assert "sends ww12 to the number" in texts
        assert "tells the number: A call for you." in texts


async def test_the_number_s_document_may_not_dial() -> None:
    def answer(hit):
        return twiml(f'<Dial><Number url="?again">{OTHER}</Number></Dial>')

    async with asyncio.timeout(5), exchange(answer) as here:
        call = await dialled(here, Plan())
        assert any(fault.startswith("13201") for fault in call.faults)


async def test_of_several_numbers_the_first_to_answer_gets_the_call() -> None:
    dial = f'<Dial action="?dialled"><Number>{THEIRS}</Number><Number>{OTHER}</Number></Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        plan = Plan(transfers={THEIRS: Target(Pickup.BUSY), OTHER: Target(ring_s=3)})
        call = await dialled(here, plan)
        assert f"dials {OTHER}" in [moment.text for moment in call.timeline.moments]


async def test_a_caller_id_that_is_no_number_is_a_fault() -> None:
    async with asyncio.timeout(5), exchange(program(f'<Dial callerId="me">{OTHER}</Dial>')) as here:
        call = await dialled(here, Plan())
        assert any(fault.startswith("13214") for fault in call.faults)
        assert call.status == "completed"


async def test_a_number_that_hangs_up_on_its_document_is_not_connected() -> None:
    def answer(hit):
        if "?whisper" in hit.url:
            return twiml("<Hangup/>")
        return twiml(f'<Dial><Number url="?whisper">{OTHER}</Number></Dial><Say>Back.</Say>')

    async with asyncio.timeout(5), exchange(answer) as here:
        call = await dialled(here, Plan())
        assert call.heard == ["Back."]
        assert not [moment for moment in call.timeline.moments if moment.detail.get("bridged")]


async def test_a_number_without_a_country_cannot_be_reached() -> None:
    dial = '<Dial action="?dialled">555-0003</Dial>'
    async with asyncio.timeout(5), exchange(program(dial)) as here:
        call = await dialled(here, Plan())
        (back,) = [hit for hit in here.customer.hits if "?dialled" in hit.url]
        assert back.form["DialCallStatus"] == "failed"
        assert any(warning.startswith("13224") for warning in call.warnings)
