"""The carrier behind its port: what is pushed and what is not, and what it says of itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.call import events as ev
from sidecar.call.effects import (
    Answer,
    Clear,
    Dial,
    Hangup,
    Listen,
    Poll,
    Say,
    SendDigits,
    Transfer,
)
from sidecar.call.model import Call, Detection, EndReason, Mode, State
from sidecar.config import Config
from sidecar.errors import CarrierError
from sidecar.ports import HttpRequest, InboundLeg
from sidecar.providers.twilio.provider import TwilioCarrier, build
from tests.support.calls import Talk, a_draft, an_inbound_draft
from tests.support.clock import ManualClock
from tests.support.twilio_line import PUBLIC_URL, TwilioWorld
from tests.support.twilio_rest import ACCOUNT, TOKEN, MemoryHttp, TwilioRest


def a_config(**members: Any) -> Config:
    return Config.model_validate(
        {
            "provider": "twilio",
            "fromNumber": "+15550000000",
            "twilio": {"accountSid": ACCOUNT, "authToken": TOKEN},
            **members,
        }
    )


class Bench:
    """A carrier, and one leg at Twilio that is called `leg`."""

    def __init__(self, url: str | None = PUBLIC_URL, **members: Any) -> None:
        self.clock = ManualClock()
        self.rest = TwilioRest(self.clock.now_ms)
        self.leg = self.rest.add_leg(status="in-progress")
        self.url = url
        self.carrier = TwilioCarrier(
            a_config(**members), lambda: self.url, self.clock, MemoryHttp(self.rest)
        )

    def talk(self, draft: Call | None = None) -> Talk:
        draft = draft or a_draft(provider_call_id=self.leg["sid"])
        return Talk(draft)

    @property
    def pushed(self) -> list[str]:
        return [each.get("Twiml") or "" for each in self.rest.updates(self.leg["sid"])]

    def request(self, type: str = "hold", **form: str) -> HttpRequest:
        fields = "&".join(f"{name}={value}" for name, value in {"CallSid": "CA1", **form}.items())
        url = f"/voice/webhook?callId=c&type={type}"
        public = f"{PUBLIC_URL}?callId=c&type={type}"
        return HttpRequest("POST", url, {}, fields.encode(), "::1", public)


def live(bench: Bench) -> Talk:
    talk = bench.talk()
    talk.on(ev.Dialed, bench.leg["sid"]).on(ev.LineLive)
    return talk


async def test_what_a_webhook_handed_out_is_not_pushed_again() -> None:
    bench = Bench()
    talk = live(bench)
    said = talk.call.saying
    assert said is not None
    bench.carrier.document(talk.call, bench.request())
    assert await bench.carrier.perform(talk.call, Say(said)) == ()
    assert bench.pushed == []


async def test_while_a_document_is_on_its_way_a_webhook_is_told_to_wait() -> None:
    bench = Bench()
    talk = live(bench)
    said = talk.call.saying
    assert said is not None
    push = asyncio.ensure_future(bench.carrier.perform(talk.call, Say(said)))
    await asyncio.sleep(0)
    answer = bench.carrier.document(talk.call, bench.request())
    assert '<Pause length="1" />' in answer.body
    assert "Say" not in answer.body
    async with asyncio.timeout(5):
        assert await push == ()
    assert len(bench.pushed) == 1


async def test_effects_that_the_call_has_left_behind_are_not_carried_out() -> None:
    bench = Bench()
    talk = live(bench)
    said = talk.call.saying
    assert said is not None
    talk.played()
    for effect in (Say(said), Clear(), Transfer("+15550003333", 60)):
        assert await bench.carrier.perform(talk.call, effect) == ()
    over = talk.on(ev.LegEnded).call
    assert await bench.carrier.perform(over, Listen("t1")) == ()
    assert bench.rest.asked == []


async def test_a_cut_tells_about_how_much_was_heard() -> None:
    bench = Bench()
    text = "one two three four five six seven eight nine ten"
    talk = bench.talk(a_draft(greeting=text)).on(ev.Dialed, bench.leg["sid"]).on(ev.LineLive)
    said = talk.call.saying
    assert said is not None
    await bench.carrier.perform(talk.call, Say(said))
    bench.clock.set(bench.clock.now_ms() + len(text) * 1_000 // 15 // 2)
    talk.on(ev.HangupRequested, "r1", farewell="Goodbye.")
    (spoken,) = await bench.carrier.perform(talk.call, Clear())
    assert isinstance(spoken, ev.Spoken)
    assert spoken.outcome is ev.Outcome.INTERRUPTED
    assert text.startswith(spoken.heard_text)
    assert 3 <= len(spoken.heard_text.split()) <= 6
    assert len(bench.pushed) == 1


async def test_a_cut_of_what_nobody_remembers_was_heard_by_nobody() -> None:
    bench = Bench()
    talk = live(bench).on(ev.HangupRequested, "r1", farewell="Goodbye.")
    (spoken,) = await bench.carrier.perform(talk.call, Clear())
    assert isinstance(spoken, ev.Spoken)
    assert (spoken.heard_text, spoken.heard_ms) == ("", 0)


async def test_while_a_machine_greets_silence_is_pushed() -> None:
    bench = Bench()
    talk = bench.talk(a_draft(detection=Detection.LEAVE_MESSAGE))
    talk.on(ev.Dialed, bench.leg["sid"]).on(ev.LineLive).on(ev.MachineDetected, "voicemail")
    assert talk.call.awaiting_beep
    await bench.carrier.perform(talk.call, Clear())
    assert len(bench.pushed) == 1
    assert "Say" not in bench.pushed[0]


async def test_digits_before_the_conversation_need_no_request() -> None:
    bench = Bench()
    (sent,) = await bench.carrier.perform(live(bench).call, SendDigits("12"))
    assert sent == ev.DigitsSent(bench.clock.now_ms())
    assert bench.rest.asked == []


@pytest.mark.parametrize(("status", "live"), [("in-progress", 1), ("ringing", 0)])
async def test_an_inbound_call_may_have_been_answered_before_a_crash(
    status: str, live: int
) -> None:
    bench = Bench()
    bench.leg["status"] = status
    call = Talk(an_inbound_draft()).on(ev.Dialed, bench.leg["sid"]).call
    assert len(await bench.carrier.perform(call, Answer())) == live


async def test_without_a_public_address_no_call_is_placed() -> None:
    bench = Bench(url=None)
    with pytest.raises(CarrierError) as refused:
        await bench.carrier.perform(bench.talk().call, Dial())
    problem = refused.value.problem
    assert problem.kind == "notConfigured"
    assert problem.data["missing"] == ["publicUrl"]
    assert bench.rest.asked == []


async def test_an_address_that_only_requests_tell_is_good_enough() -> None:
    bench = Bench(url=None)
    answer = bench.carrier.document(live(bench).call, bench.request())
    assert f'action="{PUBLIC_URL}?callId=' in answer.body


async def test_an_effect_for_a_call_without_a_leg_is_an_error_of_the_carrier() -> None:
    bench = Bench()
    talk = Talk(a_draft(state=State.INITIATED))
    with pytest.raises(CarrierError):
        await bench.carrier.leg_status(talk.call)


async def test_rejecting_is_done_by_the_answer() -> None:
    bench = Bench()
    await bench.carrier.reject(InboundLeg("CA1", "", ""), "disabled")
    assert bench.rest.asked == []


def test_setup_says_what_the_console_needs() -> None:
    bench = Bench()
    (check,) = bench.carrier.checks()
    assert (check.id, check.status) == ("provider.twilio.console", "ok")
    assert PUBLIC_URL in check.message
    bench.url = None
    assert bench.carrier.checks() == ()


@pytest.mark.parametrize(
    ("members", "attributes"),
    [
        ({}, 'voice="Polly.Joanna"'),
        ({"tts": {"openai": {"voice": "onyx"}}}, 'voice="Polly.Brian"'),
        (
            {"streaming": {"providers": {"deepgram": {"language": "fr-FR"}}}},
            'language="fr-FR"',
        ),
        (
            {"streaming": {"providers": {"openai": {"language": "fr"}}}},
            'voice="Polly.Joanna"',
        ),
    ],
)
def test_the_configured_voice_is_mapped(members: dict[str, Any], attributes: str) -> None:
    bench = Bench(**members)
    answer = bench.carrier.document(live(bench).call, bench.request())
    assert f"<Say {attributes}>" in answer.body


async def test_a_carrier_without_a_token_trusts_nobody() -> None:
    carrier = build(
        Config.model_validate({"provider": "twilio"}), lambda: PUBLIC_URL, ManualClock()
    )
    with pytest.raises(CarrierError):
        carrier.verify(Bench().request(), 0)
    await carrier.close()


async def test_much_is_remembered_but_not_everything(tmp_path: Path) -> None:
    async with TwilioWorld(tmp_path, max_calls=2_000, inbound_policy="open") as world:
        far = await world.leg(mode=Mode.CONVERSATION)
        await far.picks_up()
        call = await world.call(far.call_id)
        handed = world.twilio._handed
        for number in range(1_100):
            handed.digits(Talk(a_draft(call_id=f"call-{number}")).call, 1)
        assert handed.playing(call.call_id) is None


async def test_before_the_engine_is_there_nobody_is_told(tmp_path: Path) -> None:
    bench = Bench()
    draft = a_draft(detection=Detection.LEAVE_MESSAGE)
    talk = bench.talk(draft).on(ev.Dialed, bench.leg["sid"]).on(ev.LineLive).all_said()
    talk.on(ev.MachineDetected, "voicemail", beep=True)
    bench.carrier.document(talk.call, bench.request("amd", AnsweredBy="machine_end_beep"))
    async with asyncio.timeout(5):
        while not bench.pushed:
            await asyncio.sleep(0)
    assert "Hello there." in bench.pushed[0]
    await bench.carrier.close()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("queued", [ev.LegAlive]),
        ("ringing", [ev.Ringing, ev.LegAlive]),
        ("in-progress", [ev.Answered, ev.LegAlive]),
    ],
)
async def test_the_poll_says_what_twilio_says(status: str, expected: list[type]) -> None:
    bench = Bench()
    call = live(bench).call
    bench.leg["status"] = status
    found = await bench.carrier.perform(call, Poll())
    assert [type(event) for event in found] == expected


async def test_the_poll_tells_why_a_call_has_ended() -> None:
    bench = Bench()
    talk = live(bench)
    bench.leg["status"] = "busy"
    assert await bench.carrier.perform(talk.call, Poll()) == (
        ev.LegEnded(bench.clock.now_ms(), EndReason.BUSY),
    )


async def test_hanging_up_what_is_gone_is_done() -> None:
    bench = Bench()
    call = live(bench).call
    bench.leg["status"] = "completed"
    (ended,) = await bench.carrier.perform(call, Hangup())
    assert isinstance(ended, ev.LegEnded)


async def test_what_is_no_effect_is_a_mistake_of_ours() -> None:
    bench = Bench()
    with pytest.raises(TypeError):
        await bench.carrier.perform(live(bench).call, "dance")  # type: ignore[arg-type]
