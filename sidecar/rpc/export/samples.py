"""One valid instance of every type of the wire, for `schemas/examples/` and the OpenRPC document.

A sample has every member its type knows. A member's value goes by its name, which means the same
everywhere in the contract; the few exceptions are named with their type.
"""

from collections.abc import Mapping
from typing import Any

from sidecar.rpc.export.shapes import REF, definitions

_CALL_ID = "5f0c1c0e-3b1f-4a55-9d5e-0d4a2f6f3c11"
_STARTED_MS = 1_767_261_600_000

_MEMBERS: dict[str, Any] = {
    "agentId": "front-desk",
    "answeredAt": _STARTED_MS + 4_200,
    "at": _STARTED_MS + 9_000,
    "avgMs": 740,
    "before": "1767261600000:5f0c1c0e",
    "bargeInStop": 180,
    "callId": _CALL_ID,
    "callIds": [_CALL_ID],
    "code": "482913",
    "confidence": 0.93,
    "config": {"provider": "mock"},
    "count": 12,
    "counters": {"calls.placed": 3},
    "details": {"callId": _CALL_ID, "initiated": True},
    "digits": "12#",
    "drainMs": 5_000,
    "dtmf": "1",
    "dtmfSequence": "ww1234#",
    "durationMs": 4_000,
    "endedAt": _STARTED_MS + 31_000,
    "endReason": "hangup-user",
    "endpointing": 310,
    "listenWait": 2_100,
    "firstAudio": 198,
    "agent": 420,
    "synthesis": 190,
    "playout": 8,
    "total": 928,
    "error": "The carrier reported a media fault.",
    "errors": [{"field": "to", "problem": "must be a phone number in E.164 form"}],
    "field": "to",
    "fix": "Set publicUrl to an address the carrier can reach.",
    "force": False,
    "from": "+15550000000",
    "gauges": {"calls.active": 1},
    "heardMs": 2_150,
    "heardText": "Your table is booked for seven.",
    "hint": "Write the number with a plus sign and the country code.",
    "id": "s1",
    "idempotencyKey": "booking-4711",
    "index": 0,
    "info": {"title": "voicecall-sidecar", "version": "0.1.0"},
    "key": "publicUrl",
    "kind": "invalidParams",
    "language": "en",
    "last": 200,
    "lastSeq": 118,
    "limit": 50,
    "machine": "human",
    "maxMs": 1_480,
    "message": "Your table is booked for seven. Is that right?",
    "metadata": {"bookingId": "4711"},
    "methods": ["voicecall.initiate", "voicecall.end"],
    "minMs": 390,
    "missing": ["telnyx.apiKey"],
    "model": "fast",
    "moreInfo": "https://www.twilio.com/docs/errors/21211",
    "name": "gateway",
    "nextCursor": "1767175200000:1b7d9a42",
    "number": "+15550001234",
    "openrpc": "1.2.6",
    "operationId": "a5b0d7c2",
    "p50Ms": 690,
    "p95Ms": 1_310,
    "pid": 4242,
    "policy": "denyTo",
    "problem": "must be a phone number in E.164 form",
    "protocolVersion": 1,
    "provider": "mock",
    "providerCallId": "mock-5f0c1c0e",
    "publicUrl": "https://voice.example.com/voice/webhook",
    "reason": "hangup-user",
    "recordsScanned": 12,
    "requestId": "s1",
    "result": "human",
    "retryAfterMs": 1_000,
    "retryable": False,
    "seq": 117,
    "sessionKey": "voice:15550001234",
    "sid": _CALL_ID,
    "since": 100,
    "startedAt": _STARTED_MS,
    "state": "hangup-user",
    "status": 400,
    "streamId": "9b2a6f0e",
    "supported": [1],
    "systemPrompt": "Answer in one or two short spoken sentences.",
    "text": "Your table is booked for seven.",
    "timeoutMs": 30_000,
    "timestamp": _STARTED_MS + 5_000,
    "to": "+15550001234",
    "tokenFile": "/run/voicecall/token",
    "transcript": "Yes, that is right.",
    "types": ["call.speech", "call.ended"],
    "url": "ws://127.0.0.1:8765/",
    "utteranceId": "u1",
    "version": "0.1.0",
    "webhookUrl": "http://127.0.0.1:3334/voice/webhook",
}
_WHOLE: dict[str, dict[str, Any]] = {
    "CarrierAnswer": {
        "status": 400,
        "code": 21211,
        "message": "The 'To' number is not a valid phone number.",
        "moreInfo": "https://www.twilio.com/docs/errors/21211",
    },
    "ErrorObject": {
        "code": -32602,
        "message": "The params are wrong: to must be a phone number in E.164 form.",
    },
    "ErrorDetails": {"retryable": False},
    "CallEndedEvent": {"reason": "hangup-user"},
    "CallMachineEvent": {"result": "human"},
    "CallRejectedEvent": {"reason": "allowlist"},
    "CallWarningEvent": {
        "code": "voiceFallback",
        "message": "The voice of openai failed; elevenlabs speaks now.",
        "from": "openai",
        "to": "elevenlabs",
        "reason": "The vendor did not answer in time.",
    },
    "ReadinessCheck": {
        "id": "publicUrl",
        "status": "fail",
        "message": "publicUrl is a loopback address, so the carrier cannot call back.",
    },
    "ClientIdentity": {"name": "gateway", "version": "1.4.0"},
    "ServerIdentity": {"name": "voicecall-sidecar", "version": "0.1.0"},
    "SidecarPublicUrlEvent": {"url": "https://voice.example.com/voice/webhook"},
    "DiscoverResult": {"methods": [{"name": "voicecall.initiate"}]},
}
_LEFT_OUT: dict[str, frozenset[str]] = {
    # Members that exclude each other.
    "StatusResult": frozenset({"calls"}),
    "ContinueResultResult": frozenset({"error"}),
    "ToolParams": frozenset({"callId", "digits", "sid"}),
    "ErrorDetails": frozenset(
        {"callId", "reason", "missing", "policy", "carrier", "supported", "retryAfterMs"}
    ),
}
_CHOICES = {
    "CallMode": "conversation",
    "ToolMode": "conversation",
    "OperationStatus": "done",
    "ProviderName": "mock",
    "Event": "CallSpeechEvent",
}


def sample(name: str) -> Any:
    """One valid instance of the type called `name`."""
    shape = definitions()[name]
    if "oneOf" in shape:
        return sample(_CHOICES[name])
    if "enum" in shape:
        return _CHOICES.get(name, shape["enum"][0])
    own = _WHOLE.get(name, {})
    skipped = _LEFT_OUT.get(name, frozenset())
    return {
        member: own[member] if member in own else _member(member, inner)
        for member, inner in shape.get("properties", {}).items()
        if member not in skipped
    }


def _member(name: str, shape: Mapping[str, Any]) -> Any:
    """The value of a member: what its shape dictates, else what its name stands for."""
    if "$ref" in shape:
        return sample(shape["$ref"].removeprefix(REF))
    if "const" in shape:
        return shape["const"]
    if shape.get("type") == "array" and "$ref" in shape["items"]:
        return [sample(shape["items"]["$ref"].removeprefix(REF))]
    if shape.get("type") == "boolean":
        return True
    for branch in shape.get("anyOf", ()):
        if "$ref" in branch:
            return sample(branch["$ref"].removeprefix(REF))
    return _MEMBERS[name]
