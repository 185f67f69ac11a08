"""The old plugin's `calls.jsonl`: read tolerantly, imported once, history only."""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sidecar.call.model import Call, Direction, EndReason, Line, Mode, Speaker, State
from sidecar.errors import HostError, StoreError
from sidecar.ports import HistoryQuery, Write
from sidecar.store.offline import importing
from sidecar.store.offline.importing import ImportResult, import_jsonl
from sidecar.store.offline.reader import StoreReader
from sidecar.store.opening import connect
from sidecar.store.sqlite import SqliteStore
from tests.store.samples import OURS, THEIRS, a_call, ids

pytestmark = pytest.mark.timeout(20)


def _record(call_id: str = "c1", **members: Any) -> dict[str, Any]:
    return {
        "callId": call_id,
        "providerCallId": "CA1",
        "provider": "twilio",
        "direction": "outbound",
        "state": "hangup-user",
        "from": OURS,
        "to": THEIRS,
        "sessionKey": "voice:key",
        "startedAt": 1_000,
        "answeredAt": 1_100,
        "endedAt": 1_200,
        "endReason": "hangup-user",
        "transcript": [
            {"timestamp": 1_110, "speaker": "bot", "text": "Hello", "isFinal": True},
            {"timestamp": 1_120, "speaker": "user", "text": "Hel", "isFinal": False},
            {"timestamp": 1_130, "speaker": "user", "text": "Hello too", "isFinal": True},
        ],
        "processedEventIds": ["e1"],
        "metadata": {"mode": "notify", "note": "x"},
        **members,
    }


class _Files:
    def __init__(self, folder: Path) -> None:
        self.source = folder / "calls.jsonl"
        self.store = str(folder / "store" / "calls.db")

    def take(self, *lines: object) -> ImportResult:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.source.write_text("\n".join(texts) + "\n")
        return import_jsonl(self.store, str(self.source))

    def calls(self) -> Sequence[Call]:
        with StoreReader(self.store) as reader:
            return reader.history(HistoryQuery(limit=500)).calls


@pytest.fixture
def files(tmp_path: Path) -> _Files:
    return _Files(tmp_path)


def test_a_whole_record_becomes_an_ended_call(files: _Files) -> None:
    assert files.take(_record()) == ImportResult(1, 0, 0, [])
    assert list(files.calls()) == [
        Call(
            call_id="c1",
            provider="twilio",
            direction=Direction.OUTBOUND,
            mode=Mode.NOTIFY,
            state=State.ENDED,
            from_number=OURS,
            to_number=THEIRS,
            session_key="voice:key",
            started_at_ms=1_000,
            provider_call_id="CA1",
            answered_at_ms=1_100,
            ended_at_ms=1_200,
            end_reason=EndReason.HANGUP_USER,
            transcript=(
                Line(1_110, Speaker.BOT, "Hello"),
                Line(1_130, Speaker.USER, "Hello too"),
            ),
            metadata={"mode": "notify", "note": "x"},
            announced=True,
        )
    ]


def test_later_lines_replace_earlier_ones_of_the_same_call(files: _Files) -> None:
    early = _record(state="ringing", endReason=None, endedAt=None)
    assert files.take(early, _record("c2"), _record(startedAt=5)) == ImportResult(2, 0, 0, [])
    (call,) = [call for call in files.calls() if call.call_id == "c1"]
    assert call.started_at_ms == 5


@pytest.mark.parametrize("state", ["initiated", "ringing", "active", "listening", "odd", None, 7])
def test_a_call_that_never_ended_is_history_with_an_error(files: _Files, state: object) -> None:
    record = _record(state=state)
    del record["endReason"], record["endedAt"]
    files.take(record)
    (call,) = files.calls()
    assert call.end_reason is EndReason.ERROR
    assert call.ended_at_ms == 1_130
    with StoreReader(files.store) as reader:
        assert list(reader.open_calls()) == []


def test_the_end_reason_is_the_terminal_state_when_none_is_given(files: _Files) -> None:
    record = _record(state="no-answer", transcript=[])
    del record["endReason"], record["endedAt"], record["answeredAt"]
    files.take(record)
    (call,) = files.calls()
    assert (call.end_reason, call.ended_at_ms) == (EndReason.NO_ANSWER, 1_000)


@pytest.mark.parametrize(
    ("direction", "key"), [("outbound", "voice:15550000002"), ("inbound", "voice:15550000001")]
)
def test_a_missing_session_key_is_that_of_the_other_party(
    files: _Files, direction: str, key: str
) -> None:
    record = _record(direction=direction)
    del record["sessionKey"]
    files.take(record)
    (call,) = files.calls()
    assert call.session_key == key


def test_an_inbound_call_is_a_conversation_whatever_its_metadata_says(files: _Files) -> None:
    files.take(_record(direction="inbound"))
    (call,) = files.calls()
    assert call.mode is Mode.CONVERSATION


def test_a_second_import_skips_what_is_there(files: _Files) -> None:
    files.take(_record("c1"))
    assert files.take(_record("c1", startedAt=5), _record("c2")) == ImportResult(1, 1, 0, [])
    assert {call.call_id: call.started_at_ms for call in files.calls()} == {
        "c1": 1_000,
        "c2": 1_000,
    }


def test_bad_lines_are_counted_and_named_and_the_others_imported(files: _Files) -> None:
    without_start = _record(transcript=None)
    del without_start["startedAt"], without_start["answeredAt"]
    result = files.take(
        "not json",
        _record("good"),
        "",
        "[1]",
        "[" * 5_000,
        _record(provider="pigeon"),
        _record(direction="sideways"),
        _record(""),
        without_start,
        _record(startedAt=float("nan"), answeredAt=True, transcript=[{"timestamp": "x"}, 7]),
        '{"callId": "cut',
    )
    assert result.imported == 1
    assert result.bad_lines == 9
    assert list(result.problems) == [
        "line 1 is not JSON",
        "line 4 is not a JSON object",
        "line 5 is not JSON",
        "line 6 has a provider that is not known",
        "line 7 has a direction that is neither inbound nor outbound",
        "line 8 has no callId",
        "line 9 has no startedAt",
        "line 10 has no startedAt",
        "line 11 is not JSON",
    ]
    assert ids(files.calls()) == ["good"]


def test_members_of_the_wrong_type_are_left_out(files: _Files) -> None:
    record = _record(
        providerCallId=7, metadata="x", endedAt="soon", transcript=["x", {"speaker": "dog"}]
    )
    record["from"] = None
    assert files.take(record).imported == 1
    (call,) = files.calls()
    assert (call.provider_call_id, call.metadata, call.from_number) == (None, None, "")
    assert (call.transcript, call.ended_at_ms) == ((), 1_100)


def test_only_the_first_problems_are_named(files: _Files) -> None:
    result = files.take(*["{"] * 250)
    assert (result.bad_lines, len(result.problems)) == (250, 100)


def test_windows_lines_a_byte_order_mark_and_strange_bytes_are_understood(files: _Files) -> None:
    lines = [json.dumps(_record("c1")).encode(), b"\xff\xfe", json.dumps(_record("c2")).encode()]
    files.source.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    result = import_jsonl(files.store, str(files.source))
    assert (result.imported, list(result.problems)) == (2, ["line 2 is not JSON"])


def test_an_over_long_line_is_one_bad_line(files: _Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_LINE_MAX", 1_000)
    result = files.take(_record("c1"), _record("c2", metadata={"x": "y" * 5_000}), _record("c3"))
    assert (result.imported, list(result.problems)) == (2, ["line 2 is not JSON"])


def test_many_calls_are_imported_in_several_transactions(files: _Files) -> None:
    assert files.take(*(_record(str(number)) for number in range(1_201))).imported == 1_201


def test_imports_make_no_events(files: _Files) -> None:
    files.take(_record())
    with StoreReader(files.store) as reader:
        assert reader.last_seq() == 0


async def test_it_works_beside_a_running_store(files: _Files) -> None:
    store = SqliteStore(files.store)
    await store.start(lambda _: None)
    await store.commit(Write(a_call("live", 5_000)))
    assert files.take(_record("c1"), _record("live")) == ImportResult(1, 1, 0, [])
    await store.commit(Write(a_call("live", 5_000, dtmf="1")))
    assert ids((await store.history(HistoryQuery())).calls) == ["live", "c1"]
    assert await store.get("live") == a_call("live", 5_000, dtmf="1")
    await store.close()


def test_a_file_that_cannot_be_read_is_the_caller_s_fault(files: _Files, tmp_path: Path) -> None:
    for source in (tmp_path / "nothing", tmp_path):
        with pytest.raises(HostError) as caught:
            import_jsonl(files.store, str(source))
        assert caught.value.problem.kind == "invalidParams"
        assert str(source) in str(caught.value)
    assert not Path(files.store).exists()


def test_a_store_that_cannot_be_used_is_named(files: _Files) -> None:
    Path(files.store).mkdir(parents=True)
    with pytest.raises(StoreError, match="is a folder"):
        files.take(_record())


def test_a_store_that_fails_midway_keeps_what_it_had(files: _Files) -> None:
    files.take(_record("c1"))
    with closing(connect(files.store)) as db:
        db.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON calls WHEN NEW.call_id = 'c3'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(StoreError, match=r"calls\.db"):
        files.take(_record("c2"), _record("c3"))
    assert ids(files.calls()) == ["c1"]
