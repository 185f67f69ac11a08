"""What the tunnel tests share: a clock that is moved by hand, and the stand-in programs."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

STANDINS = Path(__file__).parent.parent / "standins"
TOKEN = "2abcdefghijklmnopqrstuvwxyzA_7BCDEFGHIJKLMNOPQRSTUV"


class HandClock:
    """A clock that stands until it is moved, and tells when somebody sleeps."""

    def __init__(self) -> None:
        self._now_ms = 1_700_000_000_000
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []
        self._slept = asyncio.Condition()

    def now_ms(self) -> int:
        return self._now_ms

    def wall_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms <= self._now_ms:
            return
        sleeper = (at_ms, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            async with self._slept:
                self._slept.notify_all()
            await sleeper[1]
        finally:
            self._sleepers.remove(sleeper)

    async def asleep_for(self, delay_ms: int) -> None:
        """Wait until somebody sleeps for exactly this long."""
        at_ms = self._now_ms + delay_ms
        async with self._slept:
            await self._slept.wait_for(lambda: any(at == at_ms for at, _ in self._sleepers))

    def advance(self, by_ms: int) -> None:
        self._now_ms += by_ms
        for at_ms, sleeper in self._sleepers:
            if at_ms <= self._now_ms and not sleeper.done():
                sleeper.set_result(None)

    async def pass_over(self, delay_ms: int) -> None:
        """Wait until somebody sleeps for this long, and let it pass."""
        await self.asleep_for(delay_ms)
        self.advance(delay_ms)


class Heard:
    """The addresses that a listener was given."""

    def __init__(self) -> None:
        self.all: list[str | None] = []
        self._news = asyncio.Event()

    def __call__(self, url: str | None) -> None:
        self.all.append(url)
        self._news.set()

    async def until(self, count: int) -> list[str | None]:
        while len(self.all) < count:
            self._news.clear()
            await self._news.wait()
        return self.all


class Folder:
    """The folder through which a test steers a stand-in and sees what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, value: Any) -> None:
        (self.path / name).write_text(json.dumps(value))

    def get(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())

    def lines(self, name: str) -> list[dict[str, Any]]:
        file = self.path / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def gone(pid: int) -> None:
    """Wait until a process is over."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
