"""The loop that both transports share: messages in, answers and events out, for one client.

Bytes and sockets are `stdio` and `websocket`; what a method does is in the handlers.
"""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import structlog

from sidecar.errors import HostError, Problem
from sidecar.rpc.dispatch import BatchAnswers, Reply, RequestContext, attempt, encoded, object_of
from sidecar.rpc.errors import (
    error_response,
    failed_response,
    internal_error,
    invalid_request,
    overloaded,
)
from sidecar.rpc.handshake import INITIALIZE, PING, Agreement, Handshake, House, Shared, filter_of
from sidecar.rpc.message import (
    Batch,
    Element,
    Invalid,
    Notification,
    Request,
    Response,
    dump,
    notification,
    parse,
    too_long,
)
from sidecar.rpc.outgoing import LIMIT_BYTES, Outgoing
from sidecar.rpc.pump import Pump
from sidecar.rpc.schema import EmptyParams, validate

IN_FLIGHT_LIMIT = 1_000
CONGESTED_BYTES = 2 * LIMIT_BYTES

_log = structlog.get_logger()
_numbers = count(1)


class Connection:
    """One client. `feed` takes one text at a time; everything else happens by itself.

    `cut` closes the transport when the reader has stalled; None where events wait instead.
    """

    def __init__(
        self,
        shared: Shared,
        outgoing: Outgoing,
        *,
        configures: bool = False,
        cut: Callable[[], None] | None = None,
    ) -> None:
        self.name = f"c{next(_numbers)}"
        self.outgoing = outgoing
        self._shared = shared
        self._pump = Pump(outgoing, shared.clock, cut)
        self._handshake = Handshake(shared, configures)
        self._in_flight: set[RequestContext] = set()
        self._by_id: dict[str | int, RequestContext] = {}
        self._work: dict[asyncio.Task[None], RequestContext] = {}
        self._pumping: asyncio.Task[None] | None = None
        self._last_request = 0
        self._gate = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._opened = False
        self._configuring = False
        self._closed = False

    # -- the house ------------------------------------------------------------------------------

    def open(self, house: House) -> None:
        """Everything is up: `sidecar.ready` goes out first, then what has waited."""
        if self._closed:
            return
        self._opened = True
        self._pump.open(house.journal)
        self.outgoing.begin(notification("sidecar.ready", dict(house.ready_params())))
        self._pumping = asyncio.get_running_loop().create_task(self._pump.run())
        self._pumping.add_done_callback(self._pump_ended)
        if not self._configuring:
            self._gate.set()

    def _pump_ended(self, pumping: asyncio.Task[None]) -> None:
        if not pumping.cancelled() and (fault := pumping.exception()) is not None:
            # Answers still work, and the client finds the events by replay.
            _log.error("events.stopped", connection=self.name, exc_info=fault)

    async def finish(self) -> None:
        """Wait until every request has its answer and no notification is being worked on."""
        await self._idle.wait()

    def refuse_rest(self) -> None:
        """Answer what is still in flight: the process goes, and `sidecar.ready` will not come any
        more if it has not come yet."""
        if not self._opened:
            self.outgoing.begin()
        problem = Problem("shuttingDown", "The sidecar is shutting down.")
        for context in list(self._work.values()):
            context.stop(problem)

    async def drained(self) -> None:
        """Wait until every event so far and every answer has been written."""
        if self._pumping is not None:
            await self._pump.caught_up()
        await self.outgoing.flush()

    def input_ended(self) -> None:
        """The client sends no more: it cannot answer either."""
        self._shared.agents.withdraw(self)

    @property
    def busy(self) -> bool:
        return bool(self._work)

    async def close(self) -> None:
        """The client has gone. Committed requests run on to their end, unheard; others stop."""
        if self._closed:
            return
        self._closed = True
        self._shared.agents.withdraw(self)
        self.outgoing.close()
        problem = Problem("cancelled", "The client disconnected.")
        stopping = [task for task, context in self._work.items() if not context.committed]
        for task in stopping:
            self._work[task].stop(problem)
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.wait([self._pumping])
        if stopping:
            await asyncio.wait(stopping)

    # -- for handlers and agents ----------------------------------------------------------------

    def send(self, message: bytes) -> None:
        """Queue a message; before `sidecar.ready`, behind it."""
        self.outgoing.put(message)

    def hold(self, call_id: str) -> None:
        self._pump.hold(call_id)

    def release(self, call_id: str) -> None:
        self._pump.release(call_id)

    def subscribe(self, types: list[str] | None, call_ids: list[str] | None) -> None:
        self._pump.subscribe(filter_of(types), filter_of(call_ids))

    # -- what comes in --------------------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """So much is unread that reading on would only make it more, or requests would have to be
        refused for no other reason than that the library is still being loaded."""
        return self.outgoing.size > CONGESTED_BYTES or (
            len(self._in_flight) > IN_FLIGHT_LIMIT // 2 and self._is_warming
        )

    @property
    def _is_warming(self) -> bool:
        house = self._shared.house
        return house is not None and not house.dispatcher.is_warm

    async def relieved(self) -> None:
        """Wait until it is sensible to read on."""
        if self._is_warming and self._shared.house is not None:
            await self._shared.house.dispatcher.warm()
        await self.outgoing.below(LIMIT_BYTES)

    def feed(self, text: bytes | str) -> None:
        """Take one message."""
        if self._closed:
            return
        message = parse(text)
        if isinstance(message, Batch):
            answers = BatchAnswers(len(message.elements), self._answer_batch)
            for position, element in enumerate(message.elements):
                self._take(element, answers.slot(position))
        else:
            self._take(message, self._answer)

    def feed_too_long(self) -> None:
        """Take a message that was too long to be read."""
        if not self._closed:
            self._take(too_long(), self._answer)

    def _take(self, element: Element, reply: Reply) -> None:
        match element:
            case Request():
                self._shared.counters.count("rpc.requests")
                self._take_request(element, reply)
            case Notification():
                self._take_notification(element)
                reply(None, None)
            case Response():
                self._shared.agents.respond_arrived(self, element)
                reply(None, None)
            case Invalid():
                self._shared.counters.count("rpc.invalid")
                reply(dump(error_response(element.id, element.problem)), None)

    def _take_notification(self, element: Notification) -> None:
        if element.method == "$/cancelRequest":
            self._cancel(element.params)
        elif element.method == "agent.delta":
            self._shared.agents.delta_arrived(self, element.params)
        elif not element.method.startswith("$/") and len(self._work) < IN_FLIGHT_LIMIT:
            unanswered = Request(None, element.method, element.params)
            if element.method == INITIALIZE:
                self._take_initialize(unanswered, _nobody)
            elif element.method != PING:
                self._handshake.passed_over()
                self._start(unanswered, _nobody)

    def _take_request(self, request: Request, reply: Reply) -> None:
        if request.id is not None and request.id in self._by_id:
            problem = invalid_request("This id belongs to a request that is still in flight.")
            reply(dump(error_response(None, problem)), None)
            return
        if request.method == INITIALIZE:
            self._take_initialize(request, reply)
            return
        self._handshake.passed_over()
        if request.method == PING:
            self._pong(request, reply)
        elif len(self._in_flight) >= IN_FLIGHT_LIMIT:
            self._refuse(request, reply, "Too many requests are in flight; wait for answers.")
        elif self.outgoing.over:
            self._refuse(request, reply, "Too many answers are unread; read them first.")
        else:
            self._start(request, reply)

    def _refuse(self, request: Request, reply: Reply, message: str) -> None:
        self._shared.counters.count("rpc.overloaded")
        reply(dump(error_response(request.id, overloaded(message))), None)

    def _pong(self, request: Request, reply: Reply) -> None:
        """At once, before `sidecar.ready` too."""
        try:
            validate(EmptyParams, object_of(request.params))
        except HostError as error:
            answer = error_response(request.id, error.problem)
        else:
            result = {"pong": True, "at": self._shared.clock.wall_ms()}
            answer = {"jsonrpc": "2.0", "result": result, "id": request.id}
        if reply == self._answer:
            self.outgoing.put(dump(answer), at_once=True)
        else:
            reply(dump(answer), None)

    def _take_initialize(self, request: Request, reply: Reply) -> None:
        try:
            self._handshake.begin()
        except HostError as error:
            reply(dump(error_response(request.id, error.problem)), None)
            return
        self._pump.pause()
        self._start(request, reply)

    def _cancel(self, params: Any) -> None:
        request_id = params.get("id") if isinstance(params, dict) else None
        if isinstance(request_id, str | int) and not isinstance(request_id, bool):
            context = self._by_id.get(request_id)
            if context is not None and not context.committed:
                context.stop(Problem("cancelled", "The request was cancelled."))

    # -- the work -------------------------------------------------------------------------------

    def _start(self, request: Request, reply: Reply) -> None:
        """Register the request now, so that a cancel right behind it finds it."""
        self._last_request += 1
        context = RequestContext(self, f"{self.name}.{self._last_request}", request.id)
        if reply is not _nobody:
            self._in_flight.add(context)
            if request.id is not None:
                self._by_id[request.id] = context
        task = asyncio.get_running_loop().create_task(self._serve(request, context, reply))
        context.runs_in(task)
        self._work[task] = context
        self._idle.clear()
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        del self._work[task]
        self._check_idle()

    def _check_idle(self) -> None:
        if not self._work and not self._in_flight:
            self._idle.set()

    async def _serve(self, request: Request, context: RequestContext, reply: Reply) -> None:
        """The task of one request."""
        initialize = request.method == INITIALIZE
        answer: dict[str, Any]
        try:
            if not context.begin():
                raise asyncio.CancelledError
            if initialize and self._handshake.brings_configuration:
                self._configuring = True
            elif not self._gate.is_set():
                await self._gate.wait()
            if initialize:
                answer = await self._initialize(request, context)
            else:
                answer = await self._dispatch(request, context)
        except asyncio.CancelledError:
            problem = context.stopped or Problem("shuttingDown", "The sidecar is shutting down.")
            answer = error_response(request.id, problem)
        except Exception:
            # Task root: handlers are guarded where they are called, so this is the library or us;
            # the client gets its answer all the same.
            _log.exception("request.failed", request_id=context.request_id)
            answer = failed_response(request.id, internal_error())
        if initialize and "error" in answer:
            self._handshake.end(succeeded=False)
            self._pump.go_on()
            self._reply_to_failed_initialize(answer, context, reply)
        else:
            reply(encoded(answer), context)
        if initialize and self._opened:
            # Requests that came before wait for this answer when it brought the configuration.
            self._gate.set()

    async def _dispatch(self, request: Request, context: RequestContext) -> dict[str, Any]:
        house = self._shared.house
        if house is None:
            raise RuntimeError("the gate is open before the house is")
        return await house.dispatcher.dispatch(request, context)

    async def _initialize(self, request: Request, context: RequestContext) -> dict[str, Any]:
        agreements: list[Agreement] = []

        async def handler(context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
            agreements.append(await self._handshake.run(context, params))
            return agreements[0].answer

        result, error = await attempt(handler, context, request.params)
        if error is not None:
            return failed_response(request.id, error)
        self._handshake.end(succeeded=True)
        context.on_answered(lambda: self._begin(agreements[0]))
        return {"jsonrpc": "2.0", "result": result, "id": request.id}

    def _begin(self, agreement: Agreement) -> None:
        """The answer is out: now the events it promised, and requests of our own."""
        self._pump.restart(agreement.wish)
        if agreement.agent and not self._closed:
            self._shared.agents.offer(self)

    def _reply_to_failed_initialize(
        self, answer: dict[str, Any], context: RequestContext, reply: Reply
    ) -> None:
        """Before anything is open this is the one answer that cannot wait for `sidecar.ready`:
        the client has to mend its configuration first."""
        if reply == self._answer:
            self.outgoing.put(dump(answer), at_once=True)
            self._finished(context)
        else:
            reply(dump(answer), context)

    # -- what goes out --------------------------------------------------------------------------

    def _answer(self, message: bytes | None, context: RequestContext | None) -> None:
        if message is not None:
            self.send(message)
        if context is not None:
            self._finished(context)

    def _answer_batch(self, message: bytes | None, contexts: list[RequestContext]) -> None:
        if message is not None:
            self.send(message)
        for context in contexts:
            self._finished(context)

    def _finished(self, context: RequestContext) -> None:
        """The answer is queued: the id is free again."""
        self._in_flight.discard(context)
        if context.id is not None and self._by_id.get(context.id) is context:
            del self._by_id[context.id]
        context.answered()
        self._check_idle()


def _nobody(message: bytes | None, context: RequestContext | None) -> None:
    """Where the outcome of a notification goes."""
    if context is not None:
        context.answered()
