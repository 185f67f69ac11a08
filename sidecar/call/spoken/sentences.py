"""Where sentences end, and how text is cut at their ends.

Works on raw and on speakable text alike. What may be spoken at all is in `spoken`.
"""

import re
from collections.abc import Iterator

_OPENING = "\"'\u201c\u2018\u201e\u00ab([{\u00bf\u00a1*_`"
_CLOSING = "\"'\u201d\u2019\u00bb)\\]}*_`\u300d\u300f\uff09\u3011\u300b"

# Possessive quantifiers keep the search linear: nothing here is ever tried twice.
_STOP = re.compile(
    rf"(?P<cjk>[\u3002\uff01\uff1f\uff61]++[{_CLOSING}]*+)"
    rf"|(?P<marks>[.!?\u2026\u0964\u061f\u06d4]++)[{_CLOSING}]*+(?=\s|\Z)"
    # A paragraph ends; so does a line before a list item, a heading, a quotation or a table row.
    r"|(?P<line>\n)[^\S\n]*+(?:\n|(?=[-*+\u2022>|]|#{1,6}\s|[0-9]{1,3}[.)]\s))"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# After these a sentence goes on, whatever follows.
_TITLES = _words(
    "mr mrs ms mx dr prof st ste mt ft messrs rev hon gen gov sen rep capt cpt lt col sgt maj cmdr "
    "e.g i.e cf vs approx est dept ext mme mlle mgr "
    "z.b d.h u.a o.ä i.d.r v.a bzw ca evtl ggf vgl sog inkl exkl zzgl str frl hr "
    "sr sra srta dra ud uds d.ª dhr mevr mw bijv o.a d.w.z p.ex av dott sig"
)
# After these it ends only where the next word begins with a capital letter.
_MAYBE_LAST = _words(
    "etc a.m p.m am pm inc ltd co corp llc jr bros usw usf jan feb mar apr jun jul aug sep sept "
    "oct nov dec ave blvd rd min max avg incl misc"
)
# After these it goes on only where a number follows ("No. 5", but "No. I would rather not.").
_NUMBERED = _words("no nr nos num fig vol art p pp ch sec tel")
_MONTHS = _words(
    "januar jänner februar märz april mai juni juli august september oktober november dezember"
)
_LONGEST_TOKEN = 24
_CLAUSE_ENDS = (", ", "; ", ": ", " \u2013 ", " \u2014 ", "\uff0c", "\u3001", "\uff1b")


def sentence_ends(text: str, final: bool = True) -> Iterator[int]:
    """The positions right after each complete sentence.

    Unless `final`, more text may follow: an end that the next characters could still undo is not
    reported yet, and the end of the text is none.
    """
    begin = 0
    for stop in _STOP.finditer(text):
        end = stop.start() if stop["line"] else stop.end()
        if stop["marks"]:
            if end == len(text) and not final:
                return
            if not _is_end(text, begin, stop, final):
                continue
        yield end
        begin = end


def _is_end(text: str, begin: int, stop: re.Match[str], final: bool) -> bool:
    """Whether these full stops, followed by space, end the sentence that began at `begin`."""
    marks = stop["marks"]
    follower = _Follower(text, stop.end(), final)
    if marks.strip(".\u2026") != "":
        return True
    if marks != ".":
        return follower.may_begin_sentence
    token = _token_before(text, begin, stop.start())
    name = token.lower()
    if name in _TITLES:
        return False
    if name in _NUMBERED:
        return follower.known and not follower.is_digit
    if name in _MAYBE_LAST or ("." in name and name.replace(".", "").isalpha()):
        return follower.may_begin_sentence and not follower.is_digit
    if len(token) == 1 and token.isupper() and token != "I":
        return follower.is_nothing
    if name.isdecimal() and len(name) <= 3:
        # An item's number stands at the very beginning: no need to look at more than a little.
        before = text[begin : min(stop.start(), begin + _LONGEST_TOKEN)]
        return _number_ends(before, name, follower)
    return True


def _number_ends(sentence: str, number: str, follower: "_Follower") -> bool:
    """Whether a full stop after a small number ends the sentence; `1. First` numbers an item, and
    German writes dates as `3. Mai`."""
    if sentence.strip().lstrip(_OPENING) == number:
        return False
    return follower.may_begin_sentence and follower.word not in _MONTHS


def _token_before(text: str, begin: int, end: int) -> str:
    words = text[max(begin, end - _LONGEST_TOKEN) : end].rsplit(None, 1)
    if not words or text[end - 1].isspace():
        return ""
    return words[-1].lstrip(_OPENING)


class _Follower:
    """What comes after a full stop and the space behind it."""

    def __init__(self, text: str, position: int, final: bool) -> None:
        found = _FOLLOWING.match(text, position)
        self.word = found[1].lower() if found else ""
        first = found[1][:1] if found else ""
        self.is_digit = first.isdecimal()
        self.is_nothing = final and not first
        self.known = final or bool(first)
        self.may_begin_sentence = self.known and not first.islower()


_FOLLOWING = re.compile(rf"\s*+[{re.escape(_OPENING)}]*+(\S{{0,12}})")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, in order and without a word lost; none of them is empty. What holds
    no letter and no digit stays with the sentence before it."""
    spans: list[tuple[int, int]] = []
    begin = 0
    for end in [*sentence_ends(text), len(text)]:
        piece = text[begin:end]
        if spans and not any(each.isalnum() for each in piece):
            spans[-1] = (spans[-1][0], end)
        elif piece.strip():
            spans.append((begin, end))
        begin = end
    return [text[begin:end].strip() for begin, end in spans]


def split_for_carrier(text: str, limit: int) -> list[str]:
    """The text in parts of at most `limit` characters, cut between sentences where it can be.

    A sentence that is too long by itself is cut after a comma or the like, else between words; a
    word is cut only where it alone is too long.
    """
    if limit < 1:
        raise ValueError("a part holds at least one character")
    parts: list[str] = []
    for sentence in split_sentences(text):
        for piece in _pieces(" ".join(sentence.split()), limit):
            if parts and len(parts[-1]) + 1 + len(piece) <= limit:
                parts[-1] += " " + piece
            else:
                parts.append(piece)
    return parts


def _pieces(sentence: str, limit: int) -> Iterator[str]:
    begin = 0
    while len(sentence) - begin > limit:
        end = _cut(sentence, begin, limit)
        yield sentence[begin:end].strip()
        begin = end + 1 if sentence[end : end + 1] == " " else end
    yield sentence[begin:]


def _cut(sentence: str, begin: int, limit: int) -> int:
    """Where to end the piece that starts at `begin`: late in it, so that there are few pieces."""
    # One more character than fits: the space after the last word may be just behind the limit.
    last = begin + limit + 1
    clauses = (sentence.rfind(mark, begin, last) for mark in _CLAUSE_ENDS)
    clause = max((at + 1 for at in clauses if at >= 0), default=0)
    if begin + limit // 2 < clause <= begin + limit:
        return clause
    space = sentence.rfind(" ", begin + 1, last)
    return space if space > begin else begin + limit
