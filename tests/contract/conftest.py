"""The stores that the contract suites run against, and how to open them.

Another implementation joins by an entry in `OPENERS`: a function that gives a store which has not
been started, always on the same durable state for the same folder.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sidecar.ports import JournalEvent, Store
from sidecar.store.sqlite import SqliteStore

OPENERS: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore(str(folder / "calls.db")),
}

Open = Callable[[], Awaitable[tuple[Store, list[JournalEvent]]]]


@pytest.fixture(params=sorted(OPENERS))
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Open the store, closing the one that was open before; gives it and what it announces."""
    async with AsyncExitStack() as stack:

        async def open_again() -> tuple[Store, list[JournalEvent]]:
            await stack.aclose()
            store = OPENERS[request.param](tmp_path)
            announced: list[JournalEvent] = []
            await store.start(announced.extend)
            stack.push_async_callback(store.close)
            return store, announced

        yield open_again


@pytest.fixture
async def store(reopen: Open) -> Store:
    opened, _ = await reopen()
    return opened
