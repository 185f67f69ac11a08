"""The carrier of a scenario; what it complains of at the end is a failure of the sidecar."""

from collections.abc import Iterator

import pytest

from tests.carriers.rehearsal import Carrier


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    with Carrier() as carrier:
        yield carrier


@pytest.fixture
def calm_carrier() -> Iterator[Carrier]:
    """Slow enough for the sidecar's own timers to come first where they would."""
    with Carrier(speed=4) as carrier:
        yield carrier
