"""Doing things once, apart from HTTP."""

import asyncio
from pathlib import Path

import pytest

from sidecar.engine.clock import SystemClock
from sidecar.errors import StoreError
from sidecar.ingress.replay import Outcome, Replays
from sidecar.ports import Counters, HttpAnswer
from sidecar.store.sqlite import SqliteStore

pytestmark = pytest.mark.timeout(20)


async def test_a_failure_reaches_all_who_wait_and_the_key_may_be_tried_again(
    tmp_path: Path,
) -> None:
    store = SqliteStore(str(tmp_path / "calls.db"))
    await store.start(lambda events: None)
    replays = Replays("line", store, SystemClock(), Counters())
    tries = 0

    async def work() -> Outcome:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        if tries == 1:
            raise ZeroDivisionError
        return Outcome(HttpAnswer(200, str(tries)))

    async with asyncio.timeout(5):
        asked = [replays.once("k", work) for _ in range(3)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results] == [ZeroDivisionError] * 3
        assert (await replays.once("k", work)).body == "2"
        assert (await replays.once("k", work)).body == "2"
    await store.close()


async def test_who_waits_for_one_that_was_cancelled_is_told_to_come_again(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "calls.db"))
    await store.start(lambda events: None)
    replays = Replays("line", store, SystemClock(), Counters())
    begun = asyncio.Event()

    async def endless() -> Outcome:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with asyncio.timeout(5):
        first = asyncio.create_task(replays.once("k", endless))
        await begun.wait()
        second = asyncio.create_task(replays.once("k", endless))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(StoreError):
            await second
        with pytest.raises(asyncio.CancelledError):
            await first
    await store.close()
