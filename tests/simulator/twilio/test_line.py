"""Calls from beginning to end: states, callbacks, and what the far end lives through."""

import asyncio

from sidecar.simulator.farend import Plan, Say
from tests.support.exchange import OURS, THEIRS, exchange, twiml

ALL = [("StatusCallbackEvent", each) for each in ("initiated", "ringing", "answered", "completed")]


async def test_an_answered_call_rings_is_told_and_completes() -> None:
    async with asyncio.timeout(5), exchange() as here:
        status, made = await here.api.create(
            *ALL, Twiml=twiml("<Say>Hello there.</Say><Hangup/>"), StatusCallback=here.customer.url
        )
        assert (status, made["status"], made["direction"]) == (201, "queued", "outbound-api")
        call = await here.sim.wait_for_call()
        await call.done.wait()

        assert call.heard == ["Hello there."]
        assert here.customer.events() == ["initiated", "ringing", "in-progress", "completed"]
        assert [hit.form["SequenceNumber"] for hit in here.customer.hits] == ["0", "1", "2", "3"]
        assert all(hit.signed for hit in here.customer.hits)
        last = here.customer.hits[-1].form
        assert last["CallDuration"] == "1"
        assert (await here.api.fetch(made["sid"]))["status"] == "completed"
        assert call.faults == []


async def test_a_conversation_of_two_turns() -> None:
    def program(hit):
        said = hit.form.get("SpeechResult")
        if said == "Bye.":
            return twiml("<Say>Goodbye.</Say><Hangup/>")
        words = f"You said {said}" if said else "How can I help?"
        return twiml(
            '<Gather input="dtmf speech" action="?turn=1&amp;x=a%20b" speechTimeout="auto" '
            f'actionOnEmptyResult="true"><Say>{words}</Say></Gather>'
        )

    async with asyncio.timeout(5), exchange(program) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(talk=(Say("A table."), Say("Bye."))))
        await call.done.wait()

        print(call.timeline.moments)
        assert call.heard == ["How can I help?", "You said A table.", "Goodbye."]
        assert call.status == "completed"
        assert all(hit.signed for hit in here.customer.hits)
        assert call.faults == [] == call.warnings
