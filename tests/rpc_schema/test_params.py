"""What each method accepts, and what it refuses."""

from typing import Any

import pytest

from sidecar.errors import HostError
from sidecar.rpc.schema import (
    AckParams,
    AgentDeltaParams,
    AgentRespondResult,
    ContinueParams,
    DtmfParams,
    EmptyParams,
    EndParams,
    HistoryParams,
    InitializeParams,
    InitiateParams,
    LatencyParams,
    PairingApproveParams,
    ReplayParams,
    SetupParams,
    ShutdownParams,
    SpeakParams,
    StartParams,
    StatusParams,
    SubscribeParams,
    ToolParams,
    TransferParams,
    WireModel,
    to_wire,
    validate,
)

NUMBER = "+15550001234"


def bad_fields(model: type[WireModel], params: dict[str, Any]) -> list[str]:
    with pytest.raises(HostError) as caught:
        validate(model, params)
    problem = caught.value.problem
    assert problem.kind == "invalidParams"
    fields = [error["field"] for error in problem.data["errors"]]
    assert problem.data["field"] == fields[0]
    return fields


def test_message_and_call_id_are_trimmed() -> None:
    params = validate(SpeakParams, {"callId": " c1 ", "message": "\n Hello. "})
    assert (params.call_id, params.message) == ("c1", "Hello.")


@pytest.mark.parametrize("model", [ContinueParams, SpeakParams])
def test_blank_message_and_call_id_are_refused(model: type[WireModel]) -> None:
    assert bad_fields(model, {"callId": " ", "message": "\t"}) == ["callId", "message"]


def test_message_may_have_4000_characters_after_trimming_and_no_more() -> None:
    text = "ü" * 4_000
    assert validate(InitiateParams, {"message": f"  {text}  "}).message == text
    assert bad_fields(InitiateParams, {"message": text + "x"}) == ["message"]


@pytest.mark.parametrize(
    "number", ["15550001234", "+0555", "+1", "+1234567890123456", "+1 555", "tel:+1555", ""]
)
def test_number_that_is_not_e164_is_refused(number: str) -> None:
    assert bad_fields(InitiateParams, {"message": "Hi.", "to": number}) == ["to"]
    assert bad_fields(StartParams, {"to": number}) == ["to"]
    assert bad_fields(TransferParams, {"callId": "c", "to": number}) == ["to"]


def test_metadata_may_have_16_kib_as_json_and_no_more() -> None:
    room = 16 * 1024 - len('{"a":""}')
    fits = validate(InitiateParams, {"message": "Hi.", "metadata": {"a": "x" * room}})
    assert fits.metadata == {"a": "x" * room}
    too_big = {"message": "Hi.", "metadata": {"a": "x" * (room + 1)}}
    assert bad_fields(InitiateParams, too_big) == ["metadata"]


def test_metadata_limit_counts_bytes_not_characters() -> None:
    assert bad_fields(InitiateParams, {"message": "Hi.", "metadata": {"a": "é" * 9_000}}) == [
        "metadata"
    ]


def test_metadata_is_kept_untouched() -> None:
    metadata = {"a": None, "b": [1, 2.5, {"c": False}], "D_e": "ü"}
    params = validate(InitiateParams, {"message": "Hi.", "metadata": metadata})
    assert to_wire(params)["metadata"] == metadata


@pytest.mark.parametrize("digits", ["", "12a", "1" * 33, "1 2", "+1"])
def test_wrong_digits_are_refused(digits: str) -> None:
    assert bad_fields(DtmfParams, {"callId": "c", "digits": digits}) == ["digits"]
    assert bad_fields(StartParams, {"to": NUMBER, "dtmfSequence": digits}) == ["dtmfSequence"]


def test_every_digit_and_pause_is_accepted() -> None:
    assert validate(DtmfParams, {"callId": "c", "digits": "0123456789ABCD*#wW"}).digits


def test_dtmf_sequence_with_notify_names_the_sequence() -> None:
    params = {"message": "Hi.", "mode": "notify", "dtmfSequence": "1#"}
    assert bad_fields(InitiateParams, params) == ["dtmfSequence"]
    assert validate(InitiateParams, {**params, "mode": "conversation"}).dtmf_sequence == "1#"


def test_start_needs_a_number_and_no_message() -> None:
    assert bad_fields(StartParams, {}) == ["to"]
    assert validate(StartParams, {"to": NUMBER}).message is None


@pytest.mark.parametrize(
    ("model", "params", "field"),
    [
        (AckParams, {"seq": True}, "seq"),
        (AckParams, {"seq": "5"}, "seq"),
        (AckParams, {"seq": -1}, "seq"),
        (ReplayParams, {"since": 0, "limit": 0}, "limit"),
        (ReplayParams, {"since": 0, "limit": 1_001}, "limit"),
        (ReplayParams, {"since": 0, "limit": 1.5}, "limit"),
        (HistoryParams, {"limit": 0}, "limit"),
        (HistoryParams, {"limit": 501}, "limit"),
        (HistoryParams, {"state": "flying"}, "state"),
        (HistoryParams, {"direction": "sideways"}, "direction"),
        (HistoryParams, {"from": "me"}, "from"),
        (LatencyParams, {"last": 0}, "last"),
        (ShutdownParams, {"drainMs": -1}, "drainMs"),
        (EndParams, {"callId": "c", "afterPlayout": 1}, "afterPlayout"),
        (EndParams, {"callId": "c", "afterPlayout": "true"}, "afterPlayout"),
        (InitiateParams, {"message": "Hi.", "force": 1}, "force"),
        (InitiateParams, {"message": "Hi.", "idempotencyKey": ""}, "idempotencyKey"),
        (InitiateParams, {"message": "Hi.", "idempotencyKey": "k" * 257}, "idempotencyKey"),
        (InitiateParams, {"message": "Hi.", "sessionKey": ""}, "sessionKey"),
        (InitiateParams, {"message": "Hi.", "metadata": []}, "metadata"),
        (InitiateParams, {"message": 5}, "message"),
        (SubscribeParams, {"types": "call.ended"}, "types"),
        (SubscribeParams, {"callIds": [1]}, "callIds.0"),
        (PairingApproveParams, {"code": 482_913}, "code"),
        (StatusParams, {"callId": ""}, "callId"),
        (ToolParams, {"action": "dance"}, "action"),
        (AgentDeltaParams, {"requestId": 1, "text": "Hi."}, "requestId"),
        (AgentRespondResult, {"text": 1}, "text"),
        (AgentRespondResult, {"endCall": "yes"}, "endCall"),
    ],
)
def test_wrong_value_is_refused_by_name(
    model: type[WireModel], params: dict[str, Any], field: str
) -> None:
    assert bad_fields(model, params) == [field]


@pytest.mark.parametrize("model", [EmptyParams, SetupParams, ShutdownParams, StatusParams])
def test_methods_without_required_params_accept_none(model: type[WireModel]) -> None:
    assert to_wire(validate(model, {})) == {}


def test_defaults_are_those_of_the_contract() -> None:
    assert validate(HistoryParams, {}).limit == 50
    assert validate(ReplayParams, {"since": 0}).limit == 500
    assert validate(LatencyParams, {}).last == 200
    assert validate(EndParams, {"callId": "c"}).after_playout is False


def test_limits_of_lists_are_inclusive() -> None:
    assert validate(HistoryParams, {"limit": 500}).limit == 500
    assert validate(ReplayParams, {"since": 0, "limit": 1_000}).limit == 1_000


def test_null_for_an_optional_member_is_refused() -> None:
    assert bad_fields(ShutdownParams, {"drainMs": None}) == ["drainMs"]
    assert bad_fields(InitiateParams, {"message": None, "mode": None}) == ["message", "mode"]


def test_python_names_are_not_names_of_the_wire() -> None:
    assert bad_fields(StatusParams, {"call_id": "c"}) == ["call_id"]


def test_initialize_ignores_unknown_members_everywhere() -> None:
    params = validate(
        InitializeParams,
        {
            "protocolVersion": 1,
            "client": {"name": "gateway", "version": "2", "mood": "fine"},
            "capabilities": {"agent": True, "video": 1, "events": {"since": 3, "colour": "red"}},
            "trace": "on",
        },
    )
    assert to_wire(params) == {
        "protocolVersion": 1,
        "client": {"name": "gateway", "version": "2"},
        "capabilities": {"agent": True, "events": {"since": 3}},
    }


def test_initialize_can_refuse_all_events() -> None:
    client = {"name": "gateway", "version": "2"}
    params = validate(
        InitializeParams,
        {"protocolVersion": 1, "client": client, "capabilities": {"events": False}},
    )
    assert params.capabilities is not None
    assert params.capabilities.events is False


def test_initialize_names_what_is_wrong_inside() -> None:
    params = {
        "protocolVersion": "1",
        "client": {"name": "gateway"},
        "capabilities": {"agent": "yes", "events": {"since": "3", "types": [1]}},
    }
    assert bad_fields(InitializeParams, params) == [
        "protocolVersion",
        "client.version",
        "capabilities.agent",
        "capabilities.events.since",
        "capabilities.events.types.0",
    ]


def test_initialize_says_what_events_may_be() -> None:
    params = {
        "protocolVersion": 1,
        "client": {"name": "gateway", "version": "2"},
        "capabilities": {"events": True},
    }
    assert bad_fields(InitializeParams, params) == ["capabilities.events"]
