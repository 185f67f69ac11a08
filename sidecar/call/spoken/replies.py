"""Replies that are still being written, and what the agent is asked for when it writes them."""

from sidecar.call.spoken.gate import speakable
from sidecar.call.spoken.sentences import sentence_ends
from sidecar.call.spoken.wrapping import closed_wrappings, has_wrapper


def next_sentences(received: str, spoken_chars: int, final: bool) -> tuple[str, int]:
    """What can be said now of a growing reply, and the new `spoken_chars`.

    Takes all complete sentences after the first `spoken_chars` characters of the raw text, and all
    the rest when `final`. Reasoning, code, JSON and tags are held back until they are closed.
    After a `{"spoken": "..."}` nothing is said but another one.
    """
    rest = received[spoken_chars:]
    end = len(rest) if final else _settled(rest)
    piece = rest[:end]
    if has_wrapper(received[:spoken_chars]) and not has_wrapper(piece):
        return "", spoken_chars + end
    return speakable(piece), spoken_chars + end


def _settled(text: str) -> int:
    """Where the last sentence ends that nothing to come can change."""
    spans, decided = closed_wrappings(text)
    masked: list[str] = []
    end = position = 0
    for begin, closed in spans:
        # Blanks of the same length: what is wrapped has no sentences, and positions stay true.
        masked += [text[position:begin], " " * (closed - begin)]
        position = closed
        if has_wrapper(text[begin:closed]):
            end = closed
    masked.append(text[position:decided])
    return max([end, *sentence_ends("".join(masked), final=False)])


def default_system_prompt(number: str) -> str:
    """What the agent is told where the configuration says nothing; never spoken."""
    whom = f" with {number}" if number else ""
    return (
        f"You are on a telephone call{whom}. Answer in one or two short spoken sentences, in the "
        "caller's language and in plain words: no markdown, lists, code, links or emoji."
    )
