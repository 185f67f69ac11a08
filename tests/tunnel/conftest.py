"""The stand-in programs come first on the search path."""

import os
from pathlib import Path

import pytest

from tests.tunnel.field import STANDINS, Folder, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("PATH", f"{STANDINS}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NGROK_STANDIN_DIR", str(tmp_path))
    monkeypatch.setenv("TS_STANDIN_DIR", str(tmp_path))
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "twilio-secret")
    return Folder(tmp_path)
