"""A configuration file of any content is loaded, or its problems are told without its text."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.config import load_config
from sidecar.config.environment import Unreadable, read_text
from sidecar.errors import ConfigError
from tests.support.fuzz import DEEP, FUZZ, as_bytes, changed, documents, refusal_of

SECRET = "hunter2-secret"
GOOD = [
    json.dumps({"provider": "mock", "serve": {"port": 0, "path": "/w"}, "mock": {"speed": 2}}),
    "{provider: 'mock', /* JSON5 */ serve: {port: +8080,}, // so\n toNumber: \"+15550001111\",}",
    json.dumps({"plugins": {"entries": {"voice-call": {"config": {"provider": "mock"}}}}}),
    '{"twilio": {"authToken": "' + SECRET + '"}, "provider": "twilio"}',
    "{a: 0x1F, b: .5, c: -Infinity, d: '\\x41\\u0042', e: NaN}",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@FUZZ
@given(
    changed(GOOD).map(as_bytes)
    | documents(["provider", "serve", "twilio", "plugins"]).map(as_bytes)
    | st.binary(max_size=60)
)
@example(DEEP[0].encode())
@example(DEEP[1].encode())
@example(b"{a: " * 5_000)
@example(b"\xef\xbb\xbf{}")
@example(b'{"serve": {"port": 1e400}}')
def test_any_file_is_loaded_or_its_problems_are_told(home: Path, content: bytes) -> None:
    path = home / "config.json"
    path.write_bytes(content)
    refusal = refusal_of(ConfigError, lambda: load_config(str(path), environ={"HOME": str(home)}))
    if refusal is not None:
        assert refusal.problems
        assert SECRET not in str(refusal)
    refusal_of(Unreadable, lambda: read_text(str(path)))
