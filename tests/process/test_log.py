"""The log: JSON lines on stderr, and what must never be in them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.process.harness import (
    ROOT,
    TOKEN,
    Sidecar,
    configuration,
    environment,
    sidecar,
    write_config,
)

SECRETS = {
    "twilio.authToken": "tw-secret-1111",
    "telnyx.apiKey": "tx-secret-2222",
    "openai": "sk-secret-3333",
}


def a_busy_life(process: Sidecar) -> None:
    """Everything that could tempt somebody to log: words, numbers, tokens, mistakes."""
    process.initialize(capabilities={"agent": True})
    call_id = process.listening(message="Your password is swordfish.", metadata={"pin": "0815"})
    process.webhook(
        {
            "type": "call.speech",
            "callId": call_id,
            "transcript": "My card is 4111111111111111.",
            "isFinal": True,
        }
    )
    request = process.asked()
    process.send({"jsonrpc": "2.0", "id": request["id"], "result": {"text": "Thank you, Bob."}})
    process.inbox.wait(lambda m: m.get("params", {}).get("text") == "Thank you, Bob.")
    process.call("voicecall.dtmf", {"callId": call_id, "digits": "0815"})
    process.fails("voicecall.initiate", {"to": "+15556667777x", "message": "a"})
    process.send_text('{"jsonrpc": "2.0", "swordfish": +15556667777')
    process.webhook({"type": "call.ringing", "callId": call_id}, token="bad-token-4444")
    process.webhook(
        {
            "type": "call.initiated",
            "providerCallId": "p",
            "direction": "inbound",
            "from": "+15558889999",
            "to": "+15550000000",
        }
    )
    process.event("call.rejected")
    process.hang_up(call_id)


def test_every_line_is_an_object_without_numbers_words_or_secrets(tmp_path: Path) -> None:
    config = {
        "twilio": {"authToken": SECRETS["twilio.authToken"]},
        "telnyx": {"apiKey": SECRETS["telnyx.apiKey"]},
        "tts": {"openai": {"apiKey": SECRETS["openai"]}},
    }
    with Sidecar(tmp_path, configuration(**config), args=["--log-level", "debug"]) as process:
        a_busy_life(process)
        shown = [process.call(m) for m in ("voicecall.setup", "voicecall.status", "sidecar.stats")]
        process.end_input()
        assert process.wait() == 0
        assert process.stderr
        for line in process.stderr:
            entry = json.loads(line)
            assert {"event", "level", "timestamp"} <= set(entry), line
        log = process.stderr_text
        for number in ("15550001234", "15558889999", "15556667777", "15550000000"):
            assert number not in log
        for words in ("swordfish", "4111", "Bob", "0815", "Hello"):
            assert words not in log
        written = log + json.dumps(shown) + "".join(line.decode() for line in process.lines)
        for secret in (*SECRETS.values(), TOKEN, "bad-token-4444"):
            assert secret not in written
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "config.json":
            data = path.read_bytes()
            for secret in (*SECRETS.values(), TOKEN):
                assert secret.encode() not in data, path


def test_numbers_are_shown_to_those_who_ask_for_them(tmp_path: Path) -> None:
    args = ["--log-pii", "--log-level", "debug"]
    with Sidecar(tmp_path, configuration(), args=args) as process:
        process.hang_up(process.listening())
        assert TOKEN not in process.stderr_text


def test_the_console_form_is_for_people(tmp_path: Path) -> None:
    with Sidecar(tmp_path, configuration(), args=["--log-format", "console"]) as process:
        process.ready()
        process.end_input()
        assert process.wait() == 0
        assert "sidecar.ready" in process.stderr_text
        assert not process.stderr[0].startswith("{")
        assert all(isinstance(json.loads(line), dict) for line in process.lines)


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    """Stderr is a full pipe: calls go on, and the process ends."""
    reading, writing = os.pipe()
    config = write_config(tmp_path, configuration())
    words = [sys.executable, "-m", "sidecar", "serve", "--stdio", "--config", str(config)]
    with subprocess.Popen(
        [*words, "--log-level", "debug"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=writing,
        env=environment(tmp_path),
        cwd=ROOT,
    ) as process:
        os.close(writing)
        assert process.stdin is not None
        assert process.stdout is not None
        requests = b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"voicecall.start","params":{"to":"+15550001234"}}\n'
            % n
            for n in range(400)
        )
        process.stdin.write(requests)
        process.stdin.flush()
        answers: dict[int, Any] = {}
        while len(answers) < 400:
            message = json.loads(process.stdout.readline())
            if "id" in message:
                answers[message["id"]] = message
        process.stdin.close()
        process.stdout.read()
        assert process.wait(10) == 0
    os.close(reading)


def test_a_log_whose_reader_has_gone_stops_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path, configuration())
    words = [sys.executable, "-m", "sidecar", "serve", "--stdio", "--config", str(config)]
    with subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"voicecall.status"}\n')
        process.stdin.close()
        assert b'"calls":[]' in process.stdout.read()
        assert process.wait(10) == 0


def test_the_mock_line_says_nothing_of_the_user_in_stats(tmp_path: Path) -> None:
    with sidecar(tmp_path) as process:
        process.hang_up(process.listening())
        text = json.dumps(process.call("sidecar.stats"))
        assert "1555" not in text
