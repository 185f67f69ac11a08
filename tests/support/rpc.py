"""A journal in memory and clients that speak to the front door without a process."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidecar.engine.journal import Journal
from sidecar.ports import JournalEvent, NewEvent, Write
from sidecar.rpc.connection import Connection
from sidecar.rpc.outgoing import Outgoing
from sidecar.rpc.server import RpcServer

WAIT_S = 5


class MemoryStore:
    """As much of the store as the journal asks for, in a list."""

    def __init__(self, stream_id: str = "stream-1", first_seq: int = 1) -> None:
        self.stream_id = stream_id
        self.first_seq = first_seq
        self.last_seq = first_seq - 1
        self.acked_seq = 0
        self._events: list[JournalEvent] = []
        self._on_events: Callable[[Sequence[JournalEvent]], None] | None = None

    async def start(self, on_events: Callable[[Sequence[JournalEvent]], None]) -> None:
        self._on_events = on_events

    async def commit(self, write: Write) -> Sequence[JournalEvent]:
        added = [self._add(event) for event in write.events]
        if self._on_events is not None:
            self._on_events(added)
        return added

    async def events(
        self, since: int, limit: int, max_bytes: int, call_id: str | None = None
    ) -> Sequence[JournalEvent]:
        await asyncio.sleep(0)
        chosen: list[JournalEvent] = []
        size = 0
        for event in self._events:
            size += len(event.body) if event.seq > since else 0
            if len(chosen) == limit or (chosen and size > max_bytes):
                break
            if event.seq > since:
                chosen.append(event)
        return chosen

    async def outbox(self, until_seq: int, since: int, limit: int) -> Sequence[JournalEvent]:
        await asyncio.sleep(0)
        low = max(since, self.acked_seq)
        return [
            event
            for event in self._events
            if event.type == "call.ended" and low < event.seq <= until_seq
        ][:limit]

    async def ack(self, seq: int) -> None:
        self.acked_seq = max(self.acked_seq, seq)

    def _add(self, new: NewEvent) -> JournalEvent:
        self.last_seq += 1
        body: dict[str, Any] = {"seq": self.last_seq, "at": new.at_ms, "type": new.type}
        if new.call_id is not None:
            body["callId"] = new.call_id
        event = JournalEvent(
            self.last_seq, new.at_ms, new.type, new.call_id, json.dumps(body | dict(new.members))
        )
        self._events.append(event)
        return event


class StillClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    def wall_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms > self._now_ms:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append((at_ms, sleeper))
            await sleeper

    def advance(self, by_ms: int) -> None:
        self._now_ms += by_ms
        for at_ms, sleeper in self._sleepers:
            if at_ms <= self._now_ms and not sleeper.done():
                sleeper.set_result(None)


class Bench:
    """A server over a journal in memory, with handlers that tests can steer."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = StillClock()
        self.store = store or MemoryStore()
        self.journal = Journal(self.store)  # type: ignore[arg-type]
        self.server = RpcServer(version="0.0.1", clock=self.clock)
        self.handlers: dict[str, Any] = {}
        self.release = asyncio.Event()
        self.calls: list[str] = []
        for name in ("echo", "slow", "committed", "broken", "strange", "create"):
            self.handlers[name] = getattr(self, f"_{name}")

    async def open(self) -> None:
        await self.journal.start()
        self.server.open(self.journal, self.handlers, self.ready_params)

    def ready_params(self) -> Mapping[str, Any]:
        return {
            "protocolVersion": 1,
            "version": "0.0.1",
            "pid": os.getpid(),
            "provider": "mock",
            "webhookUrl": None,
            "publicUrl": None,
            "ws": None,
            "streamId": self.journal.stream_id,
            "lastSeq": self.journal.last_seq,
        }

    async def happen(self, type_: str, call_id: str | None = "call-1", **members: Any) -> int:
        events = [NewEvent(self.clock.now_ms(), type_, call_id, members)]
        return (await self.store.commit(Write(events=events)))[-1].seq

    def partial(self, text: str, call_id: str = "call-1") -> None:
        body = {"at": 1, "type": "call.partial", "callId": call_id, "transcript": text}
        self.journal.partial(JournalEvent(0, 1, "call.partial", call_id, json.dumps(body)))

    async def _echo(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        self.calls.append("echo")
        return params

    async def _slow(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        self.calls.append("slow")
        await self.release.wait()
        return {"slow": True}

    async def _committed(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        context.commit()
        await self.release.wait()
        self.calls.append("committed")
        return {"committed": True}

    async def _broken(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        raise KeyError("secret-of-the-house")

    async def _strange(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        return {"value": float("nan")}

    async def _create(self, context: Any, params: dict[str, Any]) -> Mapping[str, Any]:
        call_id = params["callId"]
        context.creating(call_id)
        await self.happen("call.initiated", call_id)
        await self.release.wait()
        return {"callId": call_id}


class DirectClient:
    """Feeds a connection and reads its queue, with no transport between."""

    def __init__(self, bench: Bench, configures: bool = False) -> None:
        self.outgoing = Outgoing()
        self._news = asyncio.Event()
        self.outgoing.on_data = self._news.set
        self.stalled = False
        self.cuts: list[bool] = []
        self._got: list[Any] = []
        self.connection: Connection = bench.server.connect(self.outgoing, configures=configures)

    def feed(self, *messages: Any) -> None:
        for message in messages:
            text = message if isinstance(message, str | bytes) else json.dumps(message)
            self.connection.feed(text)

    def request(self, request_id: Any, method: str, params: Any = None) -> None:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method}
        self.feed(message if params is None else message | {"params": params})

    def notify(self, method: str, params: Any = None) -> None:
        message = {"jsonrpc": "2.0", "method": method}
        self.feed(message if params is None else message | {"params": params})

    async def next(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            while not self._got:
                await self._news.wait()
                self._news.clear()
                taken = self.outgoing.take()
                self.outgoing.wrote(sum(len(message) for message in taken))
                self._got += [json.loads(message) for message in taken]
        return self._got.pop(0)

    async def ready(self) -> Any:
        message = await self.next()
        assert message["method"] == "sidecar.ready"
        return message

    async def answer(self, request_id: Any) -> Any:
        """The answer to a request; what comes before it must be events."""
        while True:
            message = await self.next()
            if message.get("id") == request_id and "method" not in message:
                return message
            assert "method" in message, message

    async def event(self) -> Any:
        message = await self.next()
        assert message["method"] == "voicecall.event", message
        return message["params"]

    async def nothing_more(self) -> None:
        """Everything that is under way has come out, and it is nothing."""
        self.request("nothing-more", "sidecar.ping")
        assert (await self.next()).get("id") == "nothing-more"


async def settle(turns: int = 20) -> None:
    """Let everything that can go on, go on."""
    for _ in range(turns):
        await asyncio.sleep(0)
