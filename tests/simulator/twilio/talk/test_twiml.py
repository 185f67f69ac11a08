"""Documents: what parses, what only warns, and what ends a call."""

import pytest

from sidecar.simulator.twilio.talk import twiml as tw
from sidecar.simulator.twilio.talk.twiml import parse
from tests.support.exchange import twiml


def codes(inner: str) -> list[tuple[int, bool]]:
    return [(flaw.code, flaw.fatal) for flaw in parse(twiml(inner)).flaws]


def test_verbs_keep_their_order_attributes_text_and_children() -> None:
    document = parse(
        twiml(
            '<Gather input="dtmf speech" timeout="8"><Say voice="Polly.Amy">Tom &amp; <break/> I'
            "</Say></Gather><Hangup/>"
        )
    )
    assert [verb.name for verb in document.verbs] == ["Gather", "Hangup"]
    gather = document.verbs[0]
    assert gather.number("timeout", 5) == 8
    assert gather.number("speechTimeout", 5) == 5
    assert gather.flag("bargeIn", True)
    assert gather.children[0].text == "Tom & I"
    assert document.flaws == ()


@pytest.mark.parametrize(
    "inner",
    [
        '<Say language="en-GB" loop="2">Hi</Say>',
        '<Play digits="1w2W#"/>',
        "<Play>https://x.example.test/a.mp3</Play>",
        '<Pause length="3"/><Redirect method="POST">/voice?x=1</Redirect>',
        '<Reject reason="busy"/>',
        '<Dial timeLimit="200" action="/d"><Number sendDigits="ww1">+15550003333</Number></Dial>',
        "<Dial>+15550003333</Dial>",
        '<Connect><Stream url="wss://x.example.test/s"><Parameter name="a" value="b"/></Stream>'
        "</Connect>",
        '<Gather actionOnEmptyResult="true" speechTimeout="auto" numDigits="4"/>',
        "",
    ],
)
def test_what_twilio_takes_without_a_word(inner: str) -> None:
    assert codes(inner) == []


@pytest.mark.parametrize(
    "inner",
    [
        "<Speak>Hi</Speak>",
        "<say>Hi</say>",
        "<Record/>",
        "<Gather><Hangup/></Gather>",
        "<Say>a <blink>b</blink></Say>",
        '<Gather input="voice"/>',
        '<Gather timeout="soon"/>',
        '<Gather speechTimeout="-1"/>',
        '<Gather actionOnEmptyResult="yes"/>',
        '<Gather finishOnKey="12"/>',
        '<Pause length="0.5"/>',
        '<Play digits="1-2"/>',
        "<Play/>",
        '<Play digits="1">https://x.example.test/a.mp3</Play>',
        "<Redirect/>",
        "<Redirect>/a b</Redirect>",
        '<Reject reason="spam"/>',
        "<Dial/>",
        "<Dial><Number>somebody</Number></Dial>",
        '<Dial timeLimit="0">+15550003333</Dial>',
        "<Connect/>",
        '<Connect><Stream url="https://x.example.test/s"/></Connect>',
        '<Connect><Stream url="wss://x.example.test/s?token=1"/></Connect>',
        "<Connect><Stream/></Connect>",
        f'<Start><Stream url="wss://x"><Parameter name="a" value="{"b" * 500}"/></Stream></Start>',
    ],
)
def test_what_ends_the_call_as_a_breach_of_the_schema(inner: str) -> None:
    assert (tw.SCHEMA_PROBLEM, True) in codes(inner)
    assert parse(twiml(inner)).verbs == ()


def test_what_the_debugger_only_warns_of() -> None:
    assert codes('<Say mood="kind">Hi</Say>') == [(tw.SCHEMA_PROBLEM, False)]
    assert codes("<Say> </Say>") == [(tw.NOTHING_TO_SAY, False)]
    assert codes("words") == [(tw.SCHEMA_PROBLEM, False)]


@pytest.mark.parametrize(
    ("voice", "limit"), [("", 4_096), ("Polly.Amy", 3_000), ("Google.en-GB-A", 5_000)]
)
def test_the_longest_text_depends_on_the_voice(voice: str, limit: int) -> None:
    assert codes(f'<Say voice="{voice}">{"a" * limit}</Say>') == []
    assert codes(f'<Say voice="{voice}">{"a" * (limit + 1)}</Say>') == [(tw.TEXT_TOO_LONG, True)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "<Response>",
        "<Answer/>",
        "<Response><Say>a & b</Say></Response>",
        '{"say": "hello"}',
        '<!DOCTYPE x [<!ENTITY e "e">]><Response/>',
        b"<Response><Say>\xff</Say></Response>",
        '<?xml version="1.0" encoding="nonsense"?><Response/>',
    ],
)
def test_what_is_no_document_is_a_parse_failure(text: str | bytes) -> None:
    fatal = parse(text).fatal
    assert fatal is not None
    assert fatal.code == tw.PARSE_FAILURE


def test_a_document_has_at_most_64_kib() -> None:
    assert parse(twiml("<Pause/>" * 8_000)).fatal is None
    fatal = parse(twiml("<Pause/>" * 8_200)).fatal
    assert fatal is not None
    assert fatal.code == tw.TOO_LARGE
