"""Bytes from outside, for properties of parsers: nonsense, JSON of the wrong shape, and good input
with something changed in it. Bounded, and the same examples in every run."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

_Error = TypeVar("_Error", bound=Exception)

FUZZ = settings(
    max_examples=150,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

DEEP = ("[" * 5_000, '{"a":' * 5_000, "[" * 5_000 + "]" * 5_000)
HUGE = ("9" * 5_000, "1e400", "-1e400", "NaN", "Infinity", "1" * 40, "-1", "0")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["", "0", "+15550001111", "call.speech", "\ud800", "\x00", "²", "9" * 400])
)


def values(names: list[str] | None = None) -> st.SearchStrategy[Any]:
    """Any JSON value; its objects have members of these names more often than others."""
    keys = st.text(max_size=8) if names is None else st.sampled_from(names) | st.text(max_size=4)
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
        max_leaves=12,
    )


def documents(names: list[str] | None = None) -> st.SearchStrategy[str]:
    """JSON texts of any shape, and texts that are hardly JSON."""
    return (
        values(names).map(json.dumps)
        | st.sampled_from([*DEEP, *HUGE, "", "{", '"', "\ufeff{}", "\x00", "nul"])
        | st.text(max_size=40)
    )


@st.composite
def changed(draw: st.DrawFn, good: list[str]) -> str:
    """One of the good texts with pieces cut out, put in or doubled."""
    text = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        piece = draw(
            st.text(max_size=6)
            | st.sampled_from(["&", "<", ">", '"', "\n", ": ", "- ", "\x00", "\ud800", *HUGE])
            | st.just(text[start:end] * 2)
        )
        text = text[:start] + piece + text[end:]
    return text


def refusal_of(kind: type[_Error], work: Callable[[], object]) -> _Error | None:
    """How the work was refused, None when it was done. Any other exception fails the test."""
    try:
        work()
    except kind as error:
        return error
    return None


def as_bytes(text: str) -> bytes:
    """Bytes that may be no UTF-8 at all."""
    return text.encode("utf-8", "surrogatepass")
