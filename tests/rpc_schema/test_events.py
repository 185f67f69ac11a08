"""The events of the contract: their types, their members, and one type per member name."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from sidecar.rpc.export.shapes import definitions, inlined
from sidecar.rpc.schema import Event

ENVELOPE = {"at", "seq", "type", "callId"}
MEMBERS: dict[str, set[str]] = {
    "call.initiated": set(),
    "call.ringing": set(),
    "call.answered": set(),
    "call.active": set(),
    "call.speaking": {"text", "utteranceId"},
    "call.utterance": {"utteranceId", "outcome", "heardText", "heardMs"},
    "call.listening": set(),
    "call.speech": {"transcript", "isFinal", "confidence", "language"},
    "call.partial": {"transcript"},
    "call.silence": {"durationMs"},
    "call.bargeIn": set(),
    "call.dtmf": {"digits"},
    "call.machine": {"result"},
    "call.turn": {"latency"},
    "call.transferred": set(),
    "call.warning": {"code", "message", "from", "to", "reason"},
    "call.rejected": {"from", "to", "providerCallId", "reason"},
    "call.error": {"error", "retryable"},
    "call.ended": {"reason", "call"},
    "pairing.requested": {"from", "code"},
    "sidecar.publicUrl": {"url"},
    "sidecar.draining": set(),
}
WITHOUT_CALL_ID = {"call.rejected", "pairing.requested", "sidecar.publicUrl", "sidecar.draining"}


def events() -> dict[str, dict[str, Any]]:
    types = definitions()
    mapping = types["Event"]["discriminator"]["mapping"]
    return {name: types[ref.rpartition("/")[2]] for name, ref in mapping.items()}


def test_event_types_and_members_are_those_of_the_contract() -> None:
    found = {name: set(shape["properties"]) - ENVELOPE for name, shape in events().items()}
    assert found == MEMBERS


def test_only_partial_speech_has_no_seq() -> None:
    assert [name for name, shape in events().items() if "seq" not in shape["properties"]] == [
        "call.partial"
    ]


def test_call_id_is_absent_where_there_is_no_call() -> None:
    without = {name for name, shape in events().items() if "callId" not in shape["properties"]}
    assert without == WITHOUT_CALL_ID


def test_type_is_required_and_has_one_value() -> None:
    for name, shape in events().items():
        assert shape["properties"]["type"]["const"] == name
        assert {"type", "at"} <= set(shape["required"])


def test_a_member_name_has_one_json_type_in_all_events() -> None:
    kinds: dict[str, set[str]] = {}
    for shape in events().values():
        for name, member in shape["properties"].items():
            whole = inlined(member)
            branches = whole.get("anyOf", [whole])
            kinds.setdefault(name, set()).update(branch["type"] for branch in branches)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_discriminator_picks_the_model() -> None:
    event = TypeAdapter(Event).validate_python(
        {"type": "call.dtmf", "seq": 1, "at": 2, "callId": "c", "digits": "1", "later": True}
    )
    assert type(event).__name__ == "CallDtmfEvent"


def test_event_without_its_members_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Event).validate_python({"type": "call.dtmf", "seq": 1, "at": 2, "callId": "c"})


def test_warning_code_is_an_open_set() -> None:
    TypeAdapter(Event).validate_python(
        {
            "type": "call.warning",
            "seq": 1,
            "at": 2,
            "callId": "c",
            "code": "somethingNew",
            "message": "Later.",
        }
    )
