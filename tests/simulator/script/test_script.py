"""Scripts: what they say, and what is said of their mistakes."""

from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.simulator import farend as fe
from sidecar.simulator.farend import Pickup, Plan, Target
from sidecar.simulator.quirks import CallbackQuirk, Delivery, RestFault, Trouble
from sidecar.simulator.script.script import Script, load, parse

ENV = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "SECRET": "s"}


def read(text: str, **env: str) -> Script:
    return parse(text, "twilio", {**ENV, **env})


def mistakes(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return dict(caught.value.problems)


def test_the_least_is_a_call_that_the_sidecar_places() -> None:
    script = read("answer: after 2s")
    (call,) = script.calls
    assert not call.inbound
    assert call.plan == Plan(ring_s=2.0, patience_s=60.0)
    assert (script.speed, script.rest_port, script.wait_s) == (1.0, 4010, 120.0)
    assert script.account == {"sid": "AC1", "token": "t", "keySid": "", "keySecret": ""}


def test_everything_can_be_said() -> None:
    script = read(
        """
carrier: twilio
account:
  {sid: AC9, token: "${SECRET}", keySid: SK1, keySecret: "x-${SECRET}", numbers: ["+15550001111"]}
publicUrl: https://voice.example.test/voice/webhook
restPort: 4999
speed: 0
waitFor: 10
quirks:
  callbacks: {all: doubled, ringing: late 2s, completed: missing, gather: late, answered: reordered}
  dropQuery: true
  refuseRedirects: 2
  neverEnds: true
  endedIsGone: true
  emptyDigits: true
  rest: {create: [lost, 429, "503"], update: slow 3s, list: [half-closed, unreached, slow]}
calls:
  - direction: inbound
    from: "+15550002222"
    to: "+15550001111"
    talk:
      - expect heard: Hello
        within: 5s
      - say: "A table."
        after: 500ms
      - {interrupt: "No.", after: 1s}
      - dtmf: "12#"
      - silence
      - silence: 5s
      - wait: 2
      - hangup
      - expect ended: completed
      - expect ended
  - to: "+15550003333"
    answer: machine after 3s
    greeting: 6s
    patience: forever
    transfers:
      "+15550004444": busy after 2s
      "+15550005555": {answer: after 1s, talk: 1m}
"""
    )
    assert script.account["token"] == "s"
    assert script.account["keySecret"] == "x-s"
    assert script.numbers == frozenset({"+15550001111"})
    assert script.quirks.callbacks["ringing"] == CallbackQuirk(Delivery.LATE, 2.0)
    assert script.quirks.of("initiated").delivery is Delivery.DOUBLED
    assert script.quirks.rest["create"] == (
        RestFault(Trouble.LOST),
        RestFault(Trouble.STATUS, status=429),
        RestFault(Trouble.STATUS, status=503),
    )
    assert script.quirks.rest["update"] == (RestFault(Trouble.SLOW, slow_s=3.0),)
    first, second = script.calls
    assert first.plan.talk == (
        fe.ExpectHeard("Hello", 5.0),
        fe.Say("A table.", 0.5),
        fe.Interrupt("No.", 1.0),
        fe.Press("12#"),
        fe.Silence(),
        fe.Wait(5.0),
        fe.Wait(2.0),
        fe.HangUp(),
        fe.ExpectEnd("completed"),
        fe.ExpectEnd(),
    )
    assert second.plan == Plan(
        Pickup.MACHINE,
        ring_s=3.0,
        greeting_s=6.0,
        patience_s=None,
        transfers={
            "+15550004444": Target(Pickup.BUSY, 2.0),
            "+15550005555": Target(Pickup.HUMAN, 1.0, 60.0),
        },
    )


def test_every_mistake_is_named_with_its_place() -> None:
    found = mistakes(
        """
speeed: 1
speed: fast
restPort: 70000
account: {sid: "${NOWHERE}", colour: red, numbers: [1]}
quirks:
  callbacks: {ringing: sometimes, humming: late, gather: missing}
  dropQuery: 1
  rest: {create: explode, remove: "503"}
calls:
  - direction: sideways
    to: +15550001111
    answer: perhaps
    greeting: long
    patience: little
    transfers: {"+15550004444": {answer: maybe, mood: good}}
    talk: [sing, {say: 1}, {dtmf: 12}, {dtmf: "1-2"}, {say: ""}, {silence: long},
           {say: x, loud: true}, {expect ended: well}, {wait: -1}, [1]]
  - direction: inbound
    from: "0155"
"""
    )
    assert set(found) == {
        "speeed",
        "speed",
        "restPort",
        "account.sid",
        "account.colour",
        "account.numbers[0]",
        "quirks.callbacks.ringing",
        "quirks.callbacks.humming",
        "quirks.callbacks.gather",
        "quirks.dropQuery",
        "quirks.rest.create[0]",
        "quirks.rest.remove",
        "calls[0].direction",
        "calls[0].to",
        "calls[0].answer",
        "calls[0].greeting",
        "calls[0].patience",
        "calls[0].transfers.+15550004444.answer",
        "calls[0].transfers.+15550004444.mood",
        "calls[0].talk[0]",
        "calls[0].talk[1].say",
        "calls[0].talk[2].dtmf",
        "calls[0].talk[3].dtmf",
        "calls[0].talk[4].say",
        "calls[0].talk[5].silence",
        "calls[0].talk[6].loud",
        "calls[0].talk[7].expect ended",
        "calls[0].talk[8].wait",
        "calls[0].talk[9]",
        "calls[1].from",
        "calls[1].to",
    }
    assert "quotes" in found["calls[0].to"]
    assert "known are" in found["speeed"]


def test_the_account_must_come_from_somewhere() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("answer: busy", "twilio", {})
    assert dict(caught.value.problems) == {
        "account.sid": "it is missing; give it here or as TWILIO_ACCOUNT_SID",
        "account.token": "it is missing; give it here or as TWILIO_AUTH_TOKEN",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: [", "line 1"),
        ("- 1", ""),
        ("carrier: telnyx", "carrier"),
        ("calls: []", "calls"),
        ("account: 5", "account"),
        ("- !!python/object:os.system {}", "line 1"),
    ],
)
def test_what_is_no_script_at_all(text: str, path: str) -> None:
    assert path in mistakes(text)


def test_another_carrier_has_no_face_yet() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("answer: busy", "telnyx", ENV)
    assert "carrier" in dict(caught.value.problems)


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text("answer: busy")
    assert load(path, "twilio", ENV).calls[0].plan.pickup is Pickup.BUSY
    for wrong in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError):
            load(wrong, "twilio", ENV)
