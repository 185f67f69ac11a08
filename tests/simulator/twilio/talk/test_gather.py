"""`<Gather>`: speech, keys, silence and interruption."""

import asyncio
from collections.abc import Callable

import pytest

from sidecar.simulator.farend import Interrupt, Plan, Press, Say, Silence, Step
from sidecar.simulator.quirks import CallbackQuirk, Delivery, Quirks
from sidecar.simulator.twilio.line import Line
from tests.support.exchange import OURS, THEIRS, Customer, Hit, exchange, twiml


def asking(attributes: str, inner: str = "<Say>Well?</Say>") -> Callable[[Hit], str]:
    """A program that gathers once and hangs up whatever comes of it."""

    def program(hit: Hit) -> str:
        if "?done" in hit.url:
            return twiml("<Hangup/>")
        gather = f'<Gather action="?done" {attributes}>{inner}</Gather>'
        return twiml(f"{gather}<Say>Nothing.</Say>")

    return program


async def gathered(
    attributes: str, *steps: Step, inner: str = "<Say>Well?</Say>", **options: object
) -> tuple[Customer, Line]:
    async with asyncio.timeout(5), exchange(asking(attributes, inner), **options) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(talk=steps))
        await call.done.wait()
        assert call.faults == []
        return here.customer, call


async def test_speech_comes_with_its_words_and_a_confidence() -> None:
    customer, call = await gathered('input="speech"', Say("A table for two."))
    form = customer.documents()[1].form
    assert form["SpeechResult"] == "A table for two."
    assert 0 < float(form["Confidence"]) <= 1
    assert form["CallStatus"] == "in-progress"
    assert call.heard == ["Well?"]


async def test_silence_runs_into_the_next_verb() -> None:
    customer, call = await gathered('input="speech" timeout="3"', Silence())
    assert len(customer.documents()) == 1
    assert call.heard == ["Well?", "Nothing."]


async def test_silence_is_told_when_that_was_asked_for() -> None:
    customer, _ = await gathered('input="speech dtmf" actionOnEmptyResult="true"')
    form = customer.documents()[1].form
    assert not form.get("SpeechResult")
    assert not form.get("Digits")


async def test_silence_may_come_as_empty_values() -> None:
    quirks = Quirks(empty_digits=True)
    customer, _ = await gathered('input="speech" actionOnEmptyResult="true"', quirks=quirks)
    form = customer.documents()[1].form
    assert (form["SpeechResult"], form["Digits"]) == ("", "")


async def test_keys_come_without_the_one_that_ends_them() -> None:
    customer, _ = await gathered("", Press("12#"))
    form = customer.documents()[1].form
    assert (form["Digits"], form["FinishedOnKey"]) == ("12", "#")


async def test_keys_end_at_their_number() -> None:
    customer, _ = await gathered('numDigits="2"', Press("1234"))
    assert customer.documents()[1].form["Digits"] == "12"


async def test_keys_end_after_the_time_out() -> None:
    customer, _ = await gathered('timeout="2"', Press("12"))
    assert customer.documents()[1].form["Digits"] == "12"


async def test_the_finishing_key_counts_only_after_another() -> None:
    customer, _ = await gathered('finishOnKey="#"', Press("#1#"))
    assert customer.documents()[1].form["Digits"] == "#1"


async def test_speech_interrupts_the_prompt() -> None:
    prompt = "<Say>This is a very long prompt that nobody wants to hear to its very end.</Say>"
    customer, call = await gathered('input="speech"', Interrupt("Stop.", 2.0), inner=prompt)
    assert customer.documents()[1].form["SpeechResult"] == "Stop."
    assert call.heard == ["This is a very long prompt"]


async def test_speech_is_lost_on_a_prompt_that_may_not_be_interrupted() -> None:
    prompt = "<Say>One two three four five six seven eight nine ten.</Say>"
    attributes = 'input="speech" bargeIn="false"'
    customer, call = await gathered(attributes, Interrupt("Stop.", 1.0), inner=prompt)
    assert len(customer.documents()) == 1
    assert call.heard[0].endswith("ten.")


async def test_speech_into_a_gather_for_keys_is_lost() -> None:
    customer, _ = await gathered('input="dtmf"', Interrupt("Hello?", 0.1))
    assert len(customer.documents()) == 1


async def test_partial_results_are_told_on_the_way() -> None:
    customer, _ = await gathered('input="speech" partialResultCallback="?part"', Say("One two."))
    (partial,) = [hit for hit in customer.hits if "?part" in hit.url]
    assert partial.form["UnstableSpeechResult"] == "One"
    assert partial.signed


async def test_without_an_action_the_document_itself_is_asked() -> None:
    def program(hit: Hit) -> str:
        if "SpeechResult" in hit.form:
            return twiml("<Hangup/>")
        return twiml('<Gather input="speech"/>')

    async with asyncio.timeout(5), exchange(program) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(talk=(Say("Yes."),)))
        await call.done.wait()
        assert [hit.url for hit in here.customer.documents()] == [here.customer.url] * 2


@pytest.mark.parametrize("delivery", [Delivery.DOUBLED, Delivery.LATE])
async def test_a_result_may_come_late_or_twice(delivery: Delivery) -> None:
    quirks = Quirks(callbacks={"gather": CallbackQuirk(delivery, 4.0)})
    customer, call = await gathered('input="speech"', Say("Yes."), quirks=quirks)
    results = [hit for hit in customer.hits if "SpeechResult" in hit.form]
    assert len(results) == (2 if delivery is Delivery.DOUBLED else 1)
    assert len({hit.headers["X-Twilio-Signature"] for hit in results}) == 1
    assert call.status == "completed"


async def test_another_answer_to_a_repetition_is_noticed() -> None:
    answers = iter(range(100))

    def program(hit: Hit) -> str:
        if "SpeechResult" in hit.form:
            return twiml(f"<Say>{next(answers)}</Say><Hangup/>")
        return twiml('<Gather input="speech"/>')

    quirks = Quirks(callbacks={"gather": CallbackQuirk(Delivery.DOUBLED)})
    async with asyncio.timeout(5), exchange(program, quirks=quirks) as here:
        call = await here.sim.incoming(THEIRS, OURS, Plan(talk=(Say("Yes."),)))
        await call.done.wait()
        assert any("got another answer" in warning for warning in call.warnings)
