"""Status callbacks: in order, or disturbed as the quirks say."""

import asyncio
from collections.abc import Mapping

from sidecar.simulator.quirks import CallbackQuirk, Delivery, Quirks
from tests.support.exchange import exchange


async def events_with(callbacks: Mapping[str, CallbackQuirk]) -> list[str]:
    quirks = Quirks(callbacks=callbacks)
    async with asyncio.timeout(5), exchange(quirks=quirks) as here:
        await here.over()
        assert all(hit.signed for hit in here.customer.hits)
        return here.customer.events()


async def test_callbacks_may_be_doubled() -> None:
    events = await events_with({"all": CallbackQuirk(Delivery.DOUBLED)})
    names = ["initiated", "ringing", "in-progress", "completed"]
    assert events == [name for name in names for _ in range(2)]


async def test_callbacks_may_be_missing() -> None:
    events = await events_with({"ringing": CallbackQuirk(Delivery.MISSING)})
    assert events == ["initiated", "in-progress", "completed"]


async def test_callbacks_may_change_places() -> None:
    events = await events_with({"ringing": CallbackQuirk(Delivery.REORDERED)})
    assert events == ["initiated", "in-progress", "ringing", "completed"]
    assert await events_with({"completed": CallbackQuirk(Delivery.REORDERED)}) == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]


async def test_callbacks_may_come_after_the_end() -> None:
    events = await events_with({"answered": CallbackQuirk(Delivery.LATE, 30)})
    assert events == ["initiated", "ringing", "completed", "in-progress"]
