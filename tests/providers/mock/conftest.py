"""A mock carrier with what it reports, on a manual clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sidecar.call.events import Event
from sidecar.ports import HttpRequest
from sidecar.providers.mock.line import LineSettings
from sidecar.providers.mock.provider import MockCarrier
from tests.support.calls import OURS, a_draft
from tests.support.clock import START_MS, ManualClock

TOKEN = "a-token-of-some-length"


class Phone:
    """The mock carrier and everything it told, each with its time since the beginning."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.carrier = MockCarrier(LineSettings(**settings), OURS, TOKEN, self.clock)
        self.told: list[tuple[int, Event]] = []
        self.call = a_draft()

    async def report(self, call_id: str, event: Event) -> None:
        assert call_id == self.call.call_id
        self.told.append((self.clock.now_ms() - START_MS, event))

    async def do(self, effect: Any, **members: Any) -> Sequence[Event]:
        async with asyncio.timeout(5):
            events = await self.carrier.perform(replace(self.call, **members), effect)
            await self.settle()
        return events

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def passes(self, duration_ms: int) -> None:
        until_ms = self.clock.now_ms() + duration_ms
        await self.settle()
        while (at_ms := self.clock.next_ms()) is not None and at_ms <= until_ms:
            self.clock.set(at_ms)
            await self.settle()
        self.clock.set(until_ms)
        await self.settle()

    @property
    def story(self) -> list[tuple[int, str]]:
        return [(at_ms, type(event).__name__) for at_ms, event in self.told]

    @property
    def last(self) -> Any:
        return self.told[-1][1]

    def posted(self, *events: dict[str, Any], peer: str = "127.0.0.1", **head: str) -> HttpRequest:
        headers = {"authorization": f"Bearer {TOKEN}", **head}
        body = json.dumps({"events": list(events)}).encode()
        return HttpRequest("POST", "/voice/webhook", headers, body, peer)


@pytest.fixture
async def phone() -> AsyncIterator[Callable[..., Any]]:
    phones: list[Phone] = []

    async def make(**settings: Any) -> Phone:
        phone = Phone(**settings)
        phones.append(phone)
        await phone.carrier.start(phone.report)
        return phone

    yield make
    for each in phones:
        await each.carrier.close()
