"""The carrier of a scenario; what it complains of at the end is a failure of the sidecar."""

from collections.abc import Iterator

import pytest

from tests.carriers.rehearsal import Carrier


@pytest.fixture
def carrier() -> Iterator[Carrier]:
    with Carrier() as carrier:
        yield carrier
