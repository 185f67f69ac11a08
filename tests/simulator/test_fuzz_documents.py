"""Scripts that people write and documents that a sidecar answers with: read, or told what is wrong
with them."""

import json
import math

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.errors import ConfigError
from sidecar.simulator.script.reading import seconds_of
from sidecar.simulator.script.script import parse as parse_script
from sidecar.simulator.twilio.talk.twiml import parse as parse_document
from tests.support.fuzz import FUZZ, SCALARS, as_bytes, changed, refusal_of, values

ENVIRON = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "t"}
SCRIPTS = [
    "carrier: twilio\nspeed: 4\ncalls:\n  - answer: 2s\n    steps:\n"
    '      - say: "Hello."\n      - press: "12#"\n      - silence: 3s\n      - hang up\n',
    'incoming: {from: "+15550001111", to: "+15550002222"}\nsteps: [{wait: 500ms}]\n',
    "quirks:\n  callbacks: {status: {late: 2s}}\n  rest: {create: [429]}\n",
    "account: {sid: ${TWILIO_ACCOUNT_SID}, token: x, numbers: ['+15550001111']}\n",
]
NAMES = ["calls", "steps", "speed", "account", "quirks", "answer", "incoming", "say", "wait"]
TWIML = [
    '<?xml version="1.0" encoding="UTF-8"?><Response><Say voice="Polly.Joanna">Hi.</Say>'
    '<Gather input="speech dtmf" action="https://a.test/w?n=1&amp;t=2" timeout="5"/></Response>',
    '<Response><Dial timeout="20"><Number>+15550001111</Number></Dial></Response>',
    '<Response><Connect><Stream url="wss://a.test/s"><Parameter name="a" value="b"/></Stream>'
    "</Connect><Redirect>https://a.test/w</Redirect></Response>",
    '<Response><Reject reason="busy"/><Play digits="ww12"/><Pause length="3"/></Response>',
]


@settings(FUZZ, max_examples=80)
@given(changed(SCRIPTS) | values(NAMES).map(json.dumps))
@example("[" * 1_200)
@example("started: 2001-99-99")
@example("speed: !!int x")
@example("speed: !!float x")
@example("? [a, b]\n: c")
@example("waitFor: .inf")
@example("waitFor: " + "9" * 400)
@example("waitFor: .nan")
@example("&a [*a]")
def test_any_script_is_read_or_told_what_is_wrong(text: str) -> None:
    refusal = refusal_of(ConfigError, lambda: parse_script(text, "twilio", ENVIRON))
    if refusal is not None:
        assert refusal.problems
        return
    script = parse_script(text, "twilio", ENVIRON)
    assert math.isfinite(script.wait_s)
    assert script.calls


@FUZZ
@given(SCALARS | changed(["2s", "500ms", "1.5 m"]))
@example("9" * 400)
@example(10**400)
@example(float("inf"))
@example(float("nan"))
def test_a_duration_is_finite_or_none(value: object) -> None:
    found = seconds_of(value)
    assert found is None or (math.isfinite(found) and found >= 0)


@FUZZ
@given(changed(TWIML).map(as_bytes) | st.binary(max_size=80))
@example(b'<?xml version="1.0" encoding="nope"?><Response/>')
@example(b'<?xml version="1.0" encoding="utf-7"?><Response/>')
@example(b"<Response>" + b"<Gather>" * 4_000)
@example(b"<Response>" + b"<Gather>" * 3_000 + b"</Gather>" * 3_000 + b"</Response>")
@example(b"<Response><Say>" + b"<break>" * 3_000 + b"</break>" * 3_000 + b"</Say></Response>")
@example(b'<Response><Pause length="' + b"9" * 5_000 + b'"/></Response>')
@example(b"<Response><Redirect>https://[</Redirect></Response>")
@example('<Response><Pause length="²"/></Response>'.encode())
def test_any_document_is_read_or_has_flaws(body: bytes) -> None:
    document = parse_document(body)
    assert document.flaws or document.verbs is not None
    assert not (document.fatal and document.verbs)
