"""Ties a scenario to the requirements it shows (`tests/scenarios/requirements.toml`)."""

from collections.abc import Callable
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


def shows(*ids: str) -> Callable[[Test], Test]:
    """Mark a scenario; `test_requirements` reads the ids from the source."""

    def mark(test: Test) -> Test:
        return test

    assert ids, "name at least one requirement"
    return mark
