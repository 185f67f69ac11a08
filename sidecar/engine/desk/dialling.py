"""Placing calls: who may be called, how many at once, and once only under an idempotency key."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from sidecar.call.events import CallRequested, TransferRequested
from sidecar.call.model import Mode
from sidecar.call.policy import refuse_dial, refuse_transfer
from sidecar.call.rules.time import DIAL_LOST
from sidecar.engine.desk.drafts import DialRequest, mode_of, outbound_draft
from sidecar.engine.engine import Engine
from sidecar.engine.settings import Settings
from sidecar.errors import HostError, Problem, StoreError
from sidecar.ports import Intent, Write

HOUR_MS = 3_600_000
KEY_LIFE_MS = 24 * HOUR_MS

log = structlog.get_logger()

OnCreating = Callable[[str], None]


class Dialling:
    """Turns a wish for a call into a call, or says why not."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        new_id: Callable[[], str],
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._new_id = new_id
        self._admission = asyncio.Lock()
        self._first_answers: dict[str, asyncio.Future[None]] = {}
        self._closed = False

    def close(self) -> None:
        """From now on new calls are refused."""
        self._closed = True

    def must_work(self) -> None:
        """Raises unless this sidecar may and can place calls."""
        if self._closed:
            raise HostError(Problem("shuttingDown", "The sidecar is shutting down."))
        self.must_reach_carrier()

    def must_reach_carrier(self) -> None:
        """Raises unless this sidecar may and can use its provider."""
        if not self._settings.enabled:
            raise HostError(
                Problem("disabled", "Voice calls are switched off; set `enabled` to true.")
            )
        missing = list(self._settings.missing)
        if missing:
            raise HostError(
                Problem(
                    "notConfigured",
                    f"The provider {self._settings.provider} is not configured; "
                    f"set {', '.join(missing)}.",
                    data={"missing": missing},
                )
            )
        if self._settings.unsupported is not None:
            raise HostError(Problem("unsupported", self._settings.unsupported))

    async def initiate(self, request: DialRequest, on_creating: OnCreating) -> Mapping[str, Any]:
        """Place a call; returns when the carrier accepted it.

        `on_creating(call_id)` is called just before the call's intent is committed.
        """
        self.must_work()
        to_number = self._destination(request)
        self._check_mode(request)
        if request.idempotency_key is None:
            return await self._dial(request, to_number, on_creating, None)
        return await self._dial_once(request, to_number, on_creating, request.idempotency_key)

    async def allow_transfer(self, to_number: str) -> None:
        """Raises `refusedByPolicy` unless a call may be handed to this number."""
        now_ms = self._engine.clock.now_ms()
        total, per_number = await self._dialled(to_number, now_ms)
        problem = refuse_transfer(self._settings.outbound, to_number, now_ms, total, per_number)
        if problem is not None:
            raise HostError(problem)

    async def transfer(self, call_id: str, to_number: str, text: str | None) -> Mapping[str, Any]:
        await self.allow_transfer(to_number)
        return await self._engine.ask(
            call_id, lambda request_id, at_ms: TransferRequested(at_ms, request_id, to_number, text)
        )

    # -- inside -----------------------------------------------------------------------------------

    def _destination(self, request: DialRequest) -> str:
        to_number = request.to or self._settings.default_to
        if to_number is None:
            raise _bad("to", "is missing; give it, or set `toNumber` in the configuration")
        return to_number

    def _check_mode(self, request: DialRequest) -> None:
        if mode_of(self._settings, request) is not Mode.NOTIFY:
            return
        if request.message is None:
            raise _bad("message", "is missing; a call in mode notify needs something to say")
        if request.dtmf_sequence:
            raise _bad("dtmfSequence", 'needs mode "conversation"; a "notify" call sends no digits')

    async def _dial(
        self,
        request: DialRequest,
        to_number: str,
        on_creating: OnCreating,
        digest: str | None,
    ) -> Mapping[str, Any]:
        engine, settings = self._engine, self._settings
        request_id = self._new_id()
        async with self._admission:
            self.must_work()
            problem = engine.carrier.cannot_dial()
            if problem is not None:
                raise HostError(problem)
            await self._admit(request, to_number)
            at_ms, call_id = engine.clock.now_ms(), self._new_id()
            draft = outbound_draft(settings, request, call_id, to_number, at_ms)
            intents: tuple[Intent, ...] = ()
            if request.idempotency_key is not None and digest is not None:
                until_ms = at_ms + KEY_LIFE_MS
                intents = (Intent(request.idempotency_key, digest, call_id, until_ms),)
            on_creating(call_id)
            answer = engine.requests.expect(request_id)
            try:
                await engine.open(CallRequested(at_ms, draft, request_id), intents=intents)
            except BaseException:
                engine.requests.forget(request_id)
                raise
        try:
            return await answer
        finally:
            engine.requests.forget(request_id)

    async def _admit(self, request: DialRequest, to_number: str) -> None:
        engine, settings = self._engine, self._settings
        now_ms = engine.clock.now_ms()
        total, per_number = await self._dialled(to_number, now_ms)
        problem = refuse_dial(
            settings.outbound, to_number, now_ms, total, per_number, request.force
        )
        if problem is not None:
            raise HostError(problem)
        if len(engine.open_calls) >= settings.max_calls:
            raise HostError(
                Problem(
                    "tooManyCalls",
                    "There are as many calls as `maxConcurrentCalls` allows "
                    f"({settings.max_calls}); wait for one to end.",
                )
            )

    async def _dialled(self, to_number: str, now_ms: int) -> tuple[int, int]:
        """Calls placed in the last hour: in total, and to this number."""
        limits, store = self._settings.outbound, self._engine.store
        since_ms = now_ms - HOUR_MS
        total = await store.dialled_since(since_ms) if limits.max_per_hour else 0
        if not limits.max_per_hour_per_number:
            return total, 0
        return total, await store.dialled_since(since_ms, to_number)

    # -- once only --------------------------------------------------------------------------------

    async def _dial_once(
        self, request: DialRequest, to_number: str, on_creating: OnCreating, key: str
    ) -> Mapping[str, Any]:
        """The first request under a key dials; the others wait for its answer and get the same."""
        digest = _digest(request, to_number)
        while (running := self._first_answers.get(key)) is not None:
            await asyncio.wait((running,))
        done = asyncio.get_running_loop().create_future()
        self._first_answers[key] = done
        try:
            intent = await self._engine.store.intent(key, self._engine.clock.now_ms())
            if intent is not None:
                return await self._repeat(intent, digest)
            return await self._first(request, to_number, on_creating, digest)
        finally:
            del self._first_answers[key]
            done.set_result(None)

    async def _first(
        self, request: DialRequest, to_number: str, on_creating: OnCreating, digest: str
    ) -> Mapping[str, Any]:
        created: list[str] = []

        def creating(call_id: str) -> None:
            created.append(call_id)
            on_creating(call_id)

        try:
            answer = await self._dial(request, to_number, creating, digest)
        except HostError as error:
            if created:
                await self._keep_answer(request, digest, created[0], error.problem)
            raise
        await self._keep_answer(request, digest, created[0], answer)
        return answer

    async def _keep_answer(
        self,
        request: DialRequest,
        digest: str,
        call_id: str,
        answer: Mapping[str, Any] | Problem,
    ) -> None:
        assert request.idempotency_key is not None
        until_ms = self._engine.clock.now_ms() + KEY_LIFE_MS
        text = _answer_text(answer)
        intent = Intent(request.idempotency_key, digest, call_id, until_ms, text)
        try:
            await self._engine.store.commit(Write(intents=(intent,)))
        except StoreError as error:
            # The key is bound all the same; a repeat then gets its answer from the call itself.
            log.warning("idempotency.answer_not_stored", call_id=call_id, reason=str(error))

    async def _repeat(self, intent: Intent, digest: str) -> Mapping[str, Any]:
        if intent.digest != digest:
            problem = "was used with other params before; use a new key for another call"
            raise HostError(
                Problem(
                    "invalidParams",
                    f"`idempotencyKey` {problem}.",
                    data={
                        "field": "idempotencyKey",
                        "errors": [{"field": "idempotencyKey", "problem": problem}],
                        "callId": intent.call_id,
                    },
                )
            )
        if intent.answer is not None:
            return _answer_of(intent.answer)
        return await self._answer_after_restart(intent.call_id)

    async def _answer_after_restart(self, call_id: str) -> Mapping[str, Any]:
        """The carrier's answer was lost with a process: the call's own fate is the answer."""
        while True:
            call = await self._engine.get(call_id)
            if call is None or (call.is_over and call.provider_call_id is None):
                data = {"callId": call_id}
                raise HostError(Problem(DIAL_LOST.kind, DIAL_LOST.message, data=data))
            if call.announced:
                return {"callId": call_id, "initiated": True}
            await self._engine.wait_for_change()


def _bad(field: str, problem: str) -> HostError:
    errors = [{"field": field, "problem": problem}]
    data = {"field": field, "errors": errors}
    return HostError(Problem("invalidParams", f"`{field}` {problem}.", data=data))


def _digest(request: DialRequest, to_number: str) -> str:
    """What must be the same when a key is used again."""
    same = (
        to_number,
        request.message,
        request.mode.value if request.mode else None,
        request.session_key,
        request.metadata,
        request.dtmf_sequence,
        request.force,
    )
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def _answer_text(answer: Mapping[str, Any] | Problem) -> str:
    if isinstance(answer, Problem):
        problem = {
            "kind": answer.kind,
            "message": answer.message,
            "retryable": answer.retryable,
            "data": dict(answer.data),
        }
        return json.dumps({"problem": problem})
    return json.dumps({"result": dict(answer)})


def _answer_of(text: str) -> Mapping[str, Any]:
    answer = json.loads(text)
    if "problem" in answer:
        raise HostError(Problem(**answer["problem"]))
    result: Mapping[str, Any] = answer["result"]
    return result
