"""What agents wrap around the words that are to be said: reasoning, JSON, code fences.

Text is taken out of its wrapping here, or left out with it. Markup inside the words is in
`markup`.
"""

import json
import re
from collections.abc import Iterator

# Every pattern here is linear in the length of the text: quantifiers are possessive or bounded, or
# cannot overlap with what follows them.

_THINK = r"(?:ant)?think(?:ing)?|thoughts?|reasoning|reflection|analysis|scratchpad"
_THINK_TAG = re.compile(rf"<(/?)(?:{_THINK})\b[^<>]*+(?:>|\Z)", re.IGNORECASE)
_OBJECT = re.compile(r"\{\s*+\"")
_STRUCTURE = re.compile(r'["{}\\]')
_SPOKEN_KEY = re.compile(r'"spoken"\s*+:\s*+"')
_VALUE_END = re.compile(r'"(?=\s*+(?:\}|,\s*+"|\Z))|\\.', re.DOTALL)
_FENCE = re.compile(r"`{3,}|(?:^|(?<=\n))[ ]{0,3}~{3,}")
# A fence in one of these languages holds words.
_PROSE_FENCE = re.compile(r"\s*+(?:text|txt|plain|plaintext|markdown|md)[^\S\n]*+\n", re.IGNORECASE)
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.I)
_OPENER = re.compile(
    rf"(?P<think><(?:{_THINK})\b)|(?P<fence>{_FENCE.pattern})|(?P<json>{_OBJECT.pattern})"
    r"|(?P<hidden><!--|<(?:script|style)\b)",
    re.IGNORECASE,
)
# What may turn into the beginning of a wrapping, a tag, a link or an entity with the next words.
_UNDECIDED = re.compile(
    r"(?:<(?:[/!a-zA-Z][^<>]{0,200})?|`{1,2}|\{\s{0,40}|&[#a-zA-Z0-9]{0,32}"
    r"|!?\[[^\[\]]{0,300}(?:\](?:\([^()\n]{0,500})?)?)\Z"
)
_LONGEST_UNDECIDED = 900


def drop_reasoning(text: str) -> str:
    """Without reasoning blocks: an unclosed one reaches to the end, one that was never opened to
    the beginning, because some models leave the opening tag to their template."""
    kept: list[str] = []
    depth = begin = 0
    for tag in _THINK_TAG.finditer(text):
        if tag[1]:
            if depth == 0:
                kept.clear()
            depth = max(0, depth - 1)
        else:
            if depth == 0:
                kept.append(text[begin : tag.start()])
            depth += 1
        begin = tag.end()
    if depth == 0:
        kept.append(text[begin:])
    return " ".join(kept)


def unwrap_spoken(text: str) -> str:
    """The values of all `{"spoken": "..."}`; where there are none, the text without the JSON
    objects in it."""
    spoken: list[str] = []
    others: list[str] = []
    begin = 0
    for start, end in _objects(text):
        others.append(text[begin:start])
        value = _spoken_value(text[start:end])
        if value is None:
            others.append(" " if _is_json(text[start:end]) else text[start:end])
        else:
            spoken.append(value)
        begin = end
    others.append(text[begin:])
    return "\n\n".join(spoken) if spoken else "".join(others)


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Where what looks like JSON objects begins and ends; an unclosed one reaches to the end."""
    found = _OBJECT.search(text)
    while found is not None:
        end = _object_end(text, found.start())
        yield found.start(), len(text) if end is None else end
        found = None if end is None else _OBJECT.search(text, end)


def _object_end(text: str, begin: int) -> int | None:
    depth, in_string, skip_to = 0, False, begin
    for found in _STRUCTURE.finditer(text, begin):
        if found.start() < skip_to:
            continue
        match found[0]:
            case "\\":
                skip_to = found.end() + 1
            case '"':
                in_string = not in_string
            case "{" if not in_string:
                depth += 1
            case "}" if not in_string:
                depth -= 1
                if depth == 0:
                    return found.end()
    return None


def _spoken_value(segment: str) -> str | None:
    """What an object says is to be spoken. One that is not quite JSON (cut off, or with bare
    quotation marks in it) is read as far as it goes."""
    parsed = _parse(segment)
    if isinstance(parsed, dict) and "spoken" in parsed:
        return parsed["spoken"] if isinstance(parsed["spoken"], str) else ""
    key = _SPOKEN_KEY.search(segment)
    if key is None:
        return None
    end = next((at.start() for at in _VALUE_END.finditer(segment, key.end()) if at[0] == '"'), None)
    raw = segment[key.end() : end]
    parsed = _parse(f'"{raw}"')
    if isinstance(parsed, str):
        return parsed
    return raw.replace("\\n", "\n").replace('\\"', '"').replace("\\", " ")


def _is_json(segment: str) -> bool:
    return _parse(segment) is not None


def _parse(text: str) -> object:
    try:
        parsed: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        # Not JSON, or nested beyond reason: then it is treated as text.
        return None
    return parsed


def has_wrapper(text: str) -> bool:
    return '"spoken"' in text and any(
        _spoken_value(text[start:end]) is not None for start, end in _objects(drop_reasoning(text))
    )


def drop_fences(text: str) -> str:
    """Without fenced code; an unclosed fence reaches to the end."""
    kept: list[str] = []
    for number, part in enumerate(_FENCE.split(text)):
        if number % 2 == 0:
            kept.append(part)
        elif (language := _PROSE_FENCE.match(part)) is not None:
            kept.append(part[language.end() :])
    return "\n".join(kept)


def drop_hidden(text: str) -> str:
    """Without comments, scripts and styles."""
    return _HIDDEN.sub(" ", text)


# -- while the text still grows -------------------------------------------------------------------


def closed_wrappings(text: str) -> tuple[list[tuple[int, int]], int]:
    """Where the complete wrappings of a growing text are, and up to where it is decided: behind
    that something was opened that is not closed yet, or may be opened with the next words."""
    spans: list[tuple[int, int]] = []
    position = 0
    while (opener := _OPENER.search(text, position)) is not None:
        end = _closing(text, opener)
        if end is None:
            return spans, opener.start()
        spans.append((opener.start(), end))
        position = end
    tail = max(position, len(text) - _LONGEST_UNDECIDED)
    undecided = _UNDECIDED.search(text, tail)
    return spans, len(text) if undecided is None else undecided.start()


def _closing(text: str, opener: re.Match[str]) -> int | None:
    begin = opener.start()
    match opener.lastgroup:
        case "json":
            return _object_end(text, begin)
        case "fence":
            fence = _FENCE.search(text, opener.end())
            return None if fence is None else fence.end()
        case "think":
            return _reasoning_end(text, begin)
        case _:
            hidden = _HIDDEN.match(text, begin)
            return None if hidden is None or hidden.end() == len(text) else hidden.end()


def _reasoning_end(text: str, begin: int) -> int | None:
    depth = 0
    for tag in _THINK_TAG.finditer(text, begin):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
    return None
