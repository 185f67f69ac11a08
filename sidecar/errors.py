"""The one exception tree, and the value that every error carries to a person.

A `Problem` is plain data: the call machine returns problems without raising, the rooms raise them
inside a `SidecarError`, and the front door turns either into a JSON-RPC error. Exceptions are
sorted by whose fault it was, so that a caller can tell "fix your request" from "try again".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something could not be done, ready to be shown.

    `kind` is one of the error kinds of the RPC contract (`invalidParams`, `callNotFound`, ...);
    `message` is one plain sentence without secrets; `data` holds the members that go beside kind
    and retryable on the wire (`field`, `callId`, `reason`, `missing`, `policy`, `carrier`, ...).
    """

    kind: str
    message: str
    retryable: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


class SidecarError(Exception):
    """The root. Its text is the problem's sentence, safe to print and to send."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class ConfigError(SidecarError):
    """The configuration is wrong; ours to fix before start. Lists every problem, not the first."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        """`problems` are pairs of full path and what is wrong with it."""
        self.problems = list(problems)
        text = "; ".join(f"{path}: {what}" for path, what in problems)
        errors = [{"field": path, "problem": what} for path, what in problems]
        super().__init__(Problem("invalidParams", text, data={"errors": errors}))


class HostError(SidecarError):
    """The host asked for something that cannot be done as asked."""


class CarrierError(SidecarError):
    """The carrier refused, cannot be reached, or sent something that is not what it should be."""


class SpeechError(SidecarError):
    """A speech vendor failed."""


class StoreError(SidecarError):
    """The store cannot be opened, read or written."""


class TunnelError(SidecarError):
    """The public address could not be set up."""
