"""Calls from beginning to end: states, callbacks, and what the far end lives through."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from sidecar.simulator.farend import HangUp, Pickup, Plan, Press, Say, Wait
from sidecar.simulator.quirks import Quirks
from sidecar.simulator.twilio.line import APOLOGY, Line
from tests.support.exchange import HELLO, OURS, PAUSE, THEIRS, Exchange, Hit, exchange, twiml

# -- outbound --------------------------------------------------------------------------------------


async def test_an_answered_call_rings_is_told_and_completes() -> None:
    async with asyncio.timeout(5), exchange() as here:
        call = await here.over()
        assert call.heard == ["Hello there."]
        assert here.customer.events() == ["initiated", "ringing", "in-progress", "completed"]
        assert [hit.form["SequenceNumber"] for hit in here.customer.hits] == ["0", "1", "2", "3"]
        assert all(hit.signed for hit in here.customer.hits)
        last = here.customer.hits[-1].form
        assert (last["CallDuration"], last["Duration"]) == ("1", "1")
        assert last["CallbackSource"] == "call-progress-events"
        assert last["Timestamp"].endswith("+0000")
        shown = await here.api.fetch(call.sid)
        assert (shown["status"], shown["duration"]) == ("completed", "1")
        assert call.faults == []


@pytest.mark.parametrize(
    ("pickup", "status", "events", "code"),
    [
        (Pickup.BUSY, "busy", ["initiated", "ringing", "busy"], "486"),
        (Pickup.NO_ANSWER, "no-answer", ["initiated", "ringing", "no-answer"], "487"),
        (Pickup.FAILED, "failed", ["initiated", "failed"], "404"),
    ],
)
async def test_a_call_that_is_not_answered_says_why(
    pickup: Pickup, status: str, events: list[str], code: str
) -> None:
    async with asyncio.timeout(5), exchange() as here:
        call = await here.over(Plan(pickup))
        assert call.status == status
        assert here.customer.events() == events
        last = here.customer.hits[-1].form
        assert (last["SipResponseCode"], last["CallDuration"]) == (code, "0")
        assert call.heard == []


async def test_a_call_rings_no_longer_than_its_time_out() -> None:
    async with asyncio.timeout(5), exchange() as here:
        call = await here.over(Plan(ring_s=30), Timeout="10")
        assert call.status == "no-answer"
        assert call.timeline.moments[-1].at_ms - call.timeline.begun_ms < 11_000


async def test_without_events_only_the_end_is_told() -> None:
    async with asyncio.timeout(5), exchange() as here:
        await here.api.create(Twiml=HELLO, StatusCallback=here.customer.url)
        await (await here.sim.wait_for_call()).done.wait()
        assert here.customer.events() == ["completed"]


async def test_the_document_is_fetched_when_the_call_is_answered() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: HELLO) as here:
        url = f"{here.customer.url}?callId=7&n=a%2Fb"
        call = await here.over(Url=url)
        (hit,) = here.customer.documents()
        assert hit.url == url
        assert (hit.form["CallStatus"], hit.form["Direction"]) == ("in-progress", "outbound-api")
        assert call.heard == ["Hello there."]


async def test_keys_are_sent_after_the_answer_and_before_the_document() -> None:
    async with asyncio.timeout(5), exchange() as here:
        call = await here.over(SendDigits="ww12#")
        texts = [moment.text for moment in call.timeline.moments]
        assert texts.index("sends the keys ww12#") < texts.index("Hello there.")


async def test_the_time_limit_ends_a_call() -> None:
    async with asyncio.timeout(5), exchange() as here:
        call = await here.over(Twiml=PAUSE, TimeLimit="20")
        assert (call.status, call.leg.duration_s) == ("completed", 20)


async def test_a_far_end_that_hangs_up_cuts_what_is_said() -> None:
    async with asyncio.timeout(5), exchange() as here:
        words = "one two three four five six seven eight nine ten"
        plan = Plan(talk=(Wait(1.7), HangUp()))
        call = await here.over(plan, Twiml=twiml(f"<Say>{words}</Say><Say>more</Say>"))
        assert call.heard == ["one two three four five"]
        assert call.status == "completed"


# -- inbound ---------------------------------------------------------------------------------------


async def incoming(here: Exchange, plan: Plan | None = None) -> Line:
    call = await here.sim.incoming(THEIRS, OURS, plan)
    await call.done.wait()
    return call


async def test_an_inbound_call_asks_first_and_tells_its_end() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: HELLO) as here:
        call = await incoming(here)
        first, last = here.customer.hits
        assert (first.form["CallStatus"], first.form["Direction"]) == ("ringing", "inbound")
        assert (first.form["From"], first.form["To"]) == (THEIRS, OURS)
        assert first.form["StirVerstat"]
        assert last.url.endswith("?type=status")
        assert (call.status, last.form["CallStatus"]) == ("completed", "completed")
        assert call.heard == ["Hello there."]


@pytest.mark.parametrize(
    ("reject", "status"),
    [("<Reject/>", "no-answer"), ('<Reject reason="busy"/>', "busy")],
)
async def test_a_rejected_call_is_never_answered(reject: str, status: str) -> None:
    async with asyncio.timeout(5), exchange(lambda hit: twiml(reject)) as here:
        call = await incoming(here)
        assert call.status == status
        assert call.leg.answered_ms is None


async def test_a_pause_first_delays_the_answer() -> None:
    program = '<Pause length="3"/><Say>Hi.</Say>'
    async with asyncio.timeout(5), exchange(lambda hit: twiml(program)) as here:
        call = await incoming(here)
        assert call.leg.answered_ms is not None
        assert call.leg.answered_ms - call.timeline.begun_ms >= 3_000


async def test_a_caller_may_give_up_before_the_answer() -> None:
    program = '<Pause length="30"/><Reject/>'
    async with asyncio.timeout(5), exchange(lambda hit: twiml(program)) as here:
        call = await incoming(here, Plan(talk=(Wait(1), HangUp())))
        assert (call.status, call.leg.answered_ms) == ("no-answer", None)


async def test_a_conversation_of_two_turns() -> None:
    def program(hit: Hit) -> str:
        said = hit.form.get("SpeechResult")
        if said == "Bye.":
            return twiml("<Say>Goodbye.</Say><Hangup/>")
        words = f"You said {said}" if said else "How can I help?"
        return twiml(
            '<Gather input="dtmf speech" action="?turn=1&amp;x=a%20b" speechTimeout="auto" '
            f'actionOnEmptyResult="true"><Say>{words}</Say></Gather>'
        )

    async with asyncio.timeout(5), exchange(program) as here:
        call = await incoming(here, Plan(talk=(Say("A table."), Say("Bye."))))
        assert call.heard == ["How can I help?", "You said A table.", "Goodbye."]
        assert call.status == "completed"
        assert all(hit.signed for hit in here.customer.hits)
        assert call.faults == [] == call.warnings


# -- broken programs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": 500}, "11200"),
        ({"status": 204}, "12300"),
        ({"text": "{}", "content_type": "application/json"}, "12300"),
        ({"text": "Hello", "content_type": "text/xml"}, "12100"),
        ({"text": twiml("<Speak/>"), "content_type": "application/xml"}, "12200"),
        ({"text": twiml(f"<Say>{'a' * 5_000}</Say>"), "content_type": "text/xml"}, "13521"),
        ({"text": twiml("<Redirect>ftp://x</Redirect>"), "content_type": "text/xml"}, "11100"),
    ],
)
async def test_a_broken_document_is_a_fault_and_an_apology(
    answer: Mapping[str, Any], code: str
) -> None:
    async with asyncio.timeout(5), exchange(lambda hit: web.Response(**answer)) as here:
        call = await here.sim.incoming(THEIRS, OURS, status_url=f"{here.customer.url}?s")
        await call.done.wait()
        assert [fault.partition(":")[0] for fault in call.faults] == [code]
        assert call.heard == [APOLOGY]
        assert call.status == "completed"


async def test_a_refused_signature_comes_with_its_likely_cause() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: web.Response(status=401)) as here:
        call = await incoming(here)
        assert "publicUrl" in call.faults[0]


async def test_what_was_said_is_taken_in_before_the_next_step() -> None:
    def program(hit: Hit) -> str:
        if "Digits" in hit.form:
            return twiml('<Gather input="speech" timeout="9"/>')
        return twiml('<Gather timeout="9"/><Pause length="9"/>')

    async with asyncio.timeout(5), exchange(program) as here:
        await incoming(here, Plan(talk=(Press("12"), Say("That is all."), HangUp())))
        forms = [hit.form for hit in here.customer.documents()]
        assert (forms[1]["Digits"], forms[2]["SpeechResult"]) == ("12", "That is all.")


async def test_the_fallback_is_asked_when_the_document_fails() -> None:
    def program(hit: Hit) -> str | web.Response:
        return HELLO if "?fallback" in hit.url else web.Response(status=503)

    async with asyncio.timeout(5), exchange(program) as here:
        url = here.customer.url
        call = await here.over(
            Url=url, FallbackUrl=f"{url}?fallback", StatusCallback=f"{url}?fallback"
        )
        asked = here.customer.documents()[1].form
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("11200", url)
        assert call.heard == ["Hello there."]


async def test_a_stream_is_named_as_not_simulated_and_the_document_goes_on() -> None:
    program = '<Connect><Stream url="wss://x.example.test/s"/></Connect><Say>On.</Say>'
    async with asyncio.timeout(5), exchange(lambda hit: twiml(program)) as here:
        call = await incoming(here)
        assert call.faults[0].startswith("31920")
        assert call.heard == ["On."]


async def test_play_redirect_and_a_late_reject() -> None:
    def program(hit: Hit) -> str:
        if "?next" in hit.url:
            return twiml("<Reject/>")
        return twiml(
            "<Play>https://x.example.test/a.mp3</Play>"
            '<Play digits="1w2"/><Redirect>?next</Redirect><Say>never</Say>'
        )

    async with asyncio.timeout(5), exchange(program) as here:
        call = await incoming(here)
        texts = [moment.text for moment in call.timeline.moments]
        assert "sends the keys 1w2" in texts
        assert call.heard == []
        assert call.status == "completed"
        assert any("<Reject>" in warning for warning in call.warnings)


# -- changed by the REST API -----------------------------------------------------------------------


async def talking(here: Exchange, **members: str) -> Line:
    """A call that is being told something long, at real pace."""
    call = await here.place(Plan(ring_s=0), Twiml=PAUSE, **members)
    await call.news.until(lambda: call.status == "in-progress")
    return call


async def test_a_new_document_drops_the_current_one() -> None:
    async with asyncio.timeout(5), exchange(speed=50) as here:
        call = await talking(here)
        status, shown = await here.api.update(call.sid, Twiml=HELLO)
        assert (status, shown["status"]) == (200, "in-progress")
        await call.done.wait()
        assert call.heard == ["Hello there."]


async def test_a_call_that_rings_cannot_be_redirected_but_canceled() -> None:
    async with asyncio.timeout(5), exchange(speed=50) as here:
        call = await here.place(Plan(ring_s=50))
        status, body = await here.api.update(call.sid, Twiml=HELLO)
        assert (status, body["code"]) == (400, 21220)
        assert body["message"] == "Call is not in-progress. Cannot redirect."
        status, shown = await here.api.update(call.sid, Status="canceled")
        assert (status, shown["status"]) == (200, "canceled")
        await call.done.wait()
        assert here.customer.events()[-1] == "canceled"


async def test_completed_ends_a_call_in_any_state() -> None:
    async with asyncio.timeout(5), exchange(speed=50) as here:
        ringing = await here.place(Plan(ring_s=50))
        assert (await here.api.update(ringing.sid, Status="completed"))[1]["status"] == "canceled"
        call = await talking(here)
        assert (await here.api.update(call.sid, Status="canceled"))[1]["code"] == 21220
        assert (await here.api.update(call.sid, Status="completed"))[1]["status"] == "completed"
        await call.done.wait()


@pytest.mark.parametrize(("gone", "answer"), [(False, (400, 21220)), (True, (404, 20404))])
async def test_an_ended_call_cannot_be_changed(gone: bool, answer: tuple[int, int]) -> None:
    async with asyncio.timeout(5), exchange(quirks=Quirks(ended_is_gone=gone)) as here:
        call = await here.over()
        status, body = await here.api.update(call.sid, Status="completed")
        assert (status, body["code"]) == answer


async def test_a_redirect_may_be_refused_for_a_moment() -> None:
    quirks = Quirks(refuse_redirects=1)
    async with asyncio.timeout(5), exchange(speed=50, quirks=quirks) as here:
        call = await talking(here)
        assert (await here.api.update(call.sid, Twiml=HELLO))[1]["code"] == 21220
        assert (await here.api.update(call.sid, Twiml=HELLO))[0] == 200
        await call.done.wait()
        assert call.heard == ["Hello there."]


# -- quirks ----------------------------------------------------------------------------------------


async def test_the_query_may_be_dropped() -> None:
    quirks = Quirks(drop_query=True)
    async with asyncio.timeout(5), exchange(lambda hit: HELLO, quirks=quirks) as here:
        await here.over(Url=f"{here.customer.url}?callId=7")
        assert {hit.url for hit in here.customer.hits} == {here.customer.url}
        assert all(hit.signed for hit in here.customer.hits)


async def test_a_call_may_never_end() -> None:
    async with asyncio.timeout(5), exchange(quirks=Quirks(never_ends=True)) as here:
        call = await here.over()
        assert here.customer.events() == ["initiated", "ringing", "in-progress"]
        assert (await here.api.fetch(call.sid))["status"] == "in-progress"
        status, shown = await here.api.update(call.sid, Status="completed")
        assert (status, shown["status"]) == (200, "in-progress")


async def test_a_callback_that_is_refused_is_a_warning() -> None:
    async with asyncio.timeout(5), exchange(lambda hit: web.Response(status=503)) as here:
        call = await here.over()
        assert len(call.warnings) == 4
        assert call.warnings[0].startswith("11200")
        assert call.faults == []
