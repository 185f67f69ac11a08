"""The engine: the only place that changes a call. Reduce, commit, observe, perform, in that order.

Reducing and handing the result to the store happen without a pause on the event loop, so events of
one call are applied one after the other without a lock, and the journal has them in that order.
"""

import asyncio
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
    DeadlinePassed,
    DialFailed,
    Event,
    Incoming,
    RequestDropped,
    Restarted,
)
from sidecar.call.machine import next_deadline, reduce
from sidecar.call.model import Call
from sidecar.engine.alarm import Alarm
from sidecar.engine.clock import wait_until
from sidecar.engine.hands.partials import Partials
from sidecar.engine.hands.perform import Performer
from sidecar.engine.hands.replies import Replies
from sidecar.engine.hands.requests import Requests
from sidecar.engine.journal import Journal
from sidecar.engine.ledger import Ledger
from sidecar.engine.observe import Observer
from sidecar.engine.reduced import Reduced
from sidecar.engine.roster import Roster
from sidecar.errors import HostError, Problem, StoreError
from sidecar.ports import (
    Agents,
    Carrier,
    Clock,
    Counters,
    Intent,
    NewEvent,
    SeenKey,
    Store,
    Write,
)
from sidecar.tasks import TaskSet

FINISH_MS = 5_000
"""Longest wait at the end for writes that are under way."""

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
        self.requests = Requests()
        self._record = record
        self._observer = Observer(counters)
        self._alarm = Alarm(clock)
        self._roster = Roster(self._alarm)
        self._ledger = Ledger(store, clock, self._roster.get, self._store_is_back)
        self._performer = Performer(carrier, clock, self.submit, self._roster.get)
        self._replies = Replies(
            agents, clock, self.submit, lambda call: record(call).get("transcript", [])
        )
        self._tasks = TaskSet()
        self._finishing = TaskSet()
        self._newest: dict[str, asyncio.Task[StoreError | None]] = {}
        self._partials = Partials(journal, clock)
        self._warned: set[str] = set()
        self._agent_online = False
        self._closed = False

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        self._agent_online = self.agents.available
        self.agents.on_change(self._agents_changed)
        self._tasks.spawn(self._alarm.run(self._deadline), "alarm")
        self._tasks.spawn(self._ledger.keep_trying(), "ledger")

    async def close(self) -> None:
        """Stop without ending calls; what is open is in the store."""
        await self._tasks.close()
        await self._replies.close()
        await self._performer.close()
        self._closed = True
        await self._finishing.settle(FINISH_MS)
        await self._finishing.close()
        await self._ledger.retry()

    async def settle(self, timeout_ms: int) -> None:
        """Wait until what was decided is stored and the carrier has had it, for at most that
        long."""
        waiting = (self._finishing.settle(timeout_ms), self._performer.settle(timeout_ms))
        await asyncio.gather(*waiting)

    # -- reading ----------------------------------------------------------------------------------

    @property
    def open_calls(self) -> Sequence[Call]:
        return [call for call in self._roster if not call.is_over]

    async def get(self, call_id: str) -> Call | None:
        """A call by our id, ended ones included."""
        return self._roster.get(call_id) or await self.store.get(call_id)

    async def find(self, provider_call_id: str) -> Call | None:
        """A call by the carrier's id."""
        return self._roster.find(provider_call_id) or await self.store.find(provider_call_id)

    async def wait_for_change(self, until_ms: int | None = None) -> bool:
        """Returns when some call has moved; False when `until_ms` came first."""
        changed = self._roster.changed
        if until_ms is None:
            return await changed.wait()
        return await wait_until(self.clock, until_ms, changed.wait())

    # -- changing ---------------------------------------------------------------------------------

    async def open(
        self,
        event: CallRequested | Incoming,
        *,
        intents: Sequence[Intent] = (),
        seen: Sequence[SeenKey] = (),
        rendered: frozenset[type] = frozenset(),
    ) -> Call:
        """Bring a call into being. Raises `StoreError`, and there is none then."""
        draft = replace(event.draft, agent_online=self._agent_online)
        return await self._apply(
            None, replace(event, draft=draft), Write(seen=seen, intents=intents), rendered
        )

    async def adopt(self, call: Call) -> None:
        """Take over a call of an earlier process."""
        self._roster.put(call)
        now_ms = self.clock.now_ms()
        await self.submit(call.call_id, Restarted(now_ms, alive=None))
        if self._agent_online:
            await self.submit(call.call_id, AgentOffered(now_ms))

    async def submit(
        self,
        call_id: str,
        event: Event,
        *,
        seen: Sequence[SeenKey] = (),
        rendered: frozenset[type] = frozenset(),
        durable: bool = False,
    ) -> Call | None:
        """Apply one event. `seen` keys are stored with its outcome; effects in `rendered` are
        carried out by whoever submits. Gives the call afterwards, None when there is no such.

        Raises `StoreError` when a request of the host, or anything `durable`, is not on disk.
        """
        call = self._roster.get(call_id)
        if call is None:
            call = await self.store.get(call_id)
            call = self._roster.get(call_id) or call
        if call is None or self._closed:
            # Once closed, what happens is as if it happened after us: the next start asks for it.
            return call
        return await self._apply(call, event, Write(seen=seen), rendered, durable)

    async def ask(self, call_id: str, make: Callable[[str, int], Event]) -> Mapping[str, Any]:
        """Submit what `make(request_id, at_ms)` builds and wait for the answer to it.

        Raises `HostError` with the problem, or `callNotFound`. If the waiter goes away, the call
        is told.
        """
        request_id = str(uuid.uuid4())
        answer = self.requests.expect(request_id)
        try:
            found = await self.submit(call_id, make(request_id, self.clock.now_ms()))
            if found is None:
                raise HostError(no_such_call(call_id))
            return await answer
        except (asyncio.CancelledError, StoreError):
            dropped = RequestDropped(self.clock.now_ms(), request_id)
            self._tasks.spawn(self.submit(call_id, dropped), f"dropped {request_id}")
            raise
        finally:
            self.requests.forget(request_id)

    async def tell(
        self,
        type: str,
        members: Mapping[str, Any],
        seen: Sequence[SeenKey] = (),
        *,
        keep: bool = True,
    ) -> None:
        """Journal an event that belongs to no call. Raises `StoreError`; it is then written later
        unless `keep` is False."""
        event = NewEvent(self.clock.now_ms(), type, None, members)
        await self._ledger.commit(Write(events=(event,), seen=seen), keep=keep)

    def owes(self, key: str) -> bool:
        """Whether the news with this replay key was applied and waits to be stored."""
        return self._ledger.holds(key)

    def partial(self, call_id: str, text: str) -> None:
        """Words that are not final yet."""
        self._partials.tell(call_id, text)

    # -- inside -----------------------------------------------------------------------------------

    async def _apply(
        self,
        before: Call | None,
        event: Event,
        write: Write,
        rendered: frozenset[type],
        durable: bool = False,
    ) -> Call:
        after, effects = reduce(before, event)
        self._observer.reduced(before, event, after)
        if after is not before:
            self._roster.put(after)
            write = replace(write, call=after)
        write = replace(write, events=self._new_events(after, effects, event.at_ms))
        reduced = Reduced(before, event, after, effects, rendered, write, durable)
        if write == Write():
            self._perform(reduced)
            return after
        failure = await self._store_and_perform(reduced)
        if failure is not None and reduced.must_be_stored:
            raise failure
        return after

    async def _store_and_perform(self, reduced: Reduced) -> StoreError | None:
        call_id = reduced.after.call_id
        task: asyncio.Task[StoreError | None] = self._finishing.spawn(
            self._finish(reduced, self._newest.get(call_id)), f"finish {call_id}"
        )
        self._newest[call_id] = task
        task.add_done_callback(lambda _: self._no_longer_newest(call_id, task))
        # Whoever submitted may be cancelled; what was decided is stored and performed all the same.
        return await asyncio.shield(task)

    def _no_longer_newest(self, call_id: str, task: asyncio.Task[StoreError | None]) -> None:
        if self._newest.get(call_id) is task:
            del self._newest[call_id]

    async def _finish(
        self, reduced: Reduced, earlier: asyncio.Task[StoreError | None] | None
    ) -> StoreError | None:
        """Commit, then perform, behind the `earlier` event of the same call. A request that cannot
        be stored is taken back instead."""
        failure: StoreError | None = None
        try:
            await self._ledger.commit(reduced.write)
        except StoreError as error:
            failure = error
            if reduced.undoable and self._undo(reduced):
                return failure
            self._warn_of_store(reduced.after, failure)
        if earlier is not None and not earlier.done():
            await asyncio.wait((earlier,))
        if failure is not None and isinstance(reduced.event, CallRequested):
            # The new call has moved meanwhile and cannot be taken back; it is not dialled either.
            failed = DialFailed(self.clock.now_ms(), failure.problem)
            self._tasks.spawn(self.submit(reduced.after.call_id, failed), "not dialled")
        else:
            self._perform(reduced)
        self._forget_if_done(reduced.after.call_id)
        return failure

    def _new_events(self, call: Call, effects: Sequence[Effect], at_ms: int) -> Sequence[NewEvent]:
        events = []
        for effect in effects:
            if isinstance(effect, Notify):
                members = dict(effect.members)
                if effect.type == "call.ended":
                    members["call"] = self._record(call)
                events.append(NewEvent(at_ms, effect.type, call.call_id, members))
        return tuple(events)

    def _undo(self, reduced: Reduced) -> bool:
        """Take a request back that could not be stored, unless the call has moved on."""
        before, call_id = reduced.before, reduced.after.call_id
        if self._roster.get(call_id) is not reduced.after:
            return False
        self._ledger.forget(reduced.write)
        if before is None:
            self._roster.drop(call_id)
        else:
            self._roster.put(before)
        return True

    def _warn_of_store(self, call: Call, failure: StoreError) -> None:
        """Once per call and outage; nothing may stand behind `call.ended`."""
        current = self._roster.get(call.call_id)
        if call.call_id in self._warned or current is None or current.is_over:
            return
        self._warned.add(call.call_id)
        members = {"code": failure.problem.kind, "message": failure.problem.message}
        event = NewEvent(self.clock.now_ms(), "call.warning", call.call_id, members)
        self._ledger.keep(Write(events=(event,)))

    def _store_is_back(self) -> None:
        self._warned.clear()
        for call in self._roster:
            self._forget_if_done(call.call_id)

    def _forget_if_done(self, call_id: str) -> None:
        """A call that has ended, is hung up and stored needs no memory."""
        call = self._roster.get(call_id)
        if call is None or not call.is_over or self._ledger.waiting:
            return
        if call.hangup_due and call.provider_call_id is not None:
            return
        newest = self._newest.get(call_id)
        if newest is not None and newest is not asyncio.current_task():
            # Its end is not on disk yet; whoever looked there would find the call open.
            return
        self._roster.drop(call_id)
        self._partials.forget(call_id)

    def _perform(self, reduced: Reduced) -> None:
        call = reduced.after
        for effect in reduced.effects:
            match effect:
                case Notify():
                    pass
                case Reply(request_id, answer):
                    self.requests.answer(request_id, answer)
                case _ if self._closed or type(effect) in reduced.rendered:
                    pass
                case AskAgent():
                    self._replies.ask(call, effect)
                case CancelReply(reply_id):
                    self._replies.cancel(reply_id)
                case _:
                    self._performer.put(call.call_id, effect)

    async def _deadline(self, call_id: str) -> None:
        now_ms = self.clock.now_ms()
        call = self._roster.get(call_id)
        due_ms = next_deadline(call) if call is not None else None
        if due_ms is None:
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
