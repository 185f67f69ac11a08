"""`status`, `history`, `tail` and `latency`, with and without a running sidecar."""

import json
from pathlib import Path
from typing import Any

from tests.cli.program import LIMIT_S, Program


def _talk(voicecall: Program) -> str:
    """One call with a turn, ended."""
    call_id: str = voicecall.document("call", "-m", "Is Ada there?")["callId"]
    voicecall.document("continue", "--call-id", call_id, "-m", "Hello?")
    voicecall.document("speak", "--call-id", call_id, "-m", "Goodbye.")
    voicecall.document("end", "--call-id", call_id, "--after-playout")
    return call_id


def _notify(voicecall: Program, to: str = "+15550001111") -> str:
    done = voicecall.run("call", "-m", "Hello", "-t", to, "--mode", "notify")
    call_id: str = done.document["callId"]
    return call_id


def test_an_empty_store_has_nothing_to_show(voicecall: Program) -> None:
    assert voicecall.document("status") == {"calls": []}
    assert voicecall.document("status", "--call-id", "x") == {"found": False}
    assert voicecall.document("history") == {"calls": []}
    assert voicecall.document("latency")["recordsScanned"] == 0
    assert voicecall.run("tail").out == ""
    assert not voicecall.store.exists()


def test_status_finds_a_call_by_the_carriers_id_too(voicecall: Program) -> None:
    call_id = _notify(voicecall)
    call = voicecall.document("status", "--call-id", call_id)["call"]
    assert voicecall.document("status", "--call-id", call["providerCallId"])["call"] == call


def test_the_store_answers_as_the_sidecar_does(voicecall: Program) -> None:
    with voicecall.serving():
        call_id = _talk(voicecall)
        asked = [voicecall.document(*words) for words in _looks(call_id)]
    read = [voicecall.document(*words) for words in _looks(call_id)]
    assert read == asked


def test_status_says_when_nobody_looks_after_the_calls_it_shows(voicecall: Program) -> None:
    with voicecall.started("serve", "--log-level", "error") as process:
        assert process.stdout is not None
        process.stdout.readline()
        call_id = voicecall.document("call", "-m", "Hello")["callId"]
        assert "No sidecar" not in voicecall.run("status").err
        process.kill()
        process.communicate(timeout=10)
    done = voicecall.run("status")
    assert [call["callId"] for call in done.document["calls"]] == [call_id]
    assert "No sidecar is running." in done.err


def _looks(call_id: str) -> list[tuple[str, ...]]:
    return [("status",), ("status", "--call-id", call_id), ("history",), ("latency",)]


def test_history_filters_and_says_when_there_is_more(voicecall: Program) -> None:
    with voicecall.serving():
        first = _notify(voicecall, "+15550001111")
        second = _notify(voicecall, "+15550002222")
        voicecall.run("end", "--call-id", first)
        voicecall.run("end", "--call-id", second)
    newest = voicecall.document("history", "--limit", "1")
    assert [call["callId"] for call in newest["calls"]] == [second]
    assert newest["nextCursor"]
    assert _ids(voicecall, "--to", "+15550001111") == [first]
    assert _ids(voicecall, "--from", "+15550001111") == []
    assert _ids(voicecall, "--from", "+15550000000") == [second, first]
    assert _ids(voicecall, "--state", "hangup-bot") == [second, first]
    assert _ids(voicecall, "--state", "busy") == []
    assert voicecall.run("history", "--state", "asleep").code == 1


def _ids(voicecall: Program, *filters: str) -> list[str]:
    return [call["callId"] for call in voicecall.document("history", *filters)["calls"]]


def test_tail_of_the_store_shows_the_last_events_and_ends(voicecall: Program) -> None:
    first, second = _notify(voicecall), _notify(voicecall)

    everything = voicecall.run("tail", "--since", "100")
    seqs = [event["seq"] for event in everything.documents]
    assert seqs == list(range(1, len(seqs) + 1))
    assert voicecall.run("tail", "--since", "3").documents == everything.documents[-3:]
    assert voicecall.run("tail", "--since", "0").out == ""
    assert "No sidecar is running" in everything.err
    of_first = voicecall.run("tail", "--since", "2", "--call-id", first).documents
    assert [(event["callId"], event["type"]) for event in of_first] == [
        (first, "call.utterance"),
        (first, "call.ended"),
    ]
    assert second != first


def test_tail_goes_on_with_live_events_without_a_gap(voicecall: Program) -> None:
    with voicecall.serving():
        voicecall.document("call", "-m", "Hello", "--mode", "notify")
        with voicecall.started("tail", "--since", "2") as tail:
            assert tail.stdout is not None
            seqs = [json.loads(tail.stdout.readline())["seq"] for _ in range(2)]
            second = voicecall.document("call", "-m", "Hello", "--mode", "notify")["callId"]
            while True:
                event = json.loads(tail.stdout.readline())
                seqs.append(event["seq"])
                if event["type"] == "call.ended" and event["callId"] == second:
                    break
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
            tail.terminate()
            tail.communicate(timeout=LIMIT_S)
            assert tail.returncode == 130


def test_tail_ends_with_the_sidecar(voicecall: Program) -> None:
    with voicecall.started("serve", "--ws", "127.0.0.1:0", "--log-level", "error") as sidecar:
        assert sidecar.stdout is not None
        sidecar.stdout.readline()
        call_id = voicecall.document("call", "-m", "Hello")["callId"]
        with voicecall.started("tail", "--call-id", call_id) as tail:
            assert tail.stdout is not None
            tail.stdout.readline()
            voicecall.document("end", "--call-id", call_id)
            sidecar.terminate()
            out, errors = tail.communicate(timeout=LIMIT_S)
        assert tail.returncode == 0
        events = [json.loads(line) for line in out.splitlines()]
        # What belongs to no call is not shown, and what happened before the end is.
        assert {event["callId"] for event in events} == {call_id}
        assert events[-1]["type"] == "call.ended"
        assert "The sidecar has ended." in errors
        sidecar.communicate(timeout=LIMIT_S)


# -- log files ------------------------------------------------------------------------------------


def _old_record(call_id: str, turn: int, latency_ms: int) -> dict[str, Any]:
    metadata = {
        "turnCount": turn,
        "lastTurnLatencyMs": latency_ms,
        "lastTurnListenWaitMs": 10,
        "lastTurnCompletedAt": 1_700_000_000_000 + turn,
    }
    return {"callId": call_id, "state": "listening", "metadata": metadata}


def _write(path: Path, *entries: object) -> str:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return str(path)


def test_latency_of_an_old_log_counts_each_turn_once(voicecall: Program, tmp_path: Path) -> None:
    log = _write(
        tmp_path / "calls.jsonl",
        _old_record("a", 1, 300),
        _old_record("a", 1, 300),
        _old_record("a", 2, 500),
        _old_record("b", 1, 100),
        {"callId": "c", "state": "ended"},
        "no record",
    )
    result = voicecall.document("latency", "--file", log)
    assert result["recordsScanned"] == 3
    assert result["turnLatency"]["maxMs"] == 500
    assert result["listenWait"]["count"] == 3
    assert voicecall.document("latency", "--file", log, "--last", "1")["recordsScanned"] == 1


def test_latency_of_a_log_of_events_has_the_turns_of_the_store(
    voicecall: Program, tmp_path: Path
) -> None:
    with voicecall.serving():
        _talk(voicecall)
    events = voicecall.run("tail", "--since", "1000").out
    (tmp_path / "events.jsonl").write_text(events, encoding="utf-8")
    stored = voicecall.document("latency")
    told = voicecall.document("latency", "--file", str(tmp_path / "events.jsonl"))
    assert stored["recordsScanned"] == told["recordsScanned"] == 1
    assert told["turnLatency"] == stored["turnLatency"]


def test_a_log_that_is_not_there_is_told(voicecall: Program) -> None:
    for command in ("latency", "tail"):
        done = voicecall.run(command, "--file", "none.jsonl")
        assert done.code == 1
        assert "none.jsonl" in done.err


def test_tail_of_a_file_follows_it_when_it_grows_and_is_replaced(
    voicecall: Program, tmp_path: Path
) -> None:
    path = tmp_path / "calls.jsonl"
    entries = [{"callId": name, "state": "ended"} for name in "abcdef"]
    log = _write(path, *entries[:2], "no record")
    with voicecall.started("tail", "--file", log, "--since", "1") as tail:
        assert tail.stdout is not None
        assert json.loads(tail.stdout.readline()) == entries[1]
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entries[2]) + "\n")
        assert json.loads(tail.stdout.readline()) == entries[2]
        _write(tmp_path / "new", entries[3])
        (tmp_path / "new").rename(path)
        assert json.loads(tail.stdout.readline()) == entries[3]
        tail.terminate()
        tail.communicate(timeout=LIMIT_S)


def test_tail_of_a_file_shows_one_call_and_a_last_line_without_an_end(
    voicecall: Program, tmp_path: Path
) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_text('{"callId": "a", "n": 1}\n{"callId": "b"}\n{"callId": "a", "n": 2}')
    with voicecall.started("tail", "--file", str(path), "--call-id", "a") as tail:
        assert tail.stdout is not None
        assert [json.loads(tail.stdout.readline())["n"] for _ in range(2)] == [1, 2]
        tail.terminate()
        tail.communicate(timeout=LIMIT_S)
