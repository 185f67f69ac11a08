"""A sidecar's inside without its doors: the real engine and store, the mock line, a manual clock.

Nothing here opens a socket or sleeps. `idle` runs everything that can run now; `passes` lets time
go by, moment by moment.
"""

import asyncio
import itertools
import json
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sidecar.call.events import ContinueRequested, Event, HangupRequested, SpeakRequested
from sidecar.call.model import Call, Limits, Mode
from sidecar.engine.desk.dialling import Dialling
from sidecar.engine.desk.drafts import DialRequest
from sidecar.engine.desk.inbound import Inbound
from sidecar.engine.desk.operations import Operations
from sidecar.engine.desk.restore import Restore
from sidecar.engine.engine import Engine
from sidecar.engine.journal import Journal
from sidecar.engine.settings import Settings
from sidecar.errors import Problem, SidecarError
from sidecar.ports import Counters, InboundLeg, News
from sidecar.providers.mock.line import LineSettings
from sidecar.rpc.methods.reading import record
from tests.support.clock import ManualClock
from tests.support.troubles import OneAgent, TroubledCarrier, TroubledStore

OURS = "+15550000000"
THEIRS = "+15550001111"
TOKEN = "rpc-token-rpc-token-rpc-token-rpc-token"
QUIET_TURNS = 12
WAIT_S = 5

LINE = LineSettings(ring_ms=300, answer_ms=700, reply_delay_ms=400)


class World:
    """Use as `async with World(tmp_path) as world`; `restart` is a crash and a new process."""

    def __init__(
        self, folder: Path, *, line: LineSettings = LINE, agent: bool = False, **settings: Any
    ) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.line = line
        self.settings = Settings(**({"caller_number": OURS, "max_calls": 5} | settings))
        self.ids = itertools.count(1)
        self._agent_from_the_start = agent
        self._asked: list[asyncio.Task[Any]] = []
        self._reports: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "World":
        await self._start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        self.counters = Counters()
        self.store = TroubledStore(str(self.folder / "calls.db"))
        self.journal = Journal(self.store)
        await self.journal.start()
        self.agent = OneAgent()
        self.agent.available = self._agent_from_the_start
        self.carrier = TroubledCarrier(self.line, OURS, TOKEN, self.clock)
        self.engine = Engine(
            self.store, self.journal, self.clock, self.carrier, self.agent, record, self.counters
        )
        self.dialling = Dialling(self.engine, self.settings, self._new_id)
        self.inbound = Inbound(self.engine, self.settings, self._new_id)
        self.operations = Operations(self.clock, self._new_id)
        self.restore = Restore(self.engine)
        await self.carrier.start(self.engine.submit)
        self.engine.start()
        await self.restore.load()

    async def _stop(self) -> None:
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)
        self._asked.clear()
        self.store.release()
        async with asyncio.timeout(WAIT_S):
            await self.operations.close()
            await self.engine.close()
            await self.carrier.close()
            await self.store.close()

    async def restart(self, *, down_ms: int = 0, recover: bool = True) -> None:
        """The process ends without a word and a new one begins on the same store."""
        await self._stop()
        self.clock.set(self.clock.now_ms() + down_ms)
        await self._start()
        if recover:
            await self.recover()

    async def recover(self) -> None:
        self.do(self.restore.run())
        await self.idle()

    def _new_id(self) -> str:
        return f"{next(self.ids):08d}-0000-4000-8000-000000000000"

    # -- time -------------------------------------------------------------------------------------

    async def idle(self) -> None:
        """Until nothing more happens without time passing."""
        quiet = 0
        async with asyncio.timeout(WAIT_S):
            while quiet < QUIET_TURNS:
                await asyncio.sleep(0)
                quiet = 0 if self.store.busy else quiet + 1

    async def passes(self, duration_ms: int) -> None:
        """Let time go by; everything that becomes due on the way happens at its moment."""
        until_ms = self.clock.now_ms() + duration_ms
        await self.idle()
        while (at_ms := self.clock.next_ms()) is not None and at_ms <= until_ms:
            self.clock.set(at_ms)
            await self.idle()
        self.clock.set(until_ms)
        await self.idle()

    # -- the host ---------------------------------------------------------------------------------

    def do(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Somebody asks for something and waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._asked.append(task)
        return task

    def dial(self, message: str | None = "Hello there.", **wish: Any) -> asyncio.Task[Any]:
        request = DialRequest(**({"to": THEIRS, "message": message} | wish))
        return self.do(self.dialling.initiate(request, lambda call_id: None))

    def converse(self, message: str | None = "Hello there.", **wish: Any) -> asyncio.Task[Any]:
        return self.dial(message, mode=Mode.CONVERSATION, **wish)

    async def dialled(self, message: str | None = "Hello there.", **wish: Any) -> str:
        """The id of a conversation that the carrier has accepted."""
        answer = await self.outcome(self.converse(message, **wish))
        assert isinstance(answer, Mapping), answer
        return str(answer["callId"])

    async def talking(self, message: str | None = "Hello there.", **wish: Any) -> str:
        """The id of a conversation in which it is the caller's turn."""
        call_id = await self.dialled(message, **wish)
        await self.passes(3_000)
        return call_id

    def prompt(self, call_id: str, text: str = "And you?") -> asyncio.Task[Any]:
        """`voicecall.continue`."""
        return self.do(
            self.engine.ask(call_id, lambda id, at_ms: ContinueRequested(at_ms, id, text))
        )

    def speak(self, call_id: str, text: str) -> asyncio.Task[Any]:
        return self.do(self.engine.ask(call_id, lambda id, at_ms: SpeakRequested(at_ms, id, text)))

    def end(self, call_id: str, *, after_playout: bool = False) -> asyncio.Task[Any]:
        return self.do(
            self.engine.ask(call_id, lambda id, at_ms: HangupRequested(at_ms, id, after_playout))
        )

    async def outcome(self, task: asyncio.Task[Any]) -> Mapping[str, Any] | Problem:
        """The answer to a request that does not wait for time to pass."""
        await self.idle()
        assert task.done(), "still waiting"
        self._asked.remove(task)
        try:
            answer: Mapping[str, Any] = task.result()
        except SidecarError as error:
            return error.problem
        return answer

    async def refusal(self, task: asyncio.Task[Any]) -> str:
        """The kind of the problem that a request ended in."""
        answer = await self.outcome(task)
        assert isinstance(answer, Problem), answer
        return answer.kind

    # -- the carrier ------------------------------------------------------------------------------

    async def happens(self, call_id: str, kind: Any, *values: Any, **members: Any) -> None:
        """The carrier reports an event of its own accord."""
        await self.happens_soon(call_id, kind, *values, **members)
        assert not self._reports, "the report has not been taken"

    async def happens_soon(self, call_id: str, kind: Any, *values: Any, **members: Any) -> None:
        """As `happens`, but nobody waits until it is stored."""
        event: Event = kind(self.clock.now_ms(), *values, **members)
        report = self.do(self.engine.submit(call_id, event))
        self._reports.add(report)
        report.add_done_callback(self._reports.discard)
        await self.idle()

    def incoming(self, leg: str = "leg-1", caller: str = THEIRS, **news: Any) -> News:
        """A call from outside, as a webhook tells of it."""
        described = InboundLeg(leg, caller, OURS)
        return News(**({"event": None, "provider_call_id": leg, "leg": described} | news))

    # -- what came of it --------------------------------------------------------------------------

    async def call(self, call_id: str) -> Call:
        call = await self.engine.get(call_id)
        assert call is not None
        return call

    async def events(self, call_id: str | None = None, *types: str) -> list[dict[str, Any]]:
        """What was journalled, in order: all, or of one call, or only some types."""
        found = await self.store.events(0, 10_000, 10_000_000, call_id)
        bodies = [json.loads(event.body) for event in found]
        return [body for body in bodies if not types or body["type"] in types]

    async def story(self, call_id: str | None = None) -> list[str]:
        return [event["type"].removeprefix("call.") for event in await self.events(call_id)]

    async def said(self, call_id: str) -> list[str]:
        return [event["text"] for event in await self.events(call_id, "call.speaking")]


def limits(**members: Any) -> Limits:
    return replace(Limits(), **members)
