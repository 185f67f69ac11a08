"""A call as a talk with two sides."""

import io
from typing import Any

import pytest
from rich.console import Console

from sidecar.cli.show.talk import Talk, doing


def _shown(*events: dict[str, Any], width: int = 80) -> list[str]:
    written = io.StringIO()
    talk = Talk(Console(file=written, width=width, markup=False))
    for event in events:
        talk.show({"at": 1_700_000_000_000, **event})
    return [" ".join(line.split()) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"type": "call.ringing"}, "0:00 ringing"),
        ({"type": "call.speaking", "text": "[bold]Hi"}, "0:00 Agent [bold]Hi"),
        ({"type": "call.speech", "transcript": "Yes"}, "0:00 Person Yes"),
        ({"type": "call.dtmf", "digits": "12#"}, "0:00 pressed 12#"),
        ({"type": "call.bargeIn"}, "0:00 interrupted the agent"),
        ({"type": "call.machine", "result": "voicemail"}, "0:00 the far end is: voicemail"),
        ({"type": "call.transferred"}, "0:00 transferred"),
        ({"type": "call.warning", "message": "No audio."}, "0:00 ! No audio."),
        ({"type": "call.error", "error": "Line down."}, "0:00 ✗ Line down."),
        (
            {"type": "call.utterance", "outcome": "interrupted", "heardText": "Hello"},
            "0:00 cut after “Hello”",
        ),
        (
            {"type": "call.utterance", "outcome": "interrupted", "heardText": ""},
            "0:00 cut before a word was heard",
        ),
        (
            {"type": "call.utterance", "outcome": "failed", "heardText": ""},
            "0:00 ✗ could not be said",
        ),
        ({"type": "call.ended", "reason": "busy", "call": {}}, "0:00 ended busy"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_every_event_that_matters_is_a_line(event: dict[str, Any], line: str) -> None:
    assert _shown(event) == [line]


def test_what_a_person_need_not_see_is_left_out() -> None:
    played = {"type": "call.utterance", "outcome": "played", "heardText": "Hello"}
    assert _shown({"type": "call.turn"}, {"type": "call.listening"}, played) == []


def test_times_count_from_the_first_event_and_long_words_wrap() -> None:
    lines = _shown(
        {"type": "call.ringing", "at": 1_000},
        {"type": "call.speaking", "text": "one two three four five six", "at": 66_000},
        width=34,
    )
    assert lines == ["0:00 ringing", "1:05 Agent one two three", "four five six"]


def test_the_live_line_follows_what_the_call_does() -> None:
    assert doing({"type": "call.listening"}) == "Listening"
    assert doing({"type": "call.turn"}) is None
