"""Parsing and classification, with values only."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.rpc.message import (
    Batch,
    Invalid,
    Notification,
    Request,
    Response,
    dump,
    notification,
    parse,
)


def kind_of(text: str | bytes) -> str:
    message = parse(text)
    assert isinstance(message, Invalid), message
    return message.problem.kind


def nested(depth: int) -> str:
    """A request whose text is `depth` levels deep, the request itself being the first."""
    inner = "[" * (depth - 1) + "]" * (depth - 1)
    return '{"jsonrpc":"2.0","id":1,"method":"m","params":' + inner + "}"


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        "",
        " ",
        "{",
        "[1,2",
        "\ufeff{}",
        b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
        b"\xed\xa0\x80",
        '{"jsonrpc":"2.0","id":NaN,"method":"m"}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":Infinity}}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":-Infinity}}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1e999}}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":-1e999}}',
        '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":' + "9" * 5000 + "}}",
        '{"jsonrpc":"2.0","id":1,"method":"a\nb"}',
        "[" * 500_000,
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        nested(65),
    ],
)
def test_what_is_not_json_is_a_parse_error_without_id(text: str | bytes) -> None:
    message = parse(text)
    assert isinstance(message, Invalid)
    assert message.id is None
    assert message.problem.kind == "parseError"


def test_sixty_four_levels_are_accepted_and_sixty_five_are_not() -> None:
    assert isinstance(parse(nested(64)), Request)
    assert kind_of(nested(65)) == "parseError"


def test_brackets_in_strings_are_not_levels() -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": "[{" * 500}})
    assert isinstance(parse(text), Request)


def test_many_shallow_brackets_are_not_deep() -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": [[]] * 500}})
    assert isinstance(parse(text), Request)


@pytest.mark.parametrize("text", ["1", '"text"', "null", "true", "{}", '{"foo": "boo"}'])
def test_json_that_is_no_message_is_an_invalid_request(text: str) -> None:
    assert kind_of(text) == "invalidRequest"


@pytest.mark.parametrize("request_id", ["1.5", "1.0", "1e2", "true", "[]", "{}", "[1]"])
def test_a_fractional_or_structured_id_is_refused_without_id(request_id: str) -> None:
    message = parse('{"jsonrpc":"2.0","method":"m","id":' + request_id + "}")
    assert isinstance(message, Invalid)
    assert (message.id, message.problem.kind) == (None, "invalidRequest")


@pytest.mark.parametrize("request_id", [0, -1, 2**70, "", "a", "1", None])
def test_strings_integers_and_null_are_ids(request_id: object) -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": request_id, "method": "m"})
    assert parse(text) == Request(request_id, "m", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "members",
    [
        {"method": "m"},
        {"jsonrpc": "1.0", "method": "m"},
        {"jsonrpc": 2.0, "method": "m"},
        {"jsonrpc": "2.0", "method": 1},
        {"jsonrpc": "2.0", "method": None},
        {"jsonrpc": "2.0", "method": "m", "params": "bar"},
        {"jsonrpc": "2.0", "method": "m", "params": 1},
        {"jsonrpc": "2.0"},
    ],
)
def test_a_bad_envelope_is_answered_with_its_readable_id(members: dict[str, object]) -> None:
    message = parse(json.dumps(members | {"id": 7}))
    assert isinstance(message, Invalid)
    assert (message.id, message.problem.kind) == (7, "invalidRequest")


def test_params_null_counts_as_absent() -> None:
    text = '{"jsonrpc":"2.0","id":1,"method":"m","params":null}'
    assert parse(text) == Request(1, "m", None)


def test_without_id_it_is_a_notification() -> None:
    assert parse('{"jsonrpc":"2.0","method":"m"}') == Notification("m", None)


def test_with_result_or_error_and_no_method_it_is_a_response_before_anything_is_checked() -> None:
    for members in ({"result": 1}, {"error": 1}, {"result": 1, "id": []}, {"error": {}, "id": 1.5}):
        assert isinstance(parse(json.dumps(members)), Response)


def test_with_method_and_result_it_is_a_request() -> None:
    text = '{"jsonrpc":"2.0","id":1,"method":"m","result":1,"more":2}'
    assert parse(text) == Request(1, "m", None)


def test_the_last_of_duplicate_keys_wins() -> None:
    assert parse('{"jsonrpc":"2.0","id":1,"id":2,"method":"a","method":"b"}') == Request(
        2, "b", None
    )


def test_an_empty_batch_and_one_of_101_are_one_invalid_request() -> None:
    assert kind_of("[]") == "invalidRequest"
    assert kind_of(json.dumps([1] * 101)) == "invalidRequest"


def test_a_batch_is_classified_element_by_element() -> None:
    message = parse('[1, [], {"jsonrpc":"2.0","method":"m"}, {"result":1}]')
    assert isinstance(message, Batch)
    kinds = [type(element) for element in message.elements]
    assert kinds == [Invalid, Invalid, Notification, Response]


def test_a_hundred_elements_are_accepted() -> None:
    message = parse(json.dumps([1] * 100))
    assert isinstance(message, Batch)
    assert len(message.elements) == 100


def test_what_is_written_is_ascii_and_one_line() -> None:
    line = notification("m", {"text": "\u2028 \u00e9 \ud83d\ude00 \ud800\n"})
    assert line.isascii()
    assert b"\n" not in line


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_has_no_json_form_is_not_written(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        dump({"value": value})


@given(st.binary(max_size=200))
def test_no_bytes_make_parsing_raise(data: bytes) -> None:
    parse(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4)
    ),
)


@given(
    st.dictionaries(
        st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"]),
        json_values | st.just("2.0"),
    )
)
def test_no_object_makes_classification_raise(value: dict[str, object]) -> None:
    message = parse(json.dumps(value))
    if isinstance(message, Request):
        assert message.id is None or isinstance(message.id, str | int)
