"""What happened on a simulated call, in order, as a report and as tests read it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Whose doing a moment is."""

    STATUS = "status"
    HEARD = "heard"
    SAID = "said"
    PRESSED = "pressed"
    WEBHOOK = "webhook"
    REQUEST = "request"
    DOCUMENT = "document"
    CARRIER = "carrier"
    WARNING = "warning"
    FAULT = "fault"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `text` is for people; `detail` holds what programs look at."""

    at_ms: int
    kind: Kind
    text: str
    detail: dict[str, Any] = field(default_factory=dict)


class Timeline:
    """The moments of one call, oldest first."""

    def __init__(self, now_ms: Callable[[], int], changed: Callable[[], None]) -> None:
        self.moments: list[Moment] = []
        self.begun_ms = now_ms()
        self._now_ms = now_ms
        self._changed = changed

    def add(self, kind: Kind, text: str, **detail: Any) -> None:
        self.moments.append(Moment(self._now_ms(), kind, text, detail))
        self._changed()

    def of(self, kind: Kind) -> list[Moment]:
        return [moment for moment in self.moments if moment.kind == kind]

    @property
    def heard(self) -> list[str]:
        """What the far end heard, one text per piece of speech; a cut one ends where it was cut."""
        return [moment.text for moment in self.of(Kind.HEARD) if moment.text]
