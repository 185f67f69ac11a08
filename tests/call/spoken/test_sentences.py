"""Where sentences end, and how text is cut to a carrier's limit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.call.spoken import sentence_ends, split_for_carrier, split_sentences

SENTENCES = {
    "plain": ["Hello there.", "How are you?", "Fine!"],
    "titles": ["Dr. Smith met Mrs. Jones vs. St. Mary, e.g. today.", "Good."],
    "decimals and hosts": ["It is 3.5 at example.com now.", "Good."],
    "a number after No.": ["Take No. 5 please."],
    "No as an answer": ["No.", "I would rather not."],
    "a number at the end": ["The answer is 42.", "Thanks."],
    "item numbers": ["1. First.", "2. Second."],
    "time of day within": ["Come at 5 p.m. tomorrow."],
    "time of day at the end": ["Come at 5 p.m.", "Bring tea."],
    "etc. within": ["Tea, milk, etc. are here."],
    "initials": ["J. R. Smith is here.", "Good."],
    "a state": ["The U.S. economy grows.", "Good."],
    "I at the end": ["So do I.", "Thanks."],
    "ellipsis within": ["I think... maybe so."],
    "ellipsis at the end": ["Hmm\u2026", "Let me see."],
    "quotation": ['He said "Hi."', "Then he left."],
    "piled up marks": ["What?!", "No way!!!"],
    "German": ["Am 3. Mai kommt Hr. Meier, z.B. um 9 Uhr.", "Gut."],
    "Spanish": ["\u00bfQu\u00e9 tal?", "\u00a1Bien!"],
    "no end": ["Hello.", "And then"],
}


@pytest.mark.parametrize("sentences", SENTENCES.values(), ids=SENTENCES.keys())
def test_text_is_split_where_sentences_end(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


def test_chinese_needs_no_space_after_a_full_stop() -> None:
    assert split_sentences("\u4f60\u597d\u3002\u5417\uff1f\u597d\uff01") == [
        "\u4f60\u597d\u3002",
        "\u5417\uff1f",
        "\u597d\uff01",
    ]


def test_paragraphs_and_items_end_sentences_but_a_wrapped_line_does_not() -> None:
    assert split_sentences("One\ntwo\n\nThree\n- four\n2. five") == [
        "One\ntwo",
        "Three",
        "- four",
        "2. five",
    ]


def test_marks_without_words_stay_with_the_sentence_before() -> None:
    assert split_sentences("Hi! ?") == ["Hi! ?"]
    assert split_sentences("  ") == []


@pytest.mark.parametrize("text", ["Hello.", "It is 5 p.m. ", "Wait... ", "No. ", "Dr. ", "Hello"])
def test_an_end_that_more_text_could_undo_is_not_one_yet(text: str) -> None:
    assert list(sentence_ends(text, final=False)) == []


def test_an_end_is_told_as_soon_as_it_is_certain() -> None:
    assert list(sentence_ends("Hello. ", final=False)) == [6]
    assert list(sentence_ends("\u597d\u3002", final=False)) == [2]
    assert list(sentence_ends("No. I", final=False)) == [3]


def test_parts_are_cut_between_sentences() -> None:
    assert split_for_carrier("One two. Three four. Five.", 20) == ["One two. Three four.", "Five."]


def test_a_long_sentence_is_cut_at_a_comma_else_between_words() -> None:
    assert split_for_carrier("one two three, four five six", 20) == [
        "one two three,",
        "four five six",
    ]
    assert split_for_carrier("one two three four five", 10) == ["one two", "three four", "five"]


def test_only_a_word_that_is_too_long_alone_is_cut() -> None:
    assert split_for_carrier("ab abcdefghij", 5) == ["ab", "abcde", "fghij"]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        split_for_carrier("a", 0)


PROSE = st.lists(
    st.sampled_from(
        ["Dr.", "No.", "one", "two,", "three;", "Four.", "five?", "6.", "...", "\u2026", '"Hi."']
        + [
            "p.m.",
            "A.",
            "\n\n",
            "\n- ",
            "\u597d\u3002",
            "(x)",
            "\u2014",
            "e.g.",
            "1.",
            "abcdefghijklmn",
        ]
    ),
    max_size=40,
).map(" ".join)


@settings(max_examples=500, deadline=None)
@given(st.one_of(PROSE, st.text(max_size=60)))
def test_no_sentence_is_empty_and_no_word_is_lost(text: str) -> None:
    sentences = split_sentences(text)
    assert all(sentences)
    assert "".join("".join(sentences).split()) == "".join(text.split())


@settings(max_examples=500, deadline=None)
@given(PROSE, st.integers(min_value=15, max_value=60))
def test_parts_keep_to_the_limit_and_keep_all_words_whole(text: str, limit: int) -> None:
    parts = split_for_carrier(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join(" ".join(parts).split()) == "".join(text.split())
    words = set(text.replace("\u3002", "\u3002 ").split())
    assert set(" ".join(parts).replace("\u3002", "\u3002 ").split()) == words


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=80), st.integers(min_value=1, max_value=12))
def test_any_text_fits_any_limit(text: str, limit: int) -> None:
    parts = split_for_carrier(text, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [".", ". ", "a.", "\n", "\n ", ".)", "a 1. ", "... (", "? ", " "])
def test_a_flood_costs_no_more_than_its_length(piece: str) -> None:
    flood = piece * (200_000 // len(piece))
    assert split_sentences(flood) is not None
    assert split_for_carrier(flood, 3_000) is not None
