"""Time: real, faster, and virtual."""

import asyncio

import pytest

from sidecar.engine.clock import SystemClock
from sidecar.simulator.pace import News, Pace, race


async def test_virtual_time_keeps_the_order_of_moments() -> None:
    pace = Pace(SystemClock(), 0)
    begun_ms, order = pace.now_ms(), []

    async def after(seconds: float) -> None:
        await pace.sleep(seconds)
        order.append((seconds, pace.now_ms() - begun_ms))

    async with asyncio.timeout(5):
        await asyncio.gather(*(after(seconds) for seconds in (3_600, 0.5, 20, 0.5)))
    assert order == [(0.5, 500), (0.5, 500), (20, 20_000), (3_600, 3_600_000)]


async def test_virtual_time_stands_still_while_it_is_held() -> None:
    pace = Pace(SystemClock(), 0)
    sleeping = asyncio.ensure_future(pace.sleep(60))
    with pace.held():
        await pace.real_sleep(0.02)
        assert not sleeping.done()
    async with asyncio.timeout(5):
        await sleeping


async def test_a_cancelled_wait_holds_nobody_up() -> None:
    pace = Pace(SystemClock(), 0)
    begun_ms = pace.now_ms()
    async with asyncio.timeout(5):
        assert await race(pace.sleep(1), pace.sleep(50)) == 0
        await pace.sleep(100)
    assert pace.now_ms() - begun_ms == 101_000


async def test_a_faster_pace_shortens_waits() -> None:
    pace = Pace(SystemClock(), 1_000)
    begun_ms = pace.now_ms()
    async with asyncio.timeout(5):
        await pace.sleep(10)
    assert pace.now_ms() - begun_ms >= 10_000


async def test_news_wakes_everybody_whose_wish_came_true() -> None:
    news, count = News(), [0]

    async def until(number: int) -> int:
        await news.until(lambda: count[0] >= number)
        return count[0]

    async with asyncio.timeout(5):
        waiting = asyncio.gather(until(1), until(3))
        for _ in range(3):
            count[0] += 1
            news.tell()
            await asyncio.sleep(0)
        assert await waiting == [1, 3]


async def test_a_race_passes_on_what_went_wrong() -> None:
    async def wrong() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await race(wrong(), asyncio.Event().wait())
