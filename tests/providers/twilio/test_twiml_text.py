"""Texts and voices in documents: anything can be said, in parts that Twilio takes."""

import math
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.call import events as ev
from sidecar.call.model import Call, State
from sidecar.providers.twilio import twiml
from sidecar.providers.twilio.twiml import Voice, view, voice_for
from sidecar.providers.twilio.wire import Links
from tests.support.calls import Talk, a_draft

LINKS = Links("https://voice.example.test/voice/webhook", lambda: "n1")
VOICE = Voice("Polly.Joanna")


def verbs(call: Call) -> list[Element]:
    return list(fromstring(view(call, LINKS, VOICE, 0).document.split("?>", 1)[1]))


@given(st.text(st.characters(), max_size=200))
def test_any_text_makes_a_valid_document(text: str) -> None:
    talk = Talk().listening().on(ev.SpeakRequested, "r1", text or "x")
    document = view(talk.call, LINKS, VOICE, 0).document
    document.encode("utf-8")
    fromstring(document.split("?>", 1)[1])


@pytest.mark.parametrize("text", ["One sentence. " * 600, "語り手" * 1_500, "é" * 4_000])
def test_long_texts_are_said_in_parts_that_twilio_takes(text: str) -> None:
    talk = Talk().listening().on(ev.SpeakRequested, "r1", text)
    says = verbs(talk.call)[0]
    parts = [part.text or "" for part in says]
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert len(parts) >= math.ceil(len(text) / twiml.SAY_CHARS)
    for part in parts:
        assert len(part) <= twiml.SAY_CHARS
        assert len(quote(part)) <= twiml.SAY_ENCODED_CHARS


@pytest.mark.parametrize(
    ("wanted", "language", "voice"),
    [
        (None, None, Voice("Polly.Joanna")),
        ("onyx", None, Voice("Polly.Brian")),
        ("unheard-of", "en-GB", Voice("Polly.Joanna", "en-GB")),
        ("nova", "de-DE", Voice(None, "de-DE")),
        ("Polly.Vicki-Neural", "de-DE", Voice("Polly.Vicki-Neural", "de-DE")),
        ("Google.en-GB-Wavenet-A", None, Voice("Google.en-GB-Wavenet-A")),
    ],
)
def test_the_nearest_voice_of_the_carrier(
    wanted: str | None, language: str | None, voice: Voice
) -> None:
    assert voice_for(wanted, language) == voice


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, None),
        ({"openai": {"voice": "nova"}}, "nova"),
        ({"providers": {"openai": {"voice": "echo"}}}, "echo"),
        ({"openai": {"voice": 7}, "providers": 8}, None),
    ],
)
def test_a_number_may_have_its_own_voice(settings: Any, expected: str | None) -> None:
    assert twiml.route_voice(a_draft(voice=settings)) == expected


def test_every_state_has_a_document() -> None:
    for state in State:
        assert verbs(a_draft(state=state))
