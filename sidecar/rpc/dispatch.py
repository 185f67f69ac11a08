"""From one classified request to its answer: the walk through jsonrpcserver, and what a handler is
given beside its params.

jsonrpcserver finds the method and builds the response. It sees one parsed request at a time, and
every handler wrapped, so that no foreign exception reaches it: it would put the text of one on the
wire. Parsing, ids, batches, cancellation and writing are `message` and `connection`.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import structlog

from sidecar.errors import HostError, Problem, SidecarError
from sidecar.rpc.errors import error_object, failed_response, internal_error
from sidecar.rpc.message import Id, Request, dump

_log = structlog.get_logger()


class Caller(Protocol):
    """The connection a request came by, as far as a handler needs it."""

    name: str

    def hold(self, call_id: str) -> None:
        """Send nothing from the first event of this call on, until `release`."""
        ...

    def release(self, call_id: str) -> None: ...

    def subscribe(self, types: list[str] | None, call_ids: list[str] | None) -> None: ...


class RequestContext:
    """One request from its reading until its answer is queued. `id` is the client's, `request_id`
    ours and unique in this process."""

    __slots__ = (
        "_answered",
        "_committed",
        "_started",
        "_stopped",
        "_task",
        "connection",
        "id",
        "request_id",
    )

    def __init__(self, connection: Caller, request_id: str, client_id: Id) -> None:
        self.connection = connection
        self.request_id = request_id
        self.id = client_id
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._committed = False
        self._stopped: Problem | None = None
        self._answered: list[Callable[[], None]] = []

    # -- for handlers ---------------------------------------------------------------------------

    def commit(self) -> None:
        """From here on the request cannot be cancelled: its normal answer comes."""
        self._committed = True

    def creating(self, call_id: str) -> None:
        """Hold back this call's events, and what follows them on this connection, until this
        request's answer has been queued. To be called before the call is stored."""
        self.connection.hold(call_id)
        self._answered.append(lambda: self.connection.release(call_id))

    def on_answered(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the answer has been queued, or is known never to be."""
        self._answered.append(callback)

    # -- for the connection ---------------------------------------------------------------------

    @property
    def committed(self) -> bool:
        return self._committed

    @property
    def stopped(self) -> Problem | None:
        """Why the request is to be answered with a problem instead of being worked on."""
        return self._stopped

    def runs_in(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def begin(self) -> bool:
        """Tell that the task has started; False when it was stopped before."""
        self._started = True
        return self._stopped is None

    def stop(self, problem: Problem) -> None:
        """Answer with `problem`. A task that has not started yet is not cancelled: its coroutine
        would never run, and nobody would answer."""
        if self._stopped is None:
            self._stopped = problem
            if self._started and self._task is not None:
                self._task.cancel()

    def answered(self) -> None:
        callbacks, self._answered = self._answered, []
        for callback in callbacks:
            callback()


Reply = Callable[[bytes | None, RequestContext | None], None]
"""Where an answer goes: its text, None for none, and the request it belongs to, if it ran."""


class BatchAnswers:
    """Collects the answers of a batch; they go out together, in the order of the batch."""

    def __init__(
        self, size: int, done: Callable[[bytes | None, list[RequestContext]], None]
    ) -> None:
        self._slots: list[bytes | None] = [None] * size
        self._contexts: list[RequestContext] = []
        self._missing = size
        self._done = done

    def slot(self, position: int) -> Reply:
        def reply(message: bytes | None, context: RequestContext | None) -> None:
            self._slots[position] = message
            if context is not None:
                self._contexts.append(context)
            self._missing -= 1
            if self._missing == 0:
                given = [answer for answer in self._slots if answer is not None]
                self._done(b"[" + b",".join(given) + b"]" if given else None, self._contexts)

        return reply


Handler = Callable[[RequestContext, dict[str, Any]], Awaitable[Mapping[str, Any]]]


async def attempt(
    handler: Handler, context: RequestContext, params: Any
) -> tuple[Mapping[str, Any] | None, dict[str, Any] | None]:
    """Run a handler: its result, or the error object to answer with."""
    try:
        return await handler(context, object_of(params)), None
    except SidecarError as error:
        return None, error_object(error.problem)
    except Exception:
        # Task root: whatever else a handler raises is a fault of ours. The log gets the trace, the
        # client one sentence.
        _log.exception("request.failed", request_id=context.request_id)
        return None, internal_error()


def encoded(answer: dict[str, Any]) -> bytes:
    """The answer as text; every request gets one, even when its result has no JSON form."""
    try:
        return dump(answer)
    except (TypeError, ValueError, RecursionError):
        _log.exception("request.unserialisable")
        return dump(failed_response(answer["id"], internal_error()))


def object_of(params: Any) -> dict[str, Any]:
    """The params of our methods: an object, or none at all, which is an empty one."""
    if params is None:
        return {}
    if isinstance(params, dict):
        return params
    errors = [{"field": "params", "problem": "must be an object"}]
    raise HostError(
        Problem(
            "invalidParams",
            "The params must be an object.",
            data={"errors": errors, "field": "params"},
        )
    )


class Dispatcher:
    """The methods of this sidecar, by name."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = dict(handlers)
        self._library: _Library | None = None
        self._loading: asyncio.Future[_Library] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._handlers)

    @property
    def is_warm(self) -> bool:
        return self._library is not None

    async def warm(self) -> None:
        """Load jsonrpcserver, away from the loop because it takes a fifth of a second."""
        await self._loaded()

    async def dispatch(self, request: Request, context: RequestContext) -> dict[str, Any]:
        if request.method not in self._handlers:
            # The library would answer too, but with the bare name as `data`.
            return failed_response(request.id, error_object(_no_such_method(request.method)))
        library = self._library or await self._loaded()
        return await library.run(request, context)

    async def _loaded(self) -> "_Library":
        if self._loading is None:
            loop = asyncio.get_running_loop()
            self._loading = loop.run_in_executor(None, _Library, self._handlers)
        # One loading serves every waiter; a cancelled waiter must not cancel it for the others.
        self._library = await asyncio.shield(self._loading)
        return self._library


def _no_such_method(method: str) -> Problem:
    shown = method if len(method) <= 80 else method[:80] + "..."
    return Problem("methodNotFound", f'There is no method "{shown}"; rpc.discover lists them.')


class _Library:
    """jsonrpcserver with our handlers in it. Importing costs 190 ms, so it is imported here."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        from jsonrpcserver import Error, Success, async_dispatch_to_serializable

        self._success = Success
        self._error = Error
        self._dispatch = async_dispatch_to_serializable
        self._methods = {name: self._wrapped(handler) for name, handler in handlers.items()}

    async def run(self, request: Request, context: RequestContext) -> dict[str, Any]:
        response = await self._dispatch(
            {
                "jsonrpc": "2.0",
                "method": request.method,
                # In a list, so that no name a client makes up is ever a Python keyword argument.
                "params": [request.params],
                "id": request.id,
            },
            methods=self._methods,
            context=context,
            deserializer=_identity,
            validator=_identity,
        )
        # One request that has an id has one response.
        return cast(dict[str, Any], response)

    def _wrapped(self, handler: Handler) -> Callable[[RequestContext, Any], Awaitable[Any]]:
        async def method(context: RequestContext, params: Any) -> Any:
            result, error = await attempt(handler, context, params)
            if error is not None:
                return self._error(**error)
            return self._success(result)

        # The library binds the arguments to the signature for every request; with this it need
        # not work the signature out anew each time.
        method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
        return method


def _identity(value: Any) -> Any:
    return value
