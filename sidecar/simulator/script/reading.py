"""Reading values out of a parsed YAML document: each with its path, every mistake collected."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sidecar.errors import ConfigError

DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0, "": 1.0}
LONGEST_S = 366 * 86_400
NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class Problems:
    """Everything that is wrong with a script."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, path: str, what: str) -> None:
        self._found.append((path, what))

    def raise_any(self) -> None:
        if self._found:
            raise ConfigError(self._found)


class Table:
    """A mapping of the script. What is not asked for by its end is a mistake."""

    def __init__(self, value: Any, path: str, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self._left: dict[str, Any] = {}
        if isinstance(value, Mapping):
            self._left = {str(key): each for key, each in value.items()}
        elif value is not None:
            problems.add(path, "it must be a mapping of names and values")

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, what: str) -> None:
        self.problems.add(self.at(key), what)

    def take(self, key: str, default: Any = None) -> Any:
        return self._left.pop(key, default)

    def has(self, key: str) -> bool:
        return key in self._left

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.take(key, default)
        if value is None or isinstance(value, str):
            return value
        self.wrong(key, "it must be text; put it in quotes")
        return default

    def number(self, key: str) -> str | None:
        """A telephone number."""
        value = self.text(key)
        if value is not None and not NUMBER.fullmatch(value):
            self.wrong(key, 'it must be a number like "+15550001111"')
            return None
        return value

    def seconds(self, key: str, default: float) -> float:
        value = self.take(key)
        if value is None:
            return default
        found = seconds_of(value)
        if found is None:
            self.wrong(key, "it must be a duration like 2s or 500ms")
            return default
        return found

    def whole(self, key: str, default: int) -> int:
        value = self.take(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65_535:
            return value
        self.wrong(key, "it must be a whole number")
        return default

    def flag(self, key: str) -> bool:
        value = self.take(key, False)
        if isinstance(value, bool):
            return value
        self.wrong(key, "it must be true or false")
        return False

    def table(self, key: str) -> "Table":
        return Table(self.take(key), self.at(key), self.problems)

    def items(self, key: str) -> Iterator[tuple[str, Any]]:
        """The entries of a list, each with its path; a single value is a list of one."""
        value = self.take(key)
        if value is None:
            return
        entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for place, entry in enumerate(entries):
            yield f"{self.at(key)}[{place}]", entry

    def peek(self) -> Mapping[str, Any]:
        """Everything that was not taken yet, left where it is."""
        return dict(self._left)

    def rest(self) -> Mapping[str, Any]:
        """Everything that was not taken yet."""
        left, self._left = self._left, {}
        return left

    def finish(self, known: str) -> None:
        """`known` tells what may stand here."""
        for key in self._left:
            self.wrong(key, f"it is not known here; known are {known}")


def seconds_of(value: Any) -> float | None:
    """A duration in seconds; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value <= LONGEST_S else None
    found = DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    seconds = float(found[1]) * UNITS[found[2]]
    return seconds if seconds <= LONGEST_S else None
