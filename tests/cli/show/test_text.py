"""Words, times and durations as a person reads them."""

import pytest

from sidecar.cli.show.text import clean, length, state_style, talk_length


def test_a_strangers_words_cannot_move_the_cursor_or_turn_the_line_around() -> None:
    assert clean("a\x1b[31mb\x07c\u202ed\x9be") == "a[31mbcde"
    assert clean("one\ntwo\tthree\r") == "one two three "
    assert clean("ünïcode 日本 🙂") == "ünïcode 日本 🙂"
    assert clean("\ud800x") == "x"


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [(0, "0:00"), (7_900, "0:07"), (725_000, "12:05"), (3_725_000, "1:02:05"), (-5, "0:00")],
)
def test_lengths_are_short_and_readable(duration_ms: int, shown: str) -> None:
    assert length(duration_ms) == shown


def test_a_call_that_nobody_answered_has_no_length() -> None:
    assert talk_length({"answeredAt": 1_000, "endedAt": 9_000}) == "0:08"
    assert talk_length({"endedAt": 9_000}) == ""
    assert talk_length({"answeredAt": 1_000}) == ""


def test_endings_have_colours() -> None:
    styles = [state_style(state) for state in ("completed", "busy", "failed", "listening")]
    assert styles == ["green", "yellow", "red", "cyan"]
