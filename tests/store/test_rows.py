"""Calls to text and back, old and new texts, texts that are none."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.call.model import Call, Limits, Line, State, Turn, Utterance
from sidecar.ports import NewEvent
from sidecar.store import rows
from sidecar.store.rows import RowError, dump, dump_call, dump_event, event_body, load, load_call
from tests.store.samples import a_call, said, timed

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def _any(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the core, with every member filled, defaults or not."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: _any(hint) for name, hint in hints.items()})
    if get_origin(kind) is UnionType:
        return st.one_of(*(_any(each) for each in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(_any(get_args(kind)[0]), max_size=3).map(tuple)
    if get_origin(kind) is Mapping:
        value = get_args(kind)[1]
        return st.dictionaries(st.text(), _json if value is Any else _any(value), max_size=3)
    if kind is str:
        return st.text(st.characters(codec=None) | st.characters(categories=["Cs"]), max_size=20)
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    strategy: st.SearchStrategy[Any] = st.from_type(kind)
    return strategy


_calls = _any(Call)


@settings(max_examples=1_000, deadline=None)
@given(_calls)
def test_any_call_comes_back_as_it_was(call: Call) -> None:
    back = load_call(dump_call(call), rows.FORMAT, call.transcript, call.turns)
    assert back == call
    assert [type(each) for each in back.queue] == [Utterance] * len(call.queue)


@settings(max_examples=300, deadline=None)
@given(_any(Line) | _any(Turn))
def test_any_line_or_turn_comes_back_as_it_was(part: Line | Turn) -> None:
    assert load(type(part), dump(part)) == part


def test_the_record_holds_neither_transcript_nor_turns() -> None:
    short = a_call()
    long = replace(short, transcript=said(*["words"] * 1_000), turns=timed(*range(1_000)))
    assert dump_call(long) == dump_call(short)


def test_an_unknown_member_of_a_newer_release_is_ignored() -> None:
    plain = json.loads(dump_call(a_call()))
    plain["fromTheFuture"] = {"x": 1}
    plain["limits"]["fromTheFuture"] = 1
    assert load(Call, json.dumps(plain)) == a_call()


def test_a_member_that_an_older_release_did_not_write_takes_its_default() -> None:
    plain = json.loads(dump_call(a_call()))
    del plain["limits"]["poll_ms"], plain["phrases"], plain["hangup_due"]
    assert load(Call, json.dumps(plain)) == a_call()


def test_an_older_record_is_brought_up_to_the_present_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = json.loads(dump_call(a_call()))
    plain["caller"] = plain.pop("from_number")

    def rename(record: dict[str, Any]) -> dict[str, Any]:
        return {**record, "from_number": record["caller"]}

    monkeypatch.setattr(rows, "_UPGRADES", (rename,))
    assert load_call(json.dumps(plain), 1, (), ()) == a_call()
    assert load_call(dump_call(a_call()), 2, (), ()) == a_call()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        dump_call(a_call()).replace('"listening"', '"floating"'),
        dump_call(a_call()).replace('"started_at_ms":1000', '"started_at_ms":"soon"'),
        dump_call(a_call()).replace('"ring_ms":30000', '"ring_ms":null'),
        dump_call(a_call()).replace('"queue":[]', '"queue":[1]'),
    ],
)
def test_a_text_that_is_no_call_is_a_row_error(text: str) -> None:
    with pytest.raises(RowError):
        load(Call, text)


def test_a_member_of_any_type_is_taken_as_it_is_and_one_of_two_types_is_refused() -> None:
    @dataclasses.dataclass
    class Loose:
        anything: Any

    @dataclasses.dataclass
    class Torn:
        either: int | str

    assert load(Loose, '{"anything":[1]}') == Loose([1])
    with pytest.raises(RowError):
        load(Torn, '{"either":1}')


def test_values_behind_interfaces_are_written_as_plain_json() -> None:
    metadata = {"a": 2**70, "state": State.ACTIVE, "limits": Limits(), "many": (1, 2)}
    call = a_call(metadata=MappingProxyType(metadata))
    plain = json.loads(dump_call(call))["metadata"]
    assert plain["a"] == 2**70
    assert plain["state"] == "active"
    assert plain["limits"]["ring_ms"] == 30_000
    assert plain["many"] == [1, 2]


def test_the_body_of_an_event_begins_with_its_seq() -> None:
    rest = dump_event(NewEvent(7, "call.dtmf", "c1", {"digits": "1"}))
    assert event_body(12, rest) == (
        '{"seq":12,"at":7,"type":"call.dtmf","callId":"c1","digits":"1"}'
    )


def test_infinite_numbers_deep_in_a_record_become_null() -> None:
    nothing = float("nan")
    members = {"a": [nothing, {"b": nothing}], "limits": Limits(), "c": (1.5, None, "x", True)}
    plain = json.loads(event_body(1, dump_event(NewEvent(1, "call.dtmf", None, members))))
    assert plain["a"] == [None, {"b": None}]
    assert plain["limits"]["ring_ms"] == 30_000
    assert plain["c"] == [1.5, None, "x", True]
