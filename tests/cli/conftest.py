from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture
def voicecall(tmp_path: Path) -> Program:
    return Program(tmp_path)
