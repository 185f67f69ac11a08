"""Processes that several tests share, and the two doors they are spoken to through."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.harness import Sidecar, WebSocketPeer, configuration
from tests.process.peer import Peer

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A sidecar on the mock line, shared by the tests of a module that leave no call behind."""
    home: Path = tmp_path_factory.mktemp("line")
    with Sidecar(home, configuration(toNumber="+15550009999")) as process:
        process.ready()
        yield process


@pytest.fixture(scope="module")
def browser(line: Sidecar) -> Iterator[WebSocketPeer]:
    """A client of the same process on its WebSocket."""
    with line.websocket() as peer:
        yield peer


@pytest.fixture(params=["stdio", "websocket"])
def door(request: pytest.FixtureRequest, line: Sidecar, browser: WebSocketPeer) -> Peer:
    """The same statement holds on both doors."""
    return line if request.param == "stdio" else browser
