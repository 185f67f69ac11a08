"""Which words stop the bot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.call.bargein import DEFAULT_BACKCHANNELS, is_barge_in


@pytest.mark.parametrize(
    "text",
    [
        "mm-hm",
        "Mm-hmm.",
        "YES!",
        "Uh-huh",
        "yeahhhh",
        "Yes, yeah, okay.",
        "mmmm",
        "All right, I see",
    ]
    + [
        "[cough]",
        "(coughs)",
        "<noise>",
        "*sigh*",
        "Ja, genau.",
        "\u00c4hm",
        "D\u2019accord, oui",
        "S\u00ec",
    ]
    + [
        "s\u00ed, claro que s\u00ed",
        "t\u00e1 bom",
        "Ok\u00e9, ja",
        "",
        " ",
        "...",
        "[cough] yes (laughs)",
    ],
)
def test_acknowledgements_and_noises_do_not_stop_the_bot(text: str) -> None:
    assert not is_barge_in(text, 0, ())


@pytest.mark.parametrize(
    "text",
    [
        "Wait",
        "stop",
        "No",
        "Yes, but wait",
        "okay stop",
        "\u505c",
        "5",
        "Nein danke",
        "(yes) what?",
    ],
)
def test_words_stop_the_bot(text: str) -> None:
    assert is_barge_in(text, 0, ())


def test_fewer_words_than_the_minimum_do_not_stop_the_bot() -> None:
    assert not is_barge_in("please wait", 3, ())
    assert is_barge_in("please wait now", 3, ())
    assert is_barge_in("wait", 1, ())


def test_acknowledgements_can_be_added() -> None:
    assert not is_barge_in("Go ahead, yes. Tak!", 0, ["go ahead", "TAK", ""])
    assert is_barge_in("go back", 0, ["go ahead"])


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "pt", "nl"])
def test_every_listed_acknowledgement_is_one_in_capitals_too(language: str) -> None:
    for phrase in DEFAULT_BACKCHANNELS[language]:
        assert not is_barge_in(f"{phrase.upper()}!", 0, ())


@given(st.text(), st.integers(), st.lists(st.text(max_size=8), max_size=3))
def test_any_text_is_decided(text: str, min_words: int, ignore: list[str]) -> None:
    assert is_barge_in(text, min_words, ignore) in (True, False)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["[", "(", "*", "yes ", "ok", "y", "<a"])
def test_a_flood_costs_no_more_than_its_length(piece: str) -> None:
    assert is_barge_in(piece * (200_000 // len(piece)), 0, ()) in (True, False)
