"""The manual clock keeps the promises of the Clock port."""

import asyncio

from tests.support.clock import START_MS, ManualClock


async def test_sleepers_wake_in_the_order_of_their_times_and_not_before() -> None:
    clock = ManualClock()
    woken: list[int] = []

    async def sleeper(after_ms: int) -> None:
        await clock.sleep_until(START_MS + after_ms)
        woken.append(after_ms)

    tasks = [asyncio.get_running_loop().create_task(sleeper(after)) for after in (300, 100, 200)]
    await asyncio.sleep(0)
    assert clock.next_ms() == START_MS + 100
    clock.set(START_MS + 99)
    await asyncio.sleep(0)
    assert woken == []
    clock.set(START_MS + 250)
    await asyncio.sleep(0)
    assert woken == [100, 200]
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert clock.next_ms() is None


async def test_time_never_goes_back_and_the_past_needs_no_sleep() -> None:
    clock = ManualClock()
    clock.set(START_MS - 1)
    assert clock.now_ms() == clock.wall_ms() == START_MS
    async with asyncio.timeout(5):
        await clock.sleep_until(START_MS)
