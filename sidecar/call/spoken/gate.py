"""The speech gate: everything an agent or a host hands over goes through `speakable` before a
voice sees it. The single steps are in `wrapping` and `markup`."""

import html
import re
import unicodedata

from sidecar.call.spoken.markup import drop_markup, plain_lines, say_addresses, tidy
from sidecar.call.spoken.wrapping import drop_fences, drop_hidden, drop_reasoning, unwrap_spoken

_ROUNDS = 4
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_SPACES = re.compile(r"[^\S\n]+")
_LINE_SPACES = re.compile(r" ?\n ?")
_NEWLINES = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"
_BARE_WORD = re.compile(r"[^\W_]+")


def speakable(text: str) -> str:
    """What of a text is said: plain words on one line, or nothing.

    Where the text holds `{"spoken": "..."}`, bare, fenced or between other words, that is what is
    said and the rest is not: the wrapper tells which words are for the ear. Several are said one
    after the other. Never raises; saying the result again changes nothing.
    """
    for _ in range(_ROUNDS):
        plainer = _plainer(text)
        if plainer == text:
            return text
        text = plainer
    # Markup wrapped in markup, over and over, is no talk any more: the bare words do.
    return _plainer(" ".join(_BARE_WORD.findall(text)))


def _plainer(text: str) -> str:
    # Twice, because agents that are asked for the wrapper sometimes wrap the wrapper.
    text = unwrap_spoken(unwrap_spoken(drop_reasoning(_clean(text))))
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    text = drop_hidden(drop_fences(drop_reasoning(_clean(text))))
    text = tidy(plain_lines(drop_markup(_clean(text))))
    # Once more, for what only now looks like an address.
    text = tidy(say_addresses(text))
    return text if any(each.isalnum() for each in text) else ""


def _clean(text: str) -> str:
    """Only characters that can be written, single spaces, and newlines."""
    kept = "".join(map(_written, _NEWLINES.sub("\n", text)))
    return _LINE_SPACES.sub("\n", _SPACES.sub(" ", kept)).strip()


def _written(character: str) -> str:
    if " " <= character <= "~" or character in "\n\t":
        return character
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    # Format characters are part of Persian and Indic words as joiners; none other can be heard.
    return "" if category[0] == "C" and character not in _JOINERS else character
