"""Who may open the WebSocket, and what closes it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.process.harness import TOKEN, Sidecar, WebSocketPeer, configuration, store_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    rpc = {"allowedHosts": ["sidecar.example"], "allowedOrigins": ["https://app.example"]}
    with Sidecar(tmp_path_factory.mktemp("ws"), configuration(rpc=rpc), ws=True) as process:
        process.ready()
        yield process


def status(server: Sidecar, path: str = "", **options: Any) -> int:
    try:
        with WebSocketPeer(server.ready()["ws"]["url"] + path, **options) as peer:
            peer.ready()
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_ready_is_one_line_on_stdout_and_the_first_thing_every_client_gets(server: Sidecar) -> None:
    ready = server.ready()
    with server.websocket() as peer:
        assert peer.messages[0] == {
            "jsonrpc": "2.0",
            "method": "sidecar.ready",
            "params": {**ready, "lastSeq": peer.messages[0]["params"]["lastSeq"]},
        }
    assert len(server.lines) == 1


def test_a_token_is_always_required(server: Sidecar) -> None:
    assert status(server) == 101
    assert status(server, token=None) == 401
    assert status(server, token="") == 401
    assert status(server, token="wrong") == 401
    assert status(server, token=TOKEN + "x") == 401
    assert status(server, token=None, headers={"Authorization": f"Basic {TOKEN}"}) == 401
    assert status(server, f"/?token={TOKEN}", token=None) == 401
    assert status(server, token=None, headers={"authorization": f"bearer {TOKEN}"}) == 101


def test_the_path_is_the_root(server: Sidecar) -> None:
    assert status(server, "/") == 101
    assert status(server, "/rpc") == 404


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", 101),
        ("localhost:1", 101),
        ("[::1]", 101),
        ("sidecar.example", 101),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
    ],
)
def test_a_host_that_is_not_ours_is_refused(server: Sidecar, host: str, expected: int) -> None:
    assert raw_status(server, host) == expected


def raw_status(server: Sidecar, host: str) -> int:
    import socket
    from urllib.parse import urlsplit

    url = urlsplit(server.ready()["ws"]["url"])
    assert url.hostname is not None
    with socket.create_connection((url.hostname, url.port), timeout=5) as raw:
        raw.sendall(
            (
                f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            ).encode()
        )
        return int(raw.recv(64).split()[1])


def test_a_web_page_is_refused_unless_its_origin_is_listed(server: Sidecar) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1", "http://app.example"):
        assert status(server, origin=origin) == 403, origin
    assert status(server, origin="https://app.example") == 101
    assert status(server, origin="https://app.example", token=None) == 401


def test_plain_http_is_no_rpc(server: Sidecar) -> None:
    from tests.process.harness import http_request

    url = server.ready()["ws"]["url"].replace("ws://", "http://")
    headers = {"Authorization": f"Bearer {TOKEN}"}
    code, _ = http_request("GET", url, headers=headers)
    assert code in (400, 426)
    webhook = server.ready()["webhookUrl"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "voicecall.status"}).encode()
    assert http_request("POST", webhook, body, headers)[0] == 400, "RPC is never served there"


def test_a_binary_frame_closes_with_1003(server: Sidecar) -> None:
    with server.websocket() as peer:
        peer.socket.send(b'{"jsonrpc": "2.0", "id": 1, "method": "sidecar.ping"}')
        peer.inbox.wait_closed()
        assert peer.close_code == 1003


def test_more_than_one_mebibyte_closes_with_1009(server: Sidecar) -> None:
    head, tail = '{"jsonrpc":"2.0","id":1,"method":"sidecar.ping","x":"', '"}'
    with server.websocket() as peer:
        fits = head + "a" * (1024 * 1024 - len(head) - len(tail)) + tail
        peer.send_text(fits)
        assert peer.result(1)["pong"] is True
        peer.send_text(fits + " ")
        peer.inbox.wait_closed()
        assert peer.close_code == 1009
    with server.websocket() as peer:
        assert peer.call("sidecar.ping")["pong"] is True, "others are not touched"


def test_a_message_in_fragments_is_one_message(server: Sidecar) -> None:
    with server.websocket() as peer:
        peer.socket.send(['{"jsonrpc":"2.0",', '"id":1,', '"method":"sidecar.ping"}'])
        assert peer.result(1)["pong"] is True


def test_many_clients_share_the_calls(server: Sidecar) -> None:
    with server.websocket() as one, server.websocket() as two:
        call_id = one.listening()
        two.event("call.listening", call_id)
        two.hang_up(call_id)
        one.event("call.ended", call_id)
        assert one.events(call_id) == two.events(call_id)


def test_a_client_that_goes_takes_nothing_with_it(server: Sidecar) -> None:
    with server.websocket() as one:
        call_id = one.listening()
        one.request("voicecall.continue", {"callId": call_id, "message": "And?"})
    with server.websocket() as two:
        assert two.record(call_id)["state"] in ("listening", "speaking")
        since = two.mark
        two.request("voicecall.continue", {"callId": call_id, "message": "And you?"}, id="c")
        two.inbox.wait(lambda m: m.get("params", {}).get("type") == "call.listening", since)
        two.hang_up(call_id)
        assert two.answer("c")["error"]["data"]["kind"] == "callEnded"


def test_the_lock_file_says_where_the_cli_finds_it(server: Sidecar) -> None:
    path = store_of(server.home).parent / "sidecar.json"
    lock = json.loads(path.read_text())
    assert lock["pid"] == server.process.pid
    assert server.ready()["ws"]["url"] in lock.values()
    assert lock["tokenFile"] is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_token_file_option(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "token"
    env = {"VOICECALL_RPC_TOKEN": None}
    for _ in range(2):
        with Sidecar(
            tmp_path, configuration(), ws=True, args=["--token-file", str(file)], env=env
        ) as process:
            ready = process.ready()
            assert ready["ws"]["tokenFile"] == str(file)
            assert file.stat().st_mode & 0o777 == 0o600
            token = file.read_text().strip()
            assert status(process, token=token) == 101
            assert status(process, token="") == 401
            assert token not in "".join(map(str, process.lines)) + process.stderr_text
        assert file.read_text().strip() == token, "a client may keep what it has read"


def test_a_given_address_is_used(tmp_path: Path) -> None:
    port = free_port()
    with Sidecar(tmp_path, configuration(), ws=True, args=["--ws", f"127.0.0.1:{port}"]) as process:
        assert process.ready()["ws"]["url"] == f"ws://127.0.0.1:{port}"


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_environments_token_is_not_written_anywhere(server: Sidecar) -> None:
    for path in server.home.rglob("*"):
        if path.is_file() and os.access(path, os.R_OK):
            assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in server.stderr_text
