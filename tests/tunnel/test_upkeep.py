import asyncio
from collections.abc import Callable

import pytest

from sidecar.errors import Problem, TunnelError
from sidecar.tunnel.upkeep import RETRY_MAX_MS, STEADY_MS, Upkeep, retry_delay_ms
from tests.tunnel.field import HandClock, Heard

PASSING = TunnelError(Problem("notConfigured", "the network is down", retryable=True))
FINAL = TunnelError(Problem("notConfigured", "the token is wrong"))
URL = "https://a.example/voice/webhook"


def attempts(upkeep: Upkeep, *steps: str | TunnelError) -> Callable[[], object]:
    """An attempt for each step: an address that stays until the clock says, or a failure."""
    left = list(steps)

    async def attempt() -> None:
        step = left.pop(0)
        if isinstance(step, TunnelError):
            raise step
        upkeep.report(step)
        await asyncio.Event().wait()

    return attempt


def test_delays_double_up_to_a_minute() -> None:
    assert [retry_delay_ms(n) for n in (1, 2, 3, 6, 7, 1_000)] == [
        *(1_000, 2_000, 4_000, 32_000),
        *(RETRY_MAX_MS, RETRY_MAX_MS),
    ]


async def test_up_tries_again_until_there_is_an_address(clock: HandClock) -> None:
    upkeep, heard = Upkeep("test", clock), Heard()
    upkeep.on_change(heard)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(upkeep.up(attempts(upkeep, PASSING, PASSING, URL)))
        await clock.asleep_for(1_000)
        assert upkeep.problem == PASSING.problem
        clock.advance(1_000)
        await clock.pass_over(2_000)
        assert await waiting == URL
        assert upkeep.problem is None
        assert upkeep.url == URL
        assert await upkeep.up(attempts(upkeep)) == URL
        await upkeep.stop()
    assert heard.all == [URL]


async def test_what_cannot_be_helped_is_raised_and_not_tried_again(clock: HandClock) -> None:
    upkeep = Upkeep("test", clock)
    async with asyncio.timeout(20):
        for _ in range(2):
            with pytest.raises(TunnelError, match="the token is wrong"):
                await upkeep.up(attempts(upkeep, FINAL))
        assert upkeep.problem == FINAL.problem
        await upkeep.stop()


async def test_after_the_first_address_everything_is_tried_again(clock: HandClock) -> None:
    upkeep, heard = Upkeep("test", clock), Heard()
    upkeep.on_change(heard)
    fail = asyncio.Event()
    runs = 0

    async def attempt() -> None:
        nonlocal runs
        runs += 1
        upkeep.report(f"{URL}?{runs}")
        await fail.wait()
        fail.clear()
        raise FINAL

    async with asyncio.timeout(20):
        await upkeep.up(attempt)
        fail.set()
        await clock.pass_over(1_000)
        await heard.until(3)
        fail.set()
        await clock.pass_over(2_000)
        await heard.until(5)
        clock.advance(STEADY_MS)
        fail.set()
        await clock.asleep_for(1_000)
        await upkeep.stop()
    assert heard.all == [f"{URL}?1", None, f"{URL}?2", None, f"{URL}?3", None]


async def test_giving_up_waiting_does_not_stop_the_trying(clock: HandClock) -> None:
    upkeep = Upkeep("test", clock)
    attempt = attempts(upkeep, PASSING, URL)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(upkeep.up(attempt))
        await clock.asleep_for(1_000)
        waiting.cancel()
        await asyncio.wait({waiting})
        clock.advance(1_000)
        assert await upkeep.up(attempt) == URL
        await upkeep.stop()


async def test_stopping_tells_whoever_still_waits(clock: HandClock) -> None:
    upkeep = Upkeep("test", clock)
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(upkeep.up(attempts(upkeep, PASSING)))
        await clock.asleep_for(1_000)
        await upkeep.stop()
        with pytest.raises(TunnelError, match="closed before"):
            await waiting
        await upkeep.stop()
