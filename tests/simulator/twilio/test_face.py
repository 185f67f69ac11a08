"""The simulated carrier as tests and scripts use it."""

import asyncio

from sidecar.simulator.farend import Pickup, Plan
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.leg import Leg
from tests.support.exchange import OURS, THEIRS, Hit, exchange, twiml

OTHER = "+15550003333"


def menu(hit: Hit) -> str:
    """Repeats what it got, and ends at the word or key for it."""
    got = hit.form.get("SpeechResult") or hit.form.get("Digits")
    if got in ("Bye.", "9"):
        return twiml("<Say>Goodbye.</Say><Hangup/>")
    said = f"<Say>{got or 'Hello.'}</Say>"
    return twiml(
        '<Gather input="dtmf speech" speechTimeout="auto" numDigits="1" timeout="4" '
        f'actionOnEmptyResult="true">{said}</Gather>'
    )


async def test_a_test_talks_to_a_call_while_it_goes_on() -> None:
    async with asyncio.timeout(5), exchange(menu, speed=50) as here:
        call = await here.sim.incoming(THEIRS, OURS)
        call.say("One.")
        call.be_silent()
        call.dial_keys("2")
        call.interrupt("Bye.", after_s=0.1)
        await call.done.wait()
        assert "One." in call.heard
        assert [hit.form.get("SpeechResult") for hit in here.customer.documents()].count(
            "Bye."
        ) == 1
        assert call.heard[-1] == "Goodbye."
        assert here.sim.faults == []


async def test_a_call_that_is_told_to_hang_up_does_so_after_everything_before() -> None:
    async with asyncio.timeout(5), exchange(menu, speed=50) as here:
        call = await here.sim.incoming(THEIRS, OURS)
        call.say("One.")
        call.hang_up()
        await call.done.wait()
        assert [moment.text for moment in call.timeline.of(Kind.SAID)] == ["One.", "(hangs up)"]


async def test_plans_are_for_a_number_or_for_anybody() -> None:
    async with asyncio.timeout(5), exchange() as here:
        here.sim.plan(Plan(Pickup.BUSY), OTHER)
        here.sim.plan(Plan(Pickup.NO_ANSWER))
        for number in (THEIRS, OTHER, OTHER):
            await here.api.create(To=number, Twiml=twiml(""))
        calls = [await here.sim.wait_for_call(place) for place in range(3)]
        for call in calls:
            await call.done.wait()
        assert [call.status for call in calls] == ["no-answer", "busy", "completed"]


async def test_an_inbound_call_tells_its_end_where_the_console_says() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: twiml("<Reject/>")) as here:
        url = f"{here.customer.url}/status?x=1"
        call = await here.sim.incoming(THEIRS, OURS, status_url=url)
        await call.done.wait()
        assert here.customer.hits[-1].url == url


async def test_a_webhook_can_be_brought_again() -> None:
    async with asyncio.timeout(5), exchange(menu) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(patience_s=1))
        await call.done.wait()
        first = here.sim.deliveries[0]
        again = await here.sim.repeat(first)
        assert (again.status, again.params) == (200, first.params)


def test_a_foreign_number_is_shown_as_it_is() -> None:
    leg = Leg("CA1", "AC1", "+442079460000", "client:bob", "inbound", 0)
    shown = leg.resource()
    assert (shown["from_formatted"], shown["to_formatted"]) == ("+442079460000", "client:bob")
