"""The engine: the only place that changes a call. Reduce, commit, observe, perform, in that order.

Reducing and handing the result to the store happen without a pause on the event loop, so events of
one call are applied one after the other without a lock, and the journal has them in that order.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from sidecar.call.effects import AskAgent, CancelReply, Effect, Notify, Reply
from sidecar.call.events import (
    AgentLost,
    AgentOffered,
    CallRequested,
    ContinueRequested,
    DeadlinePassed,
    DigitsRequested,
    Event,
    HangupRequested,
    Incoming,
    RequestDropped,
    SpeakRequested,
    TransferRequested,
)
from sidecar.call.machine import next_deadline, reduce
from sidecar.call.model import Call
from sidecar.engine.alarm import Alarm
from sidecar.engine.journal import Journal
from sidecar.engine.ledger import Ledger
from sidecar.engine.observe import Observer
from sidecar.engine.perform import Performer
from sidecar.engine.replies import Replies
from sidecar.errors import HostError, Problem, StoreError
from sidecar.ports import (
    Agents,
    Carrier,
    Clock,
    Counters,
    Intent,
    JournalEvent,
    NewEvent,
    SeenKey,
    Store,
    Write,
)
from sidecar.tasks import TaskSet

PARTIAL_GAP_MS = 200
"""At most five partial transcripts a second and call (rpc.md, "Events")."""

FINISH_MS = 5_000
"""Longest wait at the end for writes that are under way."""

_UNDOABLE = (
    CallRequested,
    ContinueRequested,
    DigitsRequested,
    SpeakRequested,
    TransferRequested,
)

log = structlog.get_logger()

Record = Callable[[Call], dict[str, Any]]


class Engine:
    """Owns every call that is open or still has to be hung up."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        clock: Clock,
        carrier: Carrier,
        agents: Agents,
        record: Record,
        counters: Counters,
    ) -> None:
        """`record` makes the wire's view of a call, for `call.ended` and for the agent."""
        self.store = store
        self.journal = journal
        self.clock = clock
        self.carrier = carrier
        self.agents = agents
        self.counters = counters
        self._record = record
        self._observer = Observer(counters)
        self._calls: dict[str, Call] = {}
        self._legs: dict[str, str] = {}
        self._asking: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._partial_at_ms: dict[str, int] = {}
        self._agent_online = False
        self._alarm = Alarm(clock)
        self._ledger = Ledger(store, clock, self._calls.get, self._forget_done)
        self._performer = Performer(carrier, clock, self.submit, self._calls.get)
        self._replies = Replies(
            agents, clock, self.submit, lambda call: record(call).get("transcript", [])
        )
        self._tasks = TaskSet()
        self._finishing = TaskSet()
        self._changed = asyncio.Event()

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        self._agent_online = self.agents.available
        self.agents.on_change(self._agents_changed)
        self._tasks.spawn(self._alarm.run(self._deadline), "alarm")
        self._tasks.spawn(self._ledger.keep_trying(), "ledger")

    async def close(self) -> None:
        """Stop without ending calls; what is open is in the store."""
        await self._replies.close()
        await self._performer.close()
        await self._tasks.close()
        await self._finishing.settle(FINISH_MS)
        await self._finishing.close()
        await self._ledger.retry()

    async def settle(self, timeout_ms: int) -> None:
        """Wait until the carrier has had what was decided, for at most `timeout_ms`."""
        await self._performer.settle(timeout_ms)

    # -- reading ----------------------------------------------------------------------------------

    @property
    def open_calls(self) -> Sequence[Call]:
        return [call for call in self._calls.values() if not call.is_over]

    async def get(self, call_id: str) -> Call | None:
        """A call by our id, ended ones included."""
        return self._calls.get(call_id) or await self.store.get(call_id)

    async def find(self, provider_call_id: str) -> Call | None:
        """A call by the carrier's id."""
        call_id = self._legs.get(provider_call_id)
        if call_id is not None:
            return await self.get(call_id)
        return await self.store.find(provider_call_id)

    async def wait_for_change(self) -> None:
        """Returns when some call has moved."""
        await self._changed.wait()

    # -- changing ---------------------------------------------------------------------------------

    async def open(
        self,
        event: CallRequested | Incoming,
        *,
        intents: Sequence[Intent] = (),
        seen: Sequence[SeenKey] = (),
        rendered: frozenset[type] = frozenset(),
    ) -> Call:
        """Bring a call into being."""
        return await self._apply(None, event, intents=intents, seen=seen, rendered=rendered)

    def adopt(self, call: Call) -> None:
        """Take a call of an earlier process from the store, as it is."""
        self._remember(call)

    async def submit(
        self,
        call_id: str,
        event: Event,
        *,
        seen: Sequence[SeenKey] = (),
        rendered: frozenset[type] = frozenset(),
    ) -> Call | None:
        """Apply one event. `seen` keys are stored with its outcome; effects in `rendered` are
        carried out by whoever submits. Gives the call afterwards, None when there is no such."""
        call = self._calls.get(call_id)
        if call is None:
            call = await self.store.get(call_id)
            call = self._calls.get(call_id, call)
        if call is None:
            return None
        return await self._apply(call, event, seen=seen, rendered=rendered)

    async def ask(self, call_id: str, make: Callable[[str, int], Event]) -> Mapping[str, Any]:
        """Submit what `make(request_id, at_ms)` builds and wait for the answer to it.

        Raises `HostError` with the problem, or `callNotFound`. If the waiter goes away, the call
        is told.
        """
        request_id = str(uuid.uuid4())
        answer = self.expect(request_id)
        try:
            found = await self.submit(call_id, make(request_id, self.clock.now_ms()))
            if found is None:
                raise HostError(no_such_call(call_id))
            return await answer
        except asyncio.CancelledError:
            dropped = RequestDropped(self.clock.now_ms(), request_id)
            self._tasks.spawn(self.submit(call_id, dropped), f"dropped {request_id}")
            raise
        finally:
            self.stop_expecting(request_id)

    def expect(self, request_id: str) -> asyncio.Future[Mapping[str, Any]]:
        """The answer that some event's request will get: a result, or `HostError`."""
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._asking[request_id] = future
        return future

    def stop_expecting(self, request_id: str) -> None:
        self._asking.pop(request_id, None)

    async def tell(
        self, type: str, members: Mapping[str, Any], seen: Sequence[SeenKey] = ()
    ) -> None:
        """Journal an event that belongs to no call."""
        event = NewEvent(self.clock.now_ms(), type, None, members)
        await self._ledger.commit(Write(events=(event,), seen=seen))

    def partial(self, call_id: str, text: str) -> None:
        """Words that are not final yet: live only, and not too many of them."""
        now_ms = self.clock.now_ms()
        if now_ms - self._partial_at_ms.get(call_id, 0) < PARTIAL_GAP_MS:
            return
        self._partial_at_ms[call_id] = now_ms
        params = {"at": now_ms, "type": "call.partial", "callId": call_id, "transcript": text}
        body = json.dumps(params, separators=(",", ":"))
        self.journal.partial(JournalEvent(0, now_ms, "call.partial", call_id, body))

    async def tick(self) -> None:
        """Apply every deadline that has come."""
        for call_id in self._alarm.take_due(self.clock.now_ms()):
            await self._deadline(call_id)

    # -- inside -----------------------------------------------------------------------------------

    async def _apply(
        self,
        before: Call | None,
        event: Event,
        *,
        seen: Sequence[SeenKey] = (),
        intents: Sequence[Intent] = (),
        rendered: frozenset[type] = frozenset(),
    ) -> Call:
        after, effects = reduce(before, self._with_agent(before, event))
        self._observer.reduced(before, event, after)
        if after is not before:
            self._remember(after)
        write = Write(
            call=after if after is not before else None,
            events=self._new_events(after, effects, event.at_ms),
            seen=seen,
            intents=intents,
        )
        if write.call is None and not (write.events or seen or intents):
            self._perform(after, effects, rendered)
            return after
        undoable = isinstance(event, _UNDOABLE)
        # Whoever submitted may be cancelled; what was decided is stored and performed all the same.
        failure = await asyncio.shield(
            self._finishing.spawn(
                self._finish(before, after, effects, rendered, write, undoable), "finish"
            )
        )
        told = undoable or (isinstance(event, HangupRequested) and event.request_id)
        if failure is not None and told:
            raise failure
        return after

    async def _finish(
        self,
        before: Call | None,
        after: Call,
        effects: Sequence[Effect],
        rendered: frozenset[type],
        write: Write,
        undoable: bool,
    ) -> StoreError | None:
        """Commit, then perform. A host's request that cannot be stored is taken back instead."""
        failure: StoreError | None = None
        try:
            await self._ledger.commit(write)
        except StoreError as error:
            failure = error
            if undoable and self._undo(before, after, write):
                return failure
        self._perform(after, effects, rendered)
        self._forget_if_done(after.call_id)
        return failure

    def _with_agent(self, before: Call | None, event: Event) -> Event:
        """A new call knows from the start whether an agent is there to be asked."""
        if before is None and isinstance(event, CallRequested | Incoming):
            draft = replace(event.draft, agent_online=self._agent_online)
            return replace(event, draft=draft)
        return event

    def _new_events(self, call: Call, effects: Sequence[Effect], at_ms: int) -> list[NewEvent]:
        events = []
        for effect in effects:
            if isinstance(effect, Notify):
                members = dict(effect.members)
                if effect.type == "call.ended":
                    members["call"] = self._record(call)
                events.append(NewEvent(at_ms, effect.type, call.call_id, members))
        return events

    def _undo(self, before: Call | None, after: Call, write: Write) -> bool:
        """Take a host's request back that could not be stored, unless the call has moved on."""
        if self._calls.get(after.call_id) is not after:
            return False
        self._ledger.forget(write)
        if before is None:
            self._calls.pop(after.call_id, None)
            self._alarm.set(after.call_id, None)
        else:
            self._remember(before)
        return True

    def _remember(self, call: Call) -> None:
        self._calls[call.call_id] = call
        if call.provider_call_id is not None:
            self._legs[call.provider_call_id] = call.call_id
        self._alarm.set(call.call_id, next_deadline(call))
        self._changed.set()
        self._changed.clear()

    def _forget_if_done(self, call_id: str) -> None:
        """A call that has ended, is hung up and stored needs no memory."""
        call = self._calls.get(call_id)
        if call is None or not call.is_over or call.hangup_due or self._ledger.waiting:
            return
        del self._calls[call_id]
        self._partial_at_ms.pop(call_id, None)
        if call.provider_call_id is not None:
            self._legs.pop(call.provider_call_id, None)

    def _forget_done(self) -> None:
        for call_id in tuple(self._calls):
            self._forget_if_done(call_id)

    def _perform(self, call: Call, effects: Sequence[Effect], rendered: frozenset[type]) -> None:
        for effect in effects:
            match effect:
                case Notify():
                    pass
                case Reply(request_id, answer):
                    self._answer(request_id, answer)
                case AskAgent():
                    self._replies.ask(call, effect)
                case CancelReply(reply_id):
                    self._replies.cancel(reply_id)
                case _ if type(effect) in rendered:
                    pass
                case _:
                    self._performer.put(call.call_id, effect)

    def _answer(self, request_id: str, answer: Mapping[str, Any] | Problem) -> None:
        future = self._asking.get(request_id)
        if future is None or future.done():
            return
        if isinstance(answer, Problem):
            future.set_exception(HostError(answer))
        else:
            future.set_result(answer)

    async def _deadline(self, call_id: str) -> None:
        now_ms = self.clock.now_ms()
        call = self._calls.get(call_id)
        due_ms = next_deadline(call) if call is not None else None
        if call is None or due_ms is None:
            return
        if due_ms > now_ms:
            self._alarm.set(call_id, due_ms)
            return
        self._tasks.spawn(self.submit(call_id, DeadlinePassed(now_ms)), f"deadline {call_id}")

    def _agents_changed(self) -> None:
        online = self.agents.available
        if online is self._agent_online:
            return
        self._agent_online = online
        now_ms = self.clock.now_ms()
        event: Event = AgentOffered(now_ms) if online else AgentLost(now_ms)
        for call in self.open_calls:
            self._tasks.spawn(self.submit(call.call_id, event), f"agent {call.call_id}")


def no_such_call(call_id: str) -> Problem:
    return Problem(
        "callNotFound",
        "There is no call with this callId; voicecall.status lists the active ones.",
        data={"callId": call_id},
    )
