"""Replies that are still being written are said sentence by sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.call.spoken import default_system_prompt, next_sentences, speakable


def stream(chunks: list[str]) -> list[str]:
    """Everything that is said of a reply that comes in these chunks, piece by piece."""
    received, spoken, said = "", 0, []
    for chunk in chunks:
        received += chunk
        text, spoken = next_sentences(received, spoken, final=False)
        said.append(text)
    text, spoken = next_sentences(received, spoken, final=True)
    assert spoken == len(received)
    return [each for each in [*said, text] if each]


def test_the_first_sentence_is_said_as_soon_as_it_is_complete() -> None:
    assert next_sentences("Hello there.", 0, final=False) == ("", 0)
    assert next_sentences("Hello there. How", 0, final=False) == ("Hello there.", 12)


def test_what_was_said_is_not_said_again() -> None:
    assert next_sentences("One. Two. Thr", 4, final=False) == ("Two.", 9)
    assert next_sentences("One. Two. Three", 9, final=True) == ("Three", 15)
    assert next_sentences("One.", 4, final=True) == ("", 4)


@pytest.mark.parametrize(
    "text",
    [
        '{"spoken": "Hello. How are',
        "{",
        '```json\n{"spoken": "Hello. You."}',
        "<think>First. Second. ",
        "<thi",
        "<!-- One. Two. ",
        "See [the page. Really. ",
        "[it](https://a.com/?q=1. ",
        "``",
    ],
)
def test_nothing_is_said_while_a_wrapping_is_open(text: str) -> None:
    assert next_sentences(text, 0, final=False) == ("", 0)


def test_a_wrapper_is_said_when_it_closes() -> None:
    assert next_sentences('{"spoken": "Hi. You"}', 0, final=False) == ("Hi. You", 21)
    fenced = '```json\n{"spoken": "Hi."}\n```'
    assert next_sentences(fenced, 0, final=False) == ("Hi.", len(fenced))


def test_words_beside_a_wrapper_are_not_said() -> None:
    assert stream(['Sure: {"spo', 'ken": "Hi."}', " I hope. That ", "helps."]) == ["Hi."]


def test_a_second_wrapper_is_said_too() -> None:
    assert stream(['{"spoken": "Hi."}', ' {"spoken": "You."}']) == ["Hi.", "You."]


def test_what_comes_before_an_open_wrapping_is_said() -> None:
    assert next_sentences("Let me see. <think>I. Me. ", 0, final=False) == ("Let me see.", 11)


def test_reasoning_and_code_are_never_said() -> None:
    chunks = ["<think>A. B", ". </think>", "Yes. ```", "\nx = 1. y", "\n``` No", "w."]
    assert stream(chunks) == ["Yes.", "Now."]


def test_a_link_is_not_torn_apart() -> None:
    assert stream(["See [St. A. Xy", ". B](https://a.com", "/x). Bye", "."]) == [
        "See St. A. Xy. B.",
        "Bye.",
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["Hello there. ", "How are", " you? ", "Dr. ", "**No**. ", "3.5 ", "ok\n\n", "!"]
        ),
        max_size=20,
    )
)
def test_chunks_do_not_change_what_is_said(chunks: list[str]) -> None:
    letters = [each for each in "".join(stream(chunks)) if each.isalnum()]
    assert letters == [each for each in speakable("".join(chunks)) if each.isalnum()]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{",
                '{"spoken":',
                ' "Hi."',
                "}",
                "<think>",
                "</think>",
                "```",
                "`",
                "[a",
                "](b)",
                ". ",
                "\n",
            ]
            + ["word", "<", ">", '"', "\\", "&am", "p;", "<!--", "-->", "~~~\n", "\u3002", "No. "]
        ),
        max_size=20,
    )
)
def test_any_chunks_are_taken_and_only_plain_words_come_out(chunks: list[str]) -> None:
    for said in stream(chunks):
        assert speakable(said) == said


@pytest.mark.parametrize(
    "piece", ["{ ", '{"', "<think>", "<a", "`", "[", "```a", "a. ", "&", '{"spoken":"a"}']
)
def test_a_flood_costs_no_more_than_its_length(piece: str) -> None:
    text, spoken = next_sentences(piece * (200_000 // len(piece)), 0, final=False)
    assert spoken <= 200_000
    assert speakable(text) == text


def test_the_prompt_asks_for_short_spoken_sentences_and_names_the_caller() -> None:
    prompt = default_system_prompt("+15550001234")
    assert "one or two short spoken sentences" in prompt
    assert "+15550001234" in prompt
    assert "  " not in default_system_prompt("")
