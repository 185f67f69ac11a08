"""What a person sees: the real program on a pseudo-terminal."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.program import Program

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _plain(text: str) -> str:
    return ESCAPE.sub("", text).replace("\r", "\n")


def test_a_call_shows_both_sides_of_the_talk(voicecall: Program) -> None:
    voicecall.configure(mock={"speed": 0, "outcome": "answer"})
    code, seen = voicecall.on_terminal("call", "-m", "Hello Ada", "--mode", "notify", "--follow")
    text = _plain(seen)
    assert code == 0
    assert '{"callId": ' in text or '{"callId":' in text
    assert re.search(r"0:0\d\s+Agent\s+Hello Ada", text)
    assert re.search(r"ended\s+hangup-bot after 0:00", text)
    assert COLOUR.search(seen)


def test_a_live_line_tells_how_it_goes_and_how_to_stop(voicecall: Program) -> None:
    voicecall.configure(mock={"speed": 20})
    _, seen = voicecall.on_terminal("call", "-m", "Hello Ada", "--mode", "notify")
    assert "Ctrl-C hangs up" in _plain(seen)


def test_a_live_line_stays_out_of_a_redirected_document(voicecall: Program) -> None:
    """stdout is a file, stderr the terminal."""
    voicecall.configure(mock={"speed": 20})
    into = voicecall.folder / "out.json"
    words = ("call", "-m", "Hello", "--mode", "notify", "--follow")
    _, seen = voicecall.on_terminal(*words, stdout=into)
    assert "Ringing" in seen
    first, *events = [json.loads(line) for line in into.read_text().splitlines()]
    assert events[-1]["callId"] == first["callId"]


def test_a_reader_that_stops_reading_ends_the_command(voicecall: Program) -> None:
    log = voicecall.folder / "log"
    log.write_text('{"callId": "a"}\n' * 10_000)
    with voicecall.started("tail", "--file", str(log), "--since", "10000") as tail:
        assert tail.stdout is not None
        assert tail.stderr is not None
        tail.stdout.readline()
        tail.stdout.close()
        assert "Traceback" not in tail.stderr.read()
        assert tail.wait(20) == 1


def test_no_color_is_respected(voicecall: Program) -> None:
    voicecall.run("call", "-m", "Hello", "--mode", "notify")
    _, coloured = voicecall.on_terminal("history")
    _, bare = voicecall.on_terminal("history", env={"NO_COLOR": "1"})
    assert re.search(r"\x1b\[[0-9;]*3\dm", coloured)
    assert not re.search(r"\x1b\[[0-9;]*3\dm", bare)


@pytest.mark.parametrize("columns", [60, 120])
def test_tables_keep_to_the_width_and_the_whole_id(voicecall: Program, columns: int) -> None:
    call_id = voicecall.document("call", "-m", "Hello", "--mode", "notify")["callId"]
    for words in (("history",), ("status", "--call-id", call_id)):
        code, seen = voicecall.on_terminal(*words, columns=columns)
        text = _plain(seen)
        assert code == 0
        assert max(map(len, text.splitlines())) <= columns
        assert call_id[:8] in text
    assert "hangup-bot" in text


def test_json_is_json_on_a_terminal_too(voicecall: Program) -> None:
    code, seen = voicecall.on_terminal("history", "--json")
    assert (code, json.loads(seen)) == (0, {"calls": []})


def test_every_view_has_something_to_say(voicecall: Program) -> None:
    voicecall.configure(mock={"speed": 0, "replies": ["Yes, \x1b[31mplease\x1b[0m."]})
    _says(voicecall, ("status",), "No call is active.")
    _says(voicecall, ("status", "--call-id", "x"), "No call has this id.")
    _says(voicecall, ("history",), "There are no such calls.")
    _says(voicecall, ("latency",), "No turn has been measured yet.")
    _says(voicecall, ("setup",), "✓ Voice calls are switched on.", "Ready: ")
    with voicecall.serving():
        call_id = voicecall.document("call", "-m", "Is Ada there?")["callId"]
        said = ("--call-id", call_id)
        seen = _says(voicecall, ("continue", *said, "-m", "Hello?"), "Yes, [31mplease[0m.")
        assert "\x1b[31mplease" not in seen
        _says(voicecall, ("speak", *said, "-m", "Fine."), "✓ Accepted")
        _says(voicecall, ("dtmf", *said, "--digits", "1"), "✓ The keys were pressed.")
        _says(voicecall, ("status",), "+15550001234", "1 call")
        _says(voicecall, ("end", *said), "✓ Hung up.")
    _says(voicecall, ("status", *said), "Agent   Is Ada there?", "hangup-bot", "Person")
    _says(voicecall, ("tail",), "call.speech", "“Is Ada there?”", "These are past events.")
    _says(voicecall, ("latency",), "median", "Turn latency", "█")


def _says(voicecall: Program, words: tuple[str, ...], *parts: str) -> str:
    code, seen = voicecall.on_terminal(*words)
    assert code == 0, seen
    for part in parts:
        assert part in _plain(seen)
    return seen


def test_files_are_told_of_in_sentences(voicecall: Program, tmp_path: Path) -> None:
    out = str(tmp_path / "schemas")
    _says(voicecall, ("schema", "--out", out), "✓", "files written to")
    _says(voicecall, ("schema", "--out", out, "--check"), "up to date")
    (tmp_path / "schemas" / "errors.json").unlink()
    code, seen = voicecall.on_terminal("schema", "--out", out, "--check")
    assert code == 1
    assert "! errors.json is missing." in _plain(seen)
    log = tmp_path / "calls.jsonl"
    log.write_text(
        'nonsense\n{"callId": "a", "provider": "mock", "direction": "inbound", '
        '"startedAt": 1700000000000, "state": "completed"}\n'
    )
    _says(voicecall, ("import", str(log)), "✓ 1 calls imported", "! line 1 is not JSON")


def test_a_failure_has_a_sign_and_a_way_out(voicecall: Program) -> None:
    code, seen = voicecall.on_terminal("end", "--call-id", "x")
    assert code == 3
    assert "✗ No sidecar is running." in _plain(seen)
    assert "→ Start one with: voicecall serve" in _plain(seen)


def test_a_failed_check_shows_its_fix(voicecall: Program) -> None:
    voicecall.configure(provider="twilio", fromNumber="+15550003333")
    code, seen = voicecall.on_terminal("setup")
    assert code == 1
    assert "✗ The provider twilio is missing" in _plain(seen)
    assert "→ Set twilio.accountSid" in _plain(seen)
    assert "Not ready: " in _plain(seen)


def test_smoke_shows_the_checks_and_the_call(voicecall: Program) -> None:
    code, seen = voicecall.on_terminal("smoke", "--to", "+15550001111", "--yes")
    assert code == 0
    assert "Ready: " in _plain(seen)
    assert "✓ The call went through." in _plain(seen)
