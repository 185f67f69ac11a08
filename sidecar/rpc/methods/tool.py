"""The agent tool `voice_call`: agents see results, also of failures, never JSON-RPC errors."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sidecar.call.spoken import speakable
from sidecar.errors import HostError, Problem, SidecarError
from sidecar.rpc.dispatch import RequestContext
from sidecar.rpc.methods.reading import Reading
from sidecar.rpc.methods.verbs import Verbs
from sidecar.rpc.schema import ToolParams, validate

Result = Mapping[str, Any]


class Tool:
    """Runs one action of the tool through the verb that does it."""

    def __init__(
        self, verbs: Verbs, reading: Reading, must_reach_carrier: Callable[[], None]
    ) -> None:
        """`must_reach_carrier` raises when calls are switched off or cannot be placed."""
        self._must_reach_carrier = must_reach_carrier
        self._verbs = verbs
        self._reading = reading

    async def run(self, context: RequestContext, params: dict[str, Any]) -> Result:
        try:
            return _answer(await self._act(context, validate(ToolParams, params)))
        except SidecarError as error:
            problem = error.problem
            details = {"error": problem.message, "kind": problem.kind}
            return _answer({**details, "retryable": problem.retryable})

    async def _act(self, context: RequestContext, wish: ToolParams) -> Result:
        action = wish.action or _older_action(wish)
        if action != "get_status":
            self._must_reach_carrier()
        match action:
            case "initiate_call":
                call: dict[str, Any] = {"message": _text(wish), "to": wish.to}
                if wish.mode in ("notify", "conversation"):
                    call["mode"] = wish.mode
                call["dtmfSequence"] = wish.dtmf_sequence
                return await self._verbs.initiate(context, _given(call))
            case "continue_call":
                params = {"callId": _call_id(wish), "message": _text(wish)}
                return await self._verbs.continue_call(context, params)
            case "speak_to_user":
                params = {"callId": _call_id(wish), "message": _text(wish)}
                return await self._verbs.speak(context, params)
            case "send_dtmf":
                digits = _required("digits", wish.digits)
                params = {"callId": _call_id(wish), "digits": digits}
                return await self._verbs.dtmf(context, params)
            case "end_call":
                return await self._verbs.end(context, {"callId": _call_id(wish)})
            case _:
                return await self._reading.status(context, {"callId": _call_id(wish)})


def _older_action(wish: ToolParams) -> str:
    """The form before `action`: `mode` says `call` or `status`, and `sid` names the call."""
    return "get_status" if wish.mode == "status" else "initiate_call"


def _call_id(wish: ToolParams) -> str:
    name = "callId" if wish.action is not None else "sid"
    return _required(name, wish.call_id or wish.sid)


def _text(wish: ToolParams) -> str:
    """What an agent writes is made speakable: its markup is not for ears."""
    return _required("message", speakable(_required("message", wish.message)))


def _required(name: str, value: str | None) -> str:
    if value:
        return value
    problem = "is missing or says nothing"
    errors = [{"field": name, "problem": problem}]
    raise HostError(
        Problem("invalidParams", f"`{name}` {problem}.", data={"field": name, "errors": errors})
    )


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _answer(details: Mapping[str, Any]) -> Result:
    text = json.dumps(details, ensure_ascii=False)
    return {"content": [{"type": "text", "text": text}], "details": dict(details)}
