"""A street with its defaults, for the tests that need no other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.street import Street


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    async with Street(tmp_path) as opened:
        yield opened
