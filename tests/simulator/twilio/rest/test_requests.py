"""What the REST API takes for creating and changing a call, and what it refuses with which code."""

import pytest

from sidecar.simulator.twilio.postman import Hook
from sidecar.simulator.twilio.rest.requests import (
    Create,
    RestError,
    create_of,
    is_destination,
    is_url,
    update_of,
)
from tests.support.exchange import OURS, THEIRS, twiml

URL = "https://voice.example.test/voice/webhook?callId=1"
DOCUMENT = twiml("<Hangup/>")


def made(*more: tuple[str, str], without: str = "", **members: str) -> Create:
    form = {"To": THEIRS, "From": OURS, "Url": URL, **members}
    form.pop(without, None)
    return create_of([*form.items(), *more], None)


def refusal(*more: tuple[str, str], without: str = "", **members: str) -> tuple[int, int]:
    with pytest.raises(RestError) as caught:
        made(*more, without=without, **members)
    body = caught.value.body()
    assert set(body) == {"code", "message", "more_info", "status"}
    return caught.value.status, caught.value.code


def test_a_whole_request_is_understood() -> None:
    wish = made(
        ("StatusCallbackEvent", "initiated"),
        ("StatusCallbackEvent", "completed"),
        StatusCallback=URL + "&type=status",
        StatusCallbackMethod="GET",
        Timeout="20",
        TimeLimit="320",
        MachineDetection="DetectMessageEnd",
        AsyncAmd="true",
        AsyncAmdStatusCallback=URL + "&type=amd",
        MachineDetectionTimeout="40",
    )
    assert wish.warnings == ()
    assert wish.document.url == Hook(URL)
    assert wish.status == Hook(URL + "&type=status", "GET")
    assert wish.events == ("initiated", "completed")
    assert (wish.timeout_s, wish.time_limit_s, wish.detection_timeout_s) == (20, 320, 40)
    assert wish.detection == "DetectMessageEnd"
    assert wish.async_detection


def test_defaults_are_twilio_s() -> None:
    wish = made()
    assert (wish.timeout_s, wish.events, wish.detection) == (60, ("completed",), None)
    assert wish.document.url == Hook(URL, "POST")


def test_keys_to_send_switch_detection_off() -> None:
    assert made(SendDigits="ww12#", MachineDetection="Enable").detection is None


def test_an_address_wins_over_an_inline_document() -> None:
    wish = made(Twiml=DOCUMENT)
    assert wish.document.twiml is None
    assert wish.warnings == ("Twiml is ignored beside Url.",)


@pytest.mark.parametrize(
    ("code", "without", "members"),
    [
        (21201, "To", {}),
        (21213, "From", {}),
        (21211, "", {"To": "555"}),
        (21211, "", {"To": "15550002222"}),
        (21211, "", {"To": "+1 555 000 2222"}),
        (21212, "", {"From": "+0123"}),
        (21205, "Url", {}),
        (21205, "", {"Url": "voice.example.test/x"}),
        (21205, "", {"Url": "https://voice_one.example.test/x"}),
        (21205, "", {"Url": "https://x.example.test/" + "a" * 4_000}),
        (21209, "", {"Method": "post"}),
        (21609, "", {"StatusCallback": "https://voice_one.example.test/x"}),
        (21609, "", {"AsyncAmdStatusCallback": "nonsense"}),
        (21626, "", {"StatusCallbackEvent": "initiated,ringing"}),
        (21206, "", {"SendDigits": "1-2"}),
        (21206, "", {"SendDigits": "1" * 33}),
        (21208, "", {"Timeout": "0"}),
        (21208, "", {"Timeout": "601"}),
        (21208, "", {"Timeout": "20.5"}),
        (20001, "", {"MachineDetection": "enable"}),
        (20001, "", {"AsyncAmd": "True"}),
        (20001, "", {"MachineDetectionTimeout": "90"}),
        (20001, "", {"TimeLimit": "0"}),
    ],
)
def test_what_is_refused(code: int, without: str, members: dict[str, str]) -> None:
    assert refusal(without=without, **members) == (400, code)


def test_an_inline_document_has_at_most_4000_characters() -> None:
    assert made(without="Url", Twiml="a" * 4_000).document.twiml == "a" * 4_000
    assert refusal(without="Url", Twiml="a" * 4_001) == (400, 32018)


def test_only_the_account_s_own_numbers_may_call_when_they_are_given() -> None:
    form = [("To", THEIRS), ("From", OURS), ("Url", URL)]
    assert create_of(form, frozenset({OURS})).from_number == OURS
    with pytest.raises(RestError) as caught:
        create_of(form, frozenset({THEIRS}))
    assert caught.value.code == 21210


def test_what_twilio_would_swallow_is_told() -> None:
    assert made(Statuscallback=URL).warnings == (
        "Statuscallback is not a parameter of this request.",
    )
    assert made(("To", THEIRS)).warnings == ("To is given more than once.",)


def test_an_update_brings_a_document_or_the_end() -> None:
    assert update_of([("Status", "completed")]).status == "completed"
    assert update_of([("Twiml", DOCUMENT)]).document is not None
    wish = update_of([("Url", URL), ("Method", "GET")])
    assert wish.document is not None
    assert wish.document.url == Hook(URL, "GET")
    assert update_of([]).warnings


@pytest.mark.parametrize(
    "form",
    [
        [("Status", "hangup")],
        [("Url", URL), ("Twiml", DOCUMENT)],
        [("Url", "nonsense")],
        [("Twiml", "a" * 4_001)],
    ],
)
def test_what_an_update_may_not_be(form: list[tuple[str, str]]) -> None:
    with pytest.raises(RestError):
        update_of(form)


@pytest.mark.parametrize("value", ["+15550001111", "sip:bob@x.example.test", "client:bob"])
def test_destinations(value: str) -> None:
    assert is_destination(value)


@pytest.mark.parametrize("value", ["", "sip:", "+1555", "+1555000111122223", "bob"])
def test_what_is_no_destination(value: str) -> None:
    assert not is_destination(value)


@pytest.mark.parametrize(
    "value",
    ["ftp://x.example.test/a", "https://", "https://x.example.test:port/", "https://ä.test/"],
)
def test_what_is_no_address(value: str) -> None:
    assert not is_url(value)
