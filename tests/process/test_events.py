"""The journal as clients see it: numbering, replay, acknowledgement, filters, restarts."""

import json
from pathlib import Path
from typing import Any

from tests.process.harness import Sidecar, configuration, sidecar
from tests.process.peer import Peer


def replay(peer: Peer, since: int = 0, **more: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        page = peer.call("events.replay", {"since": since, **more})
        assert set(page) == {"events", "lastSeq"}
        events += page["events"]
        if not page["events"] or page["events"][-1]["seq"] >= page["lastSeq"]:
            return events
        since = page["events"][-1]["seq"]


def test_seq_starts_at_one_and_grows_by_one_over_restarts(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        stream = process.ready()["streamId"]
        process.hang_up(process.listening())
        process.hang_up(process.listening())
        first = process.events()
        assert [event["seq"] for event in first] == list(range(1, len(first) + 1))
        assert replay(process) == first
        at = [event["at"] for event in first]
        assert at == sorted(at)
        assert all(isinstance(value, int) for value in at)
    with sidecar(tmp_path) as process:
        assert process.ready()["streamId"] == stream
        last = process.ready()["lastSeq"]
        assert last >= len(first)
        whole = replay(process)
        assert whole[: len(first)] == first
        call_id = process.listening()
        assert process.event("call.initiated", call_id)["seq"] == last + 1
        seqs = [event["seq"] for event in replay(process)]
        assert seqs == list(range(1, len(seqs) + 1))


def test_replay_has_limits(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        metadata = {"text": "x" * 16_000}
        for _ in range(40):
            process.hang_up(process.listening(metadata=metadata))
        last = process.call("events.replay", {"since": 0, "limit": 1})["lastSeq"]
        assert last == 40 * 8
        page = process.call("events.replay", {"since": 3, "limit": 5})["events"]
        assert [event["seq"] for event in page] == [4, 5, 6, 7, 8]
        whole = process.call("events.replay", {"since": 0, "limit": 1000})["events"]
        assert len(json.dumps(whole)) < 600 * 1024
        assert len(whole) < last, "it stops early at 512 KiB"
        assert len(replay(process)) == last
        assert process.call("events.replay", {"since": last}) == {"events": [], "lastSeq": last}
        assert process.call("events.replay", {"since": 10**9})["events"] == []
        for params in (
            {"since": -1},
            {"since": 0, "limit": 0},
            {"since": 0, "limit": 1001},
            {"since": "0"},
            {"since": 0.5},
            {},
        ):
            assert process.fails("events.replay", params).code == -32602

        # History is bounded in bytes as well.
        page = process.call("voicecall.history", {"limit": 500})
        assert len(json.dumps(page)) < 600 * 1024
        assert len(page["calls"]) < 40
        assert page["nextCursor"]


def test_ends_stay_in_the_outbox_until_somebody_acknowledges_them(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        ends = [process.hang_up(process.listening())["seq"] for _ in range(3)]
    for _ in range(2):
        with sidecar(tmp_path) as process:
            process.initialize()
            process.inbox.wait(lambda m: m.get("params", {}).get("seq") == ends[-1])
            assert [event["seq"] for event in process.events()[:3]] == ends
    with sidecar(tmp_path) as process:
        # Without initialize too: a client that gives no `since` gets them only by its handshake.
        process.settle()
        assert process.call("events.ack", {"seq": ends[1]}) == {}
        assert process.call("events.ack", {"seq": ends[0]}) == {}, "it never goes back"
        process.kill()
    with sidecar(tmp_path) as process:
        process.initialize()
        process.inbox.wait(lambda m: m.get("params", {}).get("seq") == ends[2])
        process.settle()
        outbox = [e["seq"] for e in process.events() if e["type"] == "call.ended"]
        assert outbox == [ends[2]]
        process.call("events.ack", {"seq": 10**6})
        assert process.fails("events.ack", {"seq": -1}).code == -32602
        assert process.fails("events.ack", {}).code == -32602
        later = process.hang_up(process.listening())["seq"]
    with sidecar(tmp_path) as process:
        process.initialize()
        process.inbox.wait(lambda m: m.get("params", {}).get("seq") == later)
        process.settle()
        outbox = [e["seq"] for e in process.events() if e["type"] == "call.ended"]
        assert outbox == [later], "what was not journalled yet cannot have been acknowledged"


def test_another_store_is_another_stream(tmp_path: Path) -> None:
    with sidecar(tmp_path / "a") as process:
        first = process.ready()["streamId"]
    with sidecar(tmp_path / "b") as process:
        assert process.ready()["streamId"] != first


def test_subscribe_replaces_the_filter_of_its_connection_only(line: Sidecar) -> None:
    with line.websocket() as peer, line.websocket() as other:
        assert peer.call("events.subscribe", {"types": ["call.ended"]}) == {}
        since = peer.mark
        first = line.listening()
        line.hang_up(first)
        peer.event("call.ended", first)
        assert peer.types(since=since) == ["call.ended"]
        assert peer.call("events.subscribe", {"callIds": ["nobody"]}) == {}
        since = peer.mark
        second = line.listening()
        line.hang_up(second)
        other.event("call.ended", second)
        peer.settle()
        assert peer.types(since=since) == []
        assert peer.call("events.subscribe") == {}
        third = line.listening()
        line.hang_up(third)
        peer.event("call.ended", third)
        assert len(peer.types(third)) == 8
        for call_id in (first, second, third):
            other.event("call.ended", call_id)
            assert len(other.types(call_id)) == 8
        for params in ({"types": "call.ended"}, {"types": [1]}, {"callIds": {}}):
            assert peer.fails("events.subscribe", params).code == -32602


def test_events_without_a_call_pass_a_filter_of_calls(line: Sidecar) -> None:
    with line.websocket() as peer:
        peer.call("events.subscribe", {"callIds": ["nobody"]})
        ring = {"type": "call.initiated", "providerCallId": "filter", "direction": "inbound"}
        line.webhook({**ring, "from": "+15553334444", "to": "+15550000000"})
        assert peer.event("call.rejected")["providerCallId"] == "filter"
        assert peer.types() == ["call.rejected"]


def test_partial_speech_is_live_only_and_has_no_seq(line: Sidecar) -> None:
    call_id = line.listening()
    since = line.mark
    for text in ("I", "I would", "I would like"):
        news = {"type": "call.speech", "callId": call_id, "transcript": text, "isFinal": False}
        assert line.webhook(news) == (200, {"accepted": 1})
    partial = line.event("call.partial", call_id, since)
    assert set(partial) == {"at", "type", "callId", "transcript"}
    assert partial["transcript"] == "I"
    line.settle()
    assert line.types(call_id, since).count("call.partial") <= 2, "at most five a second"
    line.hang_up(call_id)
    everything = replay(line)
    assert "call.partial" not in {event["type"] for event in everything}
    seqs = [event["seq"] for event in everything]
    assert seqs == list(range(1, len(seqs) + 1))
    assert line.types(call_id).count("call.speech") == 0


def test_seq_is_consecutive_for_a_client_that_reads_everything(line: Sidecar) -> None:
    with line.websocket() as peer:
        for _ in range(10):
            line.hang_up(line.listening())
        last = line.events()[-1]["seq"]
        peer.inbox.wait(lambda m: m.get("params", {}).get("seq") == last)
        seqs = [event["seq"] for event in peer.events()]
        assert seqs == list(range(seqs[0], last + 1))


def test_a_client_that_was_away_resumes_by_seq(line: Sidecar) -> None:
    with line.websocket() as peer:
        line.hang_up(line.listening())
        seen = peer.event("call.ended", line.events()[-1]["callId"])["seq"]
    away = [line.listening() for _ in range(3)]
    for call_id in away:
        line.hang_up(call_id)
    with line.websocket() as peer:
        events = {"since": seen, "streamId": line.ready()["streamId"]}
        assert peer.initialize(capabilities={"events": events})["resync"] is False
        peer.event("call.ended", away[-1])
        got = [event["seq"] for event in peer.events()]
        assert got == list(range(seen + 1, got[-1] + 1))


def test_events_of_a_connection_that_initialises_in_mid_stream_repeat_nothing_out_of_order(
    tmp_path: Path,
) -> None:
    """`since` restarts the stream: after the answer, everything after `since`, in order."""
    with sidecar(tmp_path) as process:
        for _ in range(30):
            process.hang_up(process.listening())
        with process.websocket() as peer:
            busy = [process.dial() for _ in range(5)]
            peer.request("initialize", _hello(0), id="i")
            peer.answer("i")
            at = next(n for n, m in enumerate(peer.messages) if m.get("id") == "i")
            for call_id in busy:
                process.hang_up(call_id)
            last = process.event("call.ended", busy[-1])["seq"]
            peer.inbox.wait(lambda m: m.get("params", {}).get("seq") == last)
            got = [event["seq"] for event in peer.events(since=at)]
            assert got[:last] == list(range(1, last + 1))


def _hello(since: int) -> dict[str, Any]:
    client = {"name": "test", "version": "0"}
    events = {"since": since}
    return {"protocolVersion": 1, "client": client, "capabilities": {"events": events}}


def test_a_store_in_a_folder_means_calls_db_inside_it(tmp_path: Path) -> None:
    folder = tmp_path / "some folder"
    folder.mkdir()
    with Sidecar(tmp_path, configuration(store=str(folder))) as process:
        process.hang_up(process.listening())
        assert (folder / "calls.db").stat().st_mode & 0o777 == 0o600
