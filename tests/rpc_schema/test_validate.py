"""Problems are told in words for people."""

import pytest

from sidecar.errors import HostError, Problem
from sidecar.rpc.schema import EndParams, InitializeParams, InitiateParams, validate


def problem(params: dict[str, object]) -> Problem:
    with pytest.raises(HostError) as caught:
        validate(InitiateParams, params)
    return caught.value.problem


def test_every_bad_field_is_listed_with_its_own_sentence() -> None:
    found = problem({"message": " ", "to": "123", "mode": "loud"})
    assert {error["field"]: error["problem"] for error in found.data["errors"]} == {
        "mode": "must be 'notify' or 'conversation'",
        "message": "must not be empty",
        "to": "must be a phone number in E.164 form, such as +15550001234",
    }
    assert found.message.startswith("The params are wrong: ")
    assert found.message.endswith(".")
    assert not found.retryable


def test_unknown_param_suggests_the_nearest_known_one() -> None:
    found = problem({"message": "Hi.", "dtmfSequenze": "1"})
    assert found.data["errors"] == [
        {"field": "dtmfSequenze", "problem": 'is not known here (did you mean "dtmfSequence"?)'}
    ]


def test_unknown_param_without_a_likely_meaning_suggests_nothing() -> None:
    assert problem({"message": "Hi.", "zzz": 1}).data["errors"][0]["problem"] == "is not known here"


@pytest.mark.parametrize("name", ["Mode", "FORCE", "literal[x", "str"])
def test_unknown_param_is_named_as_it_was_written(name: str) -> None:
    found = problem({"message": "Hi.", name: 1, "Other": 2})
    assert [error["field"] for error in found.data["errors"]] == [name, "Other"]


def test_input_values_are_never_repeated() -> None:
    found = problem({"message": {"secret": "hunter2"}, "to": "+hunter2", "mode": "hunter2"})
    assert "hunter2" not in f"{found.message} {found.data}"
    assert "pydantic" not in found.message
    assert "http" not in found.message


def test_nested_field_has_a_dotted_path() -> None:
    with pytest.raises(HostError) as caught:
        validate(
            InitializeParams,
            {"protocolVersion": 1, "client": {"name": "x", "version": "1"}, "capabilities": []},
        )
    assert caught.value.problem.data["errors"] == [
        {"field": "capabilities", "problem": "must be an object"}
    ]


def test_events_that_are_neither_an_object_nor_false_get_one_sentence() -> None:
    with pytest.raises(HostError) as caught:
        validate(
            InitializeParams,
            {
                "protocolVersion": 1,
                "client": {"name": "x", "version": "1"},
                "capabilities": {"events": {"since": "x"}},
            },
        )
    assert caught.value.problem.data["errors"] == [
        {"field": "capabilities.events.since", "problem": "must be a whole number"}
    ]


def test_number_beyond_64_bits_is_a_problem_not_a_fault() -> None:
    with pytest.raises(HostError) as caught:
        validate(EndParams, {"callId": 10**30})
    assert caught.value.problem.data["field"] == "callId"
