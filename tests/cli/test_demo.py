"""The demonstration, as a program and as the script of the repository."""

import json

from sidecar.cli.demo import GREETING, TALK
from tests.cli.program import Program


def test_the_demonstration_shows_a_whole_call_without_a_terminal(voicecall: Program) -> None:
    done = voicecall.run("demo", "--speed", "20", env={"TMPDIR": str(voicecall.folder)})
    assert done.code == 0
    assert done.err == ""
    words = " ".join(done.out.split())
    said = [GREETING, *(line for turn in TALK for line in turn)]
    places = [words.index(line) for line in said]
    assert places == sorted(places)
    assert "ended hangup-bot" in words
    assert "Where to go next" in words
    assert not list(voicecall.folder.glob("voicecall-demo-*"))
    assert not voicecall.state.exists()


def test_the_demonstration_lives_on_a_terminal(voicecall: Program) -> None:
    code, seen = voicecall.on_terminal("demo", "--speed", "20")
    assert code == 0
    assert "\x1b[" in seen
    assert GREETING in seen


def test_the_demonstration_can_be_json(voicecall: Program) -> None:
    done = voicecall.run("demo", "--speed", "20", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [events[0]["type"], events[-1]["type"]] == ["call.initiated", "call.ended"]


def test_an_interrupted_demonstration_leaves_nothing_behind(voicecall: Program) -> None:
    voicecall.env["TMPDIR"] = str(voicecall.folder)
    with voicecall.started("demo") as process:
        assert process.stdout is not None
        assert any("ringing" in line for line in process.stdout)
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 130
    assert not list(voicecall.folder.glob("voicecall-demo-*"))
