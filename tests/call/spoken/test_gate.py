"""What is said of a text, and that the gate holds for any text."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.call.spoken import speakable

SAID = {
    "plain words": ("Good morning. How are you?", "Good morning. How are you?"),
    "bare wrapper": ('{"spoken": "Hello there."}', "Hello there."),
    "fenced wrapper": ('```json\n{"spoken": "Hi."}\n```', "Hi."),
    "fence without language": ('```\n{"spoken":"Hi."}```', "Hi."),
    "wrapper between words": ('Here you go: {"spoken": "Hello."} Bye', "Hello."),
    "several wrappers": ('{"spoken":"One"}\n{"spoken":"Two"}', "One. Two"),
    "wrapper with other members": ('{"mood":{"a":1},"spoken":"Hi\\nyou","n":2}', "Hi you"),
    "wrapper cut off": ('{"spoken": "Half a sen', "Half a sen"),
    "bare quotes in a wrapper": (
        '{"spoken": "He said "hi", then left"}',
        'He said "hi", then left',
    ),
    "wrapper inside a wrapper": ('{"spoken": "{\\"spoken\\": \\"Hi\\"}"}', "Hi"),
    "empty wrapper": ('Well, {"spoken": ""}', ""),
    "wrapper with null": ('{"spoken": null}', ""),
    "nested wrapper": ('{"reply": {"spoken": "Hi"}}', "Hi"),
    "other JSON": ('{"tool": "x", "args": {"y": 1}}', ""),
    "braces in prose": ("Say {name} now", "Say name now"),
    "reasoning": ('<think>Hm {"spoken":"no"}</think>Yes.', "Yes."),
    "nested reasoning": ("<thinking>a<think>b</think>c</thinking>Yes.", "Yes."),
    "reasoning never closed": ("Yes. <reasoning>because", "Yes."),
    "reasoning never opened": ("so I say</think>Yes.", "Yes."),
    "reflection in capitals": ("<REFLECTION>x</REFLECTION>Yes.", "Yes."),
    "final tags": ("<final>Yes.</final>", "Yes."),
    "heading and list": ("# Menu\n\n- **Soup**\n- _Cake_\n\nEnjoy", "Menu. Soup. Cake. Enjoy"),
    "numbered list": ("1. One\n2. Two", "1. One. 2. Two"),
    "task list": ("- [x] Done\n- [ ] Open", "Done. Open"),
    "hard wrap": ("one\ntwo", "one two"),
    "table": ("| Day | Time |\n|---|---|\n| Mon | 9 |", "Day, Time. Mon, 9"),
    "quotation": ("> Be brief", "Be brief"),
    "emphasis in a word": ("**un**known ~~old~~ __new__", "unknown old new"),
    "link": ("See [our page](https://a.com/x_(y)).", "See our page."),
    "link definition": ("See [it][1].\n[1]: https://a.com", "See it."),
    "image": ("![a cat](cat.png)", "a cat"),
    "citation": ("It rains [1]\u30104\u2020source\u3011.", "It rains."),
    "directive": ("[[reply_to_current]] Hi", "Hi"),
    "code fence": ("Run:\n```sh\nrm -rf /\n```\nDone.", "Run: Done."),
    "code fence never closed": ("Done. ```sh\nrm", "Done."),
    "tilde fence": ("~~~\nx=1\n~~~\nDone.", "Done."),
    "prose in a fence": ("```markdown\nHello *you*.\n```", "Hello you."),
    "inline code of words": ("Use `npm install`.", "Use npm install."),
    "inline code": ("Then `x = [1, 2]` runs.", "Then runs."),
    "url": ("See https://www.example.com/a?b=1&c=2.", "See example dot com."),
    "autolink": ("See <https://example.com/>.", "See example dot com."),
    "long url": ("See https://" + "a" * 50 + ".com/ now", "See now"),
    "bare host": ("Go to example.com/help.", "Go to example dot com."),
    "missing space": ("Come in.to me it is fine.", "Come in.to me it is fine."),
    "bare scheme": ("https://", ""),
    "e-mail": ("Write bob.smith@example.com.", "Write bob dot smith at example dot com."),
    "mailto": ("[mailto:a_b@c.de](x)", "a underscore b at c dot de"),
    "emoji": ("Hi 👩‍👩‍👧 you 🇩🇪 1️⃣ 👍🏽!", "Hi you!"),
    "only emoji": ("🎉🎉", ""),
    "line of emoji": ("Hello\n🎉\nWorld", "Hello. World"),
    "shortcode": ("Hi :thumbs_up: you at 12:30:45", "Hi you at 12:30:45"),
    "tags": ("<b>Hi</b><br/>you <i class='x'>there</i>", "Hi you there"),
    "script": ("Hi <script>if (a<b) {}</script>you<!-- no -->", "Hi you"),
    "entities": ("Tom &amp; Jerry &lt;b&gt;run&lt;/b&gt; &#33;", "Tom and Jerry run!"),
    "ampersand": ("R&D", "R and D"),
    "hash": ("C# is #1 #fun", "C sharp is number 1 fun"),
    "money and measures": (
        "$5.50, \u20ac3, 20\u00b0C, 50%, 7:30",
        "$5.50, \u20ac3, 20\u00b0C, 50%, 7:30",
    ),
    "comparison": ("5 > 3 and 2 < 4", "5 more than 3 and 2 less than 4"),
    "product": ("2*3 is 6", "2 times 3 is 6"),
    "arrow": ("Paris -> Rome", "Paris, Rome"),
    "underscores": ("snake_case_name", "snake case name"),
    "control characters": ("Hi\x00\x07\u200b the\u00adre\ud800", "Hi there"),
    "markup only": ("*** | --- ###", ""),
    "punctuation only": ("...?!", ""),
    "nothing": ("", ""),
    "Persian joiner": (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    ),
    "Chinese": (
        "\u4f60\u597d\u3002\u4eca\u5929\u5462\uff1f",
        "\u4f60\u597d\u3002\u4eca\u5929\u5462\uff1f",
    ),
}


@pytest.mark.parametrize(("text", "said"), SAID.values(), ids=SAID.keys())
def test_only_plain_words_are_said(text: str, said: str) -> None:
    assert speakable(text) == said


MARKUP = st.lists(
    st.one_of(
        st.sampled_from(
            [*"*_#|`~<>{}[]()\\^&@!?.,;:-+='\"/$% \n\t0159abCé你👍", "```", "<think>", "</think>"]
            + ['{"spoken":"', '"}', '{"', "<b>", "</p>", "<!--", "-->", "https://", "www.", ".com"]
            + [
                "&amp;",
                "&lt;",
                "&#10;",
                "\n\n",
                "- ",
                "1. ",
                "> ",
                "](",
                "[[",
                "]]",
                "a@b.c",
                "\ufe0f",
            ]
            + [
                "\u200d",
                "\u20e3",
                "🇩",
                "🏽",
                "\u0301",
                "\ud800",
                "\u2028",
                "~~~",
                "<script>",
                "mailto:",
            ]
        ),
        st.text(max_size=4),
    ),
    max_size=30,
).map("".join)


@settings(max_examples=1500, deadline=None)
@given(MARKUP)
@example("exa*mple.com")
@example("a (((((((((())))))))))")
@example("&amp;amp;amp;amp;amp;amp;lt;b>")
def test_any_text_comes_out_as_plain_words_that_stay_as_they_are(text: str) -> None:
    said = speakable(text)
    assert speakable(said) == said
    assert not set(said) & set("*_#|`~<>{}[]^\\@&\n\t")
    assert said == "" or any(each.isalnum() for each in said)
    assert said == said.strip()
    assert "  " not in said


@settings(max_examples=300, deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True), min_size=1, max_size=20))
def test_plain_words_are_all_said(words: list[str]) -> None:
    assert speakable(" ".join(words)) == " ".join(words)


ATTACKS = [
    '{"',
    '{"a":',
    '{"spoken":"',
    '{"spoken":"a"}',
    "<think>",
    "</think>",
    "<a",
    "<!--",
    "<script",
    "`",
    "[",
    "[a](",
    "![](",
    "*1",
    "a_",
    "&",
    "&amp;",
    "a.",
    "a@",
    "http://",
    "www.",
    "|a",
    "- ",
    "\n",
    " ",
    "(",
    "👍",
    '"',
    "\\",
    "a-",
    ".",
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_flood_of_markup_costs_no_more_than_its_length(attack: str) -> None:
    flood = attack * (200_000 // len(attack))
    said = speakable(flood)
    assert speakable(said) == said


def test_json_nested_beyond_reason_is_not_said_and_does_no_harm() -> None:
    assert speakable('{"a":' * 50_000 + '"x"' + "}" * 50_000).count("{") == 0
