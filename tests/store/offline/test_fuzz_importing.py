"""Any line of an old history is a call that the store takes, or is counted as bad."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.call.model import Call, Line, Turn
from sidecar.store.offline.importing import import_jsonl, parse_record
from sidecar.store.rows import RowError, dump_call, load, load_call
from tests.support.fuzz import FUZZ, SCALARS, as_bytes, changed, documents, refusal_of, values

GOOD = {
    "callId": "c", "provider": "twilio", "direction": "inbound", "from": "+15550001111",
    "to": "+15550002222", "startedAt": 1_700_000_000_000, "state": "completed",
    "transcript": [{"timestamp": 1, "speaker": "bot", "text": "Hello.", "isFinal": True}],
    "metadata": {"mode": "notify"},
}  # fmt: skip
NAMES = [*GOOD, "endedAt", "answeredAt", "endReason", "providerCallId", "sessionKey"]
RECORDS = st.dictionaries(st.sampled_from(NAMES), SCALARS | values(NAMES)).map(
    lambda members: {**GOOD, **members}
)


@FUZZ
@given(RECORDS | values(NAMES))
@example({**GOOD, "startedAt": float("inf")})
@example({**GOOD, "from": "\ud800"})
def test_any_record_is_a_call_that_can_be_stored_or_says_what_is_wrong(record: object) -> None:
    refusal = refusal_of(ValueError, lambda: parse_record(record))
    if refusal is not None:
        assert str(refusal).split()[0] in ("is", "has")
        return
    call = parse_record(record)
    assert load_call(dump_call(call), 1, call.transcript, call.turns).call_id == call.call_id


@settings(FUZZ, max_examples=40)
@given(st.lists(documents(NAMES) | changed([json.dumps(GOOD)]), min_size=1, max_size=30))
def test_any_file_is_imported_as_far_as_it_can_be(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("history")
    source = folder / "calls.jsonl"
    source.write_bytes(b"\n".join(as_bytes(line) for line in lines))
    result = import_jsonl(str(folder / "calls.db"), str(source))
    most = source.read_bytes().count(b"\n") + 1
    assert result.imported + result.skipped + result.bad_lines <= most
    assert len(result.problems) == min(result.bad_lines, 100)
    again = import_jsonl(str(folder / "calls.db"), str(source))
    assert (again.imported, again.bad_lines) == (0, result.bad_lines)


@FUZZ
@given(st.sampled_from([Call, Line, Turn]), documents(["callId", "state", "speaker", "text"]))
def test_any_stored_text_is_a_record_or_refused(kind: type, text: str) -> None:
    if refusal_of(RowError, lambda: load(kind, text)) is None:
        assert isinstance(load(kind, text), kind)


def test_the_source_is_not_changed(tmp_path: Path) -> None:
    source = tmp_path / "calls.jsonl"
    source.write_text(json.dumps(GOOD))
    import_jsonl(str(tmp_path / "calls.db"), str(source))
    assert source.read_text() == json.dumps(GOOD)
