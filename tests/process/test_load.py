"""Pressure on the front door: many requests at once, clients that do not read, floods."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.process.harness import TOKEN, Sidecar, WebSocketPeer, configuration, sidecar, wait_until
from tests.process.peer import TO, Peer, checked_error

THOUSAND = 1_000


def test_a_thousand_requests_in_one_chunk_are_all_answered(line: Sidecar) -> None:
    ids = [f"t{n}" for n in range(THOUSAND)]
    requests = [
        {"jsonrpc": "2.0", "id": id, "method": "voicecall.status", "params": {"callId": "none"}}
        for id in ids
    ]
    line.send_text("\n".join(map(json.dumps, requests)))
    for id in ids:
        assert line.result(id) == {"found": False}


def test_a_thousand_wait_and_one_more_is_overloaded(tmp_path: Path) -> None:
    with sidecar(tmp_path, maxConcurrentCalls=THOUSAND + 1) as process:
        wish = {"to": TO, "message": "Hi.", "mode": "conversation"}
        begun = time.monotonic()
        asked = [process.request("voicecall.initiate", wish) for _ in range(THOUSAND)]
        calls = [process.result(id)["callId"] for id in asked]
        waits = [
            process.request("voicecall.continue", {"callId": call_id, "message": "And?"})
            for call_id in calls
        ]
        error = process.fails("voicecall.status")
        assert (error.code, error.kind) == (-32016, "overloaded")
        assert error.data["retryable"] is True
        assert error.data["retryAfterMs"] > 0
        assert process.call("sidecar.ping")["pong"] is True, "always read"
        with process.websocket() as other:
            assert len(other.call("voicecall.status")["calls"]) == THOUSAND, "one connection's"
        process.notify("$/cancelRequest", {"id": waits[0]})
        assert checked_error(process.answer(waits[0])["error"]).code == -32800
        assert process.call("voicecall.status", {"callId": "none"}) == {"found": False}
        for call_id, id in zip(calls[1:], waits[1:], strict=True):
            news = {"type": "call.ended", "callId": call_id, "reason": "hangup-user"}
            if id is waits[1]:
                assert process.webhook(news) == (200, {"accepted": 1})
                assert process.answer(id)["error"]["data"]["reason"] == "hangup-user"
                break
        assert time.monotonic() - begun < 30


def test_a_parent_that_stops_reading_blocks_nobody_and_loses_nothing(tmp_path: Path) -> None:
    """Megabytes of events for a parent that does not read; calls and other clients go on."""
    process = Sidecar(tmp_path, configuration(), read=False, args=[])
    with process:
        stdout = process.process.stdout
        assert stdout is not None
        ready = json.loads(stdout.readline())["params"]
        with WebSocketPeer(ready["ws"]["url"]) as other:
            other.ready()
            other.call("events.subscribe", {"types": ["call.ended", "call.utterance"]})
            # More than the pipe, the outgoing queue and what waits behind it hold together.
            for _ in range(10):
                a_loud_burst(other)
            begun = time.monotonic()
            assert other.call("sidecar.ping")["pong"] is True
            assert time.monotonic() - begun < 1
            last = other.call("events.replay", {"since": 0, "limit": 1})["lastSeq"]
            assert rss_mb(process.process.pid) < 300

            # The parent reads again: everything comes, in order, with no gap.
            seqs: list[int] = []
            while not seqs or seqs[-1] < last:
                message = json.loads(stdout.readline())
                seqs.append(message["params"]["seq"])
            assert seqs == list(range(1, last + 1))


def a_loud_burst(peer: Peer) -> None:
    """Twenty calls with long messages and much metadata: three quarters of a megabyte of events."""
    wish: dict[str, Any] = {"message": "long " * 799, "metadata": {"text": "x" * 16_000}}
    calls = [peer.dial(**wish) for _ in range(20)]
    for call_id in calls:
        peer.event("call.utterance", call_id)
        peer.hang_up(call_id)


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_websocket_client_that_does_not_read_is_cut_and_resumes(tmp_path: Path) -> None:
    import socket
    from urllib.parse import urlsplit

    with sidecar(tmp_path) as process:
        url = urlsplit(process.ready()["ws"]["url"])
        assert url.hostname is not None
        with socket.create_connection((url.hostname, url.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(
                (
                    f"GET / HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                    f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
                ).encode()
            )
            assert b"101" in deaf.recv(64)
            before = connections(process)
            assert before >= 2
            for _ in range(20):
                a_loud_burst(process)
                if connections(process) < before:
                    break
            wait_until(lambda: connections(process) < before)
        last = process.events()[-1]["seq"]
        with process.websocket() as peer:
            peer.initialize(capabilities={"events": {"since": 5}})
            peer.inbox.wait(lambda m: m.get("params", {}).get("seq") == last)
            assert [event["seq"] for event in peer.events()] == list(range(6, last + 1))


def connections(process: Sidecar) -> int:
    stats: dict[str, Any] = process.call("sidecar.stats")
    found: int = stats["gauges"]["rpc.connections"]
    return found


def test_a_stopped_parent_is_not_a_dead_one(tmp_path: Path) -> None:
    """A debugger on the client for a moment: the sidecar waits."""
    with sidecar(tmp_path) as process:
        call_id = process.listening()
        process.signal(signal.SIGSTOP)
        process.request("voicecall.status", id="later")
        process.signal(signal.SIGCONT)
        assert process.result("later")["calls"][0]["callId"] == call_id
