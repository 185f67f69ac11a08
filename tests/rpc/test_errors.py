"""Problems on the wire."""

from sidecar.errors import Problem
from sidecar.rpc.errors import bad_field, error_object, error_response, internal_error, overloaded
from sidecar.rpc.schema.errors import KINDS


def test_every_kind_has_its_code() -> None:
    for row in KINDS:
        error = error_object(Problem(row.kind, "A sentence."))
        assert error["code"] == row.code
        assert error["data"] == {"kind": row.kind, "retryable": False}


def test_what_the_problem_knows_goes_beside_kind_and_retryable() -> None:
    problem = Problem("carrierRejected", "No.", True, {"carrier": {"status": 400}, "kind": "x"})
    assert error_response(4, problem) == {
        "jsonrpc": "2.0",
        "id": 4,
        "error": {
            "code": -32009,
            "message": "No.",
            "data": {"kind": "carrierRejected", "retryable": True, "carrier": {"status": 400}},
        },
    }


def test_an_unknown_kind_is_a_fault_of_ours() -> None:
    assert error_object(Problem("invented", "Secret.")) == internal_error()


def test_a_bad_field_is_named() -> None:
    data = error_object(bad_field("to", "must be a number").problem)["data"]
    assert data["errors"] == [{"field": "to", "problem": "must be a number"}]


def test_overloaded_says_when_to_come_back() -> None:
    data = error_object(overloaded("Later."))["data"]
    assert data["retryable"] is True
    assert data["retryAfterMs"] > 0
