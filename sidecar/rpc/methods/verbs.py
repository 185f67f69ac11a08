"""The verbs that change calls (calls.md, "Verbs")."""

from collections.abc import Mapping
from typing import Any

from sidecar.call.events import (
    ContinueRequested,
    DigitsRequested,
    HangupRequested,
    SpeakRequested,
)
from sidecar.call.model import Mode
from sidecar.engine.desk.drafts import DialRequest
from sidecar.errors import Problem
from sidecar.rpc.dispatch import RequestContext
from sidecar.rpc.errors import error_object
from sidecar.rpc.methods.services import Services
from sidecar.rpc.schema import (
    ContinueParams,
    ContinueResultParams,
    ContinueStartParams,
    DtmfParams,
    EndParams,
    InitiateParams,
    SpeakParams,
    StartParams,
    TransferParams,
    validate,
)

Result = Mapping[str, Any]
Params = dict[str, Any]


class Verbs:
    """One method each; the docstrings are in the contract."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._engine = services.engine

    async def initiate(self, context: RequestContext, params: Params) -> Result:
        return await self.dial(context, validate(InitiateParams, params))

    async def start(self, context: RequestContext, params: Params) -> Result:
        return await self.dial(context, validate(StartParams, params))

    async def dial(self, context: RequestContext, wish: InitiateParams | StartParams) -> Result:
        request = DialRequest(
            to=wish.to,
            message=wish.message,
            mode=Mode(wish.mode) if wish.mode is not None else None,
            session_key=wish.session_key,
            metadata=wish.metadata,
            idempotency_key=wish.idempotency_key,
            dtmf_sequence=wish.dtmf_sequence,
            force=wish.force,
        )

        def creating(call_id: str) -> None:
            context.creating(call_id)
            context.commit()

        return await self._services.dialling.initiate(request, creating)

    async def continue_call(self, context: RequestContext, params: Params) -> Result:
        wish = validate(ContinueParams, params)
        return await self._continue(wish.call_id, wish.message)

    async def continue_start(self, context: RequestContext, params: Params) -> Result:
        wish = validate(ContinueStartParams, params)
        call_id = await self._services.call_id_of(wish.call_id)
        work = self._continue(call_id, wish.message)
        return {"operationId": self._services.operations.begin(work)}

    async def continue_result(self, context: RequestContext, params: Params) -> Result:
        wish = validate(ContinueResultParams, params)
        outcome = self._services.operations.result(wish.operation_id)
        if outcome is None:
            return {"status": "pending"}
        if isinstance(outcome, Problem):
            return {"status": "failed", "error": error_object(outcome)}
        return {"status": "done", "transcript": outcome["transcript"]}

    async def _continue(self, given: str, text: str) -> Result:
        call_id = await self._services.call_id_of(given)
        return await self._engine.ask(
            call_id, lambda request_id, at_ms: ContinueRequested(at_ms, request_id, text)
        )

    async def speak(self, context: RequestContext, params: Params) -> Result:
        wish = validate(SpeakParams, params)
        call_id = await self._services.call_id_of(wish.call_id)
        return await self._engine.ask(
            call_id, lambda request_id, at_ms: SpeakRequested(at_ms, request_id, wish.message)
        )

    async def dtmf(self, context: RequestContext, params: Params) -> Result:
        wish = validate(DtmfParams, params)
        call_id = await self._services.call_id_of(wish.call_id)
        context.commit()
        return await self._engine.ask(
            call_id, lambda request_id, at_ms: DigitsRequested(at_ms, request_id, wish.digits)
        )

    async def end(self, context: RequestContext, params: Params) -> Result:
        wish = validate(EndParams, params)
        call_id = await self._services.call_id_of(wish.call_id)
        context.commit()
        return await self._engine.ask(
            call_id,
            lambda request_id, at_ms: HangupRequested(at_ms, request_id, wish.after_playout),
        )

    async def transfer(self, context: RequestContext, params: Params) -> Result:
        wish = validate(TransferParams, params)
        call_id = await self._services.call_id_of(wish.call_id)
        context.commit()
        return await self._services.dialling.transfer(call_id, wish.to, wish.message)
