"""`expose` and `simulate`: a stand-in for Tailscale, and Twilio simulated."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.cli.program import Program

STANDINS = Path(__file__).resolve().parent.parent / "standins"
SID, TOKEN = "AC" + "1" * 32, "2" * 32


@pytest.fixture
def tailnet(tmp_path: Path, voicecall: Program) -> Program:
    """A machine with Tailscale on it."""
    folder = tmp_path / "tailnet"
    folder.mkdir()
    (folder / "machine.json").write_text("{}")
    voicecall.env["PATH"] = f"{STANDINS}{os.pathsep}{voicecall.env['PATH']}"
    voicecall.env["TS_STANDIN_DIR"] = str(folder)
    voicecall.configure(serve={"port": 3334})
    return voicecall


def test_serve_exposes_webhook_and_stream_paths_and_off_takes_them_back(tailnet: Program) -> None:
    opened = tailnet.document("expose", "--mode", "serve")
    assert opened["webhookUrl"].startswith("https://")
    assert opened["webhookUrl"].endswith("/voice/webhook")
    assert opened["streamUrl"].startswith("wss://")
    assert opened["streamUrl"].endswith("/voice/stream")
    assert opened["public"] is False

    closed = tailnet.document("expose", "--mode", "off")
    assert closed["removed"]


def test_funnel_is_public_and_knows_its_ports(tailnet: Program) -> None:
    assert tailnet.document("expose", "--mode", "funnel", "--port", "8443")["public"] is True
    refused = tailnet.run("expose", "--mode", "funnel", "--port", "444")
    assert refused.code == 2
    assert "443, 8443" in refused.err


def test_a_missing_tailscale_is_a_clear_error(voicecall: Program) -> None:
    voicecall.env["PATH"] = "/nonexistent"
    done = voicecall.run("expose", "--mode", "serve")
    assert done.code == 1
    assert "tailscale is not installed" in done.err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_call_flow_is_rehearsed_against_a_running_sidecar(
    voicecall: Program, tmp_path: Path
) -> None:
    rest_port = free_port()
    voicecall.configure(
        provider="twilio",
        fromNumber="+15550001111",
        twilio={
            "accountSid": SID,
            "authToken": TOKEN,
            "baseUrl": f"http://127.0.0.1:{rest_port}",
        },
        inboundPolicy="open",
        inboundGreeting="Welcome to the harbour.",
    )
    script = tmp_path / "inbound.yaml"
    script.write_text(
        f"""
account: {{sid: {SID}, token: "{TOKEN}"}}
restPort: {rest_port}
speed: 0
direction: inbound
from: "+15557654321"
to: "+15550001111"
talk:
  - expect heard: Welcome to the harbour
  - hangup
"""
    )
    with voicecall.serving("--ws", "127.0.0.1:0") as ready:
        target = ready["webhookUrl"]
        done = voicecall.run("simulate", "--carrier", "twilio", str(script), "--target", target)

    assert done.code == 0, done.out + done.err
    report = json.loads(done.out)
    assert "Welcome to the harbour." in json.dumps(report)
