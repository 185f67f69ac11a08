"""Answering-machine detection, beside the call and in line."""

import asyncio

import pytest

from sidecar.simulator.farend import Pickup, Plan
from sidecar.simulator.quirks import CallbackQuirk, Delivery, Quirks
from tests.support.exchange import HELLO, PAUSE, exchange

ASYNC = {"AsyncAmd": "true", "MachineDetection": "Enable"}


@pytest.mark.parametrize(
    ("plan", "how", "result"),
    [
        (Plan(), "Enable", "human"),
        (Plan(Pickup.MACHINE), "Enable", "machine_start"),
        (Plan(Pickup.MACHINE), "DetectMessageEnd", "machine_end_beep"),
        (Plan(Pickup.MACHINE, greeting_s=50), "DetectMessageEnd", "unknown"),
        (Plan(Pickup.FAX), "Enable", "fax"),
    ],
)
async def test_detection_comes_beside_the_call(plan: Plan, how: str, result: str) -> None:
    async with asyncio.timeout(5), exchange() as here:
        url = f"{here.customer.url}?amd"
        members = {**ASYNC, "MachineDetection": how, "AsyncAmdStatusCallback": url}
        await here.over(plan, Twiml=PAUSE, **members)
        (told,) = [hit for hit in here.customer.hits if "?amd" in hit.url]
        assert set(told.form) == {
            "CallSid",
            "AccountSid",
            "AnsweredBy",
            "MachineDetectionDuration",
        }
        assert told.form["AnsweredBy"] == result
        assert here.customer.hits[-1].form["AnsweredBy"] == result


async def test_detection_in_line_holds_the_document_back() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: HELLO) as here:
        await here.over(Plan(Pickup.MACHINE), Url=here.customer.url, MachineDetection="Enable")
        assert here.customer.documents()[0].form["AnsweredBy"] == "machine_start"


async def test_a_call_that_ends_before_the_result_tells_none() -> None:
    async with asyncio.timeout(5), exchange() as here:
        await here.over(AsyncAmdStatusCallback=f"{here.customer.url}?amd", **ASYNC)
        assert not [hit for hit in here.customer.hits if "?amd" in hit.url]


@pytest.mark.parametrize(
    ("delivery", "times"), [(Delivery.MISSING, 0), (Delivery.DOUBLED, 2), (Delivery.LATE, 1)]
)
async def test_detection_may_be_told_badly_too(delivery: Delivery, times: int) -> None:
    quirks = Quirks(callbacks={"machine": CallbackQuirk(delivery, 2)})
    async with asyncio.timeout(5), exchange(quirks=quirks) as here:
        await here.over(Twiml=PAUSE, AsyncAmdStatusCallback=f"{here.customer.url}?amd", **ASYNC)
        assert len([hit for hit in here.customer.hits if "?amd" in hit.url]) == times
