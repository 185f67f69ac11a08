"""Markup inside words: HTML, markdown, links, addresses, emoji, and signs that have a name.

Everything is taken out or put into words. No function here raises, and every pattern is linear in
the length of the text: quantifiers are possessive or bounded, or cannot overlap with what follows.
"""

import re
import unicodedata
from collections.abc import Iterator

_BLOCK_TAG = re.compile(
    r"</?(?:br|p|div|li|ul|ol|h[1-6]|tr|table|blockquote|hr|section)\b[^<>]*+>", re.IGNORECASE
)
_CELL_TAG = re.compile(r"</t[dh]\b[^<>]*+>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*+>")
_AUTOLINK = re.compile(r"<((?:[a-zA-Z]{2,10}:|[^<>\s@]{1,64}@)[^<>\s]++)>")
# `[[reply_to_current]]` and the like are for the Gateway, `【4†source】` is a model's footnote.
_DIRECTIVE = re.compile(r"\[\[[^\[\]\n]{0,200}\]\]|\u3010[^\u3010\u3011\n]{0,100}\u3011")
_DEFINITION = re.compile(r"(?:^|(?<=\n))\[[^\[\]\n]{1,200}\]:[^\n]*+")
_CITATION = re.compile(r"\[\^?[0-9]{1,3}\](?!\()|\[\^[^\[\]\n]{1,60}\]")
_LINK = re.compile(
    r"!?\[([^\[\]]*+)\](?:\([^()\n]*+(?:\([^()\n]*+\)[^()\n]*+){0,4}\)|\[[^\[\]]*+\])"
)
_CODE = re.compile(r"(`{1,2})([^`\n]*+)\1")
_READS_LIKE_WORDS = re.compile(r"[\w\s.,:;!?'\u2019%/@+-]++")
_LONGEST_CODE = 80

_URL = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s<>\"\u201d\u300d]*+", re.IGNORECASE)
_HOST = re.compile(r"(?:[a-z0-9+.-]{2,16}://)?+(?:[^/?#@\s]*+@)?([^/?#@:\s]++)", re.IGNORECASE)
_LONGEST_HOST = 40
_EMAIL = re.compile(
    r"(?<![\w.+-])(?:mailto:)?([\w.+-]{1,64})@([^\W_][\w-]{0,62}(?:\.[^\W_][\w-]{0,62}){1,6})"
)
# Only endings that are not words: "come in.to me" misses a space and names no host.
_BARE_HOST = re.compile(
    r"(?<![\w.@/-])((?:[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.){1,5}"
    r"(?:com|org|net|edu|gov|io|ai|app|dev|info|biz|eu|de|fr|uk|nl|ch|pt|br|ca|jp))"
    r"(?![\w@-]|\.\w)(?:/[^\s<>\",;)]*+)?"
)

_BULLET = re.compile(r"(?:[-+*\u2022\u2023\u25e6\u25aa\u2013\u2014>](?: |\Z))++(?:\[[ xX]\] )?")
_HEADING = re.compile(r"#{1,6} +")
_NUMBERED = re.compile(r"[0-9]{1,3}[.)] ")
_ENDS_SENTENCE = tuple(".!?:;,\u2026\u3002\uff01\uff1f\uff0c\u3001\u061f\u0964")
_CLOSING = "\"')\u201d\u2019\u00bb\u300d\u300f"

_SHORTCODE = re.compile(r"(?<![\w:]):[a-z][a-z0-9_+-]{1,30}:(?![\w:])")
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
_KEPT_SYMBOLS = frozenset("+=\u00b1\u00d7\u00f7\u00b0")
_SILENT = frozenset("*_#|`~<>{}[]^\\")
_JOINERS = frozenset("\u200c\u200d")
_IN_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=\d) ?\* ?(?=\d)"), " times "),
    (re.compile(r" ?(?:[-=]{1,2}>|[\u2190-\u21ff\u27f0-\u27ff]) ?"), ", "),
    (re.compile(r"(?<=\w) ?<=? ?(?=\d)"), " less than "),
    (re.compile(r"(?<=\w) ?>=? ?(?=\d)"), " more than "),
    (re.compile(r"(?<![\w~])~ ?(?=[\d$\u20ac\u00a3])"), "about "),
    (re.compile(r"#(?=\d)"), "number "),
    (re.compile(r"(?<=\b[CF])#"), " sharp"),
    (re.compile(r" ?& ?"), " and "),
    (re.compile(r" ?@ ?"), " at "),
    (re.compile(r"(?<=[^\W_])_+(?=[^\W_])"), " "),
    (re.compile(r" ?-{2,} ?"), " \u2014 "),
    (re.compile(r"={2,}"), ""),
)

_TIDY: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\( ?\)"), ""),
    (re.compile(r"\s+"), " "),
    (re.compile(r" (?=[.,;:!?\u2026](?:\s|\Z))"), ""),
    (re.compile(r",(?: ?,)+"), ","),
    (re.compile(r"(?<=[.!?:;]),(?=\s|\Z)"), ""),
)
_LEADING = re.compile(r"(?:[-+\u2022\u2013\u2014,;:.)\u3001\u3002](?: |\Z))++")


def drop_markup(text: str) -> str:
    """Without tags, links, directives and inline code, and with addresses in words."""
    text = _CELL_TAG.sub(", ", _BLOCK_TAG.sub("\n", _AUTOLINK.sub(r" \1 ", text)))
    text = _DEFINITION.sub("", _DIRECTIVE.sub("", _TAG.sub("", text)))
    text = _CODE.sub(_say_code, _LINK.sub(r"\1", _CITATION.sub("", text)))
    return say_addresses(text)


def _say_code(code: re.Match[str]) -> str:
    words = code[2]
    if len(words) <= _LONGEST_CODE and _READS_LIKE_WORDS.fullmatch(words):
        return words
    return " "


# -- addresses ------------------------------------------------------------------------------------


def say_addresses(text: str) -> str:
    """With e-mail addresses and the hosts of URLs as one would say them."""
    return _BARE_HOST.sub(_say_bare_host, _EMAIL.sub(_say_email, _URL.sub(_say_url, text)))


def _say_url(url: re.Match[str]) -> str:
    address = url[0].rstrip(".,;:!?)'*_\u2019\u3002\u3001")
    host = _HOST.match(address)
    return _say_host(host[1] if host else "") + url[0][len(address) :]


def _say_bare_host(found: re.Match[str]) -> str:
    # A full stop that ends the sentence belongs to the talk, not to the path.
    path = found[0][len(found[1]) :]
    return _say_host(found[1]) + path[len(path.rstrip(".!?:'*_")) :]


def _say_host(host: str) -> str:
    labels = host.lower().removeprefix("www.").split(".")
    if len(host) > _LONGEST_HOST or not all(label.replace("-", "").isalnum() for label in labels):
        return " "
    return f" {' dot '.join(labels)}"


def _say_email(email: re.Match[str]) -> str:
    name = email[1].replace("_", " underscore ").replace("+", " plus ").replace(".", " dot ")
    return f" {name} at {email[2].replace('.', ' dot ')}"


# -- lines ----------------------------------------------------------------------------------------


def plain_lines(text: str) -> str:
    """All lines as one, without their marks; where a block ends, a sentence does."""
    return " ".join(_closed_lines(text))


def _closed_lines(text: str) -> Iterator[str]:
    pending = ""
    for line in text.split("\n"):
        words, is_block = _line(line.strip())
        if pending and (is_block or not words):
            yield pending if pending.rstrip(_CLOSING).endswith(_ENDS_SENTENCE) else pending + "."
            pending = ""
        if not words:
            continue
        if pending:
            yield pending
        pending = words
        if is_block:
            continue
    yield pending


def _line(line: str) -> tuple[str, bool]:
    """A line in plain words, and whether it is a block of its own: an item, a heading, a row."""
    bare = line
    for mark in (_BULLET, _HEADING):
        if (found := mark.match(bare)) is not None:
            bare = bare[found.end() :]
    is_block = bare != line or _NUMBERED.match(bare) is not None
    if "|" in bare:
        is_block = is_block or bare.startswith("|")
        bare = ", ".join(cell.strip() for cell in bare.split("|") if _has_words(cell))
    words = _plain_signs(bare).strip()
    return (words, is_block) if _has_words(words) else ("", True)


def _has_words(text: str) -> bool:
    return any(each.isalnum() for each in text)


def _plain_signs(text: str) -> str:
    """Without emoji and signs that are not spoken; those that have a name by their name."""
    text = _SHORTCODE.sub(" ", _KEYCAP.sub(" ", text))
    for sign, words in _IN_WORDS:
        text = sign.sub(words, text)
    kept: list[str] = []
    for each in text:
        spoken = _spoken_sign(each)
        if each in _JOINERS and not (kept and kept[-1].isalpha()):
            continue
        if spoken:
            kept.append(spoken)
    return "".join(kept)


def _spoken_sign(character: str) -> str:
    if character.isascii():
        return "" if character in _SILENT else character
    category = unicodedata.category(character)
    if category in ("So", "Sm", "Sk") and character not in _KEPT_SYMBOLS:
        return " "
    # Enclosing marks and variation selectors only change how the sign before them looks.
    hidden = category == "Me" or "\ufe00" <= character <= "\ufe0f" or character >= "\U000e0100"
    return "" if hidden else character


def tidy(text: str) -> str:
    """Single spaces, no punctuation that what was taken out has left behind."""
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return _LEADING.sub("", text.strip(), count=1) if _LEADING.match(text.strip()) else text.strip()
