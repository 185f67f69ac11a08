"""A REST client on a manual clock, and a Twilio in memory."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from sidecar.config import Twilio
from sidecar.errors import CarrierError
from sidecar.providers.twilio.client import TwilioClient
from sidecar.providers.twilio.dialling import Dialler
from tests.support.clock import ManualClock
from tests.support.twilio_rest import ACCOUNT, TOKEN, MemoryHttp, TwilioRest


class Bench:
    """Lets as much time pass as what is run waits for."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.rest = TwilioRest(self.clock.now_ms)
        members = {"accountSid": ACCOUNT, "authToken": TOKEN, **settings}
        self.client = TwilioClient(
            Twilio.model_validate(members), MemoryHttp(self.rest), self.clock, lambda: 1.0
        )
        self.dialler = Dialler(self.client, self.clock)
        self.began_ms = self.clock.now_ms()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The outcome of `work`, with as much time as it takes to wait."""
        task = asyncio.ensure_future(work)
        async with asyncio.timeout(5):
            while not task.done():
                await asyncio.sleep(0)
                if not task.done() and (at_ms := self.clock.next_ms()) is not None:
                    self.clock.set(at_ms)
        return task.result()

    async def fails(self, work: Coroutine[Any, Any, Any]) -> CarrierError:
        with pytest.raises(CarrierError) as refused:
            await self.run(work)
        return refused.value

    @property
    def waited_ms(self) -> int:
        return self.clock.now_ms() - self.began_ms
