"""The public address: whether it leads to us is tried at start and told by `setup`."""

import socket
from pathlib import Path
from typing import Any

from tests.process.harness import Sidecar, configuration, wait_until
from tests.process.peer import PATIENCE_S

TWILIO = {
    "provider": "twilio",
    "fromNumber": "+15550001111",
    "twilio": {"accountSid": "AC" + "0" * 32, "authToken": "0" * 32},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def public_checks(sidecar: Sidecar) -> dict[str, Any]:
    checks = sidecar.call("voicecall.setup")["checks"]
    return {check["id"]: check for check in checks if check["id"].startswith("publicUrl.")}


def settled(sidecar: Sidecar) -> dict[str, Any]:
    def tried() -> bool:
        return all("being tried" not in c["message"] for c in public_checks(sidecar).values())

    wait_until(tried, PATIENCE_S)
    return public_checks(sidecar)


def test_setup_says_that_both_paths_of_the_public_address_arrive(tmp_path: Path) -> None:
    port = free_port()
    config = configuration(
        **TWILIO, serve={"port": port}, publicUrl=f"http://127.0.0.1:{port}/voice/webhook"
    )
    with Sidecar(tmp_path, config) as sidecar:
        sidecar.ready()
        checks = settled(sidecar)

    assert {id: check["status"] for id, check in checks.items()} == {
        "publicUrl.webhook": "ok",
        "publicUrl.stream": "ok",
    }


def test_setup_warns_of_an_address_that_leads_elsewhere(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        stranger.settimeout(PATIENCE_S)
        port = stranger.getsockname()[1]
        config = configuration(**TWILIO, publicUrl=f"http://127.0.0.1:{port}/hooks/voice/webhook")
        with Sidecar(tmp_path, config) as sidecar:
            sidecar.ready()
            for _ in range(2):
                connection, _ = stranger.accept()
                request = connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                connection.close()
            checks = settled(sidecar)

    assert request.startswith(b"GET /hooks/voice/stream ")
    assert {check["status"] for check in checks.values()} == {"warn"}
    assert all(check["key"] == "publicUrl" and check["fix"] for check in checks.values())


def test_a_call_without_a_public_address_is_refused_before_it_is_one(tmp_path: Path) -> None:
    wish = {"to": "+15551234567", "message": "Hello.", "idempotencyKey": "k1"}
    with Sidecar(tmp_path, configuration(**TWILIO)) as sidecar:
        sidecar.ready()
        refused = sidecar.fails("voicecall.initiate", wish)

        assert refused.error["data"]["kind"] == "notConfigured"
        assert refused.error["data"]["missing"] == ["publicUrl"]
        assert sidecar.call("voicecall.history") == {"calls": []}

    twilio = {**TWILIO["twilio"], "baseUrl": f"http://127.0.0.1:{free_port()}"}
    config = configuration(
        **{**TWILIO, "twilio": twilio}, publicUrl="http://127.0.0.1:1/voice/webhook"
    )
    with Sidecar(tmp_path, config) as sidecar:
        sidecar.ready()
        again = sidecar.fails("voicecall.initiate", wish)

        assert again.error["data"]["kind"] == "carrierUnavailable"
