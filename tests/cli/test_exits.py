"""The exit codes of the contract, and what is said with each."""

import socket

import pytest

from tests.cli.program import Program

VERBS = [
    ("continue", "--call-id", "x", "-m", "Hello"),
    ("speak", "--call-id", "x", "-m", "Hello"),
    ("dtmf", "--call-id", "x", "--digits", "1"),
    ("transfer", "--call-id", "x", "--to", "+15550001111"),
    ("end", "--call-id", "x"),
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_verb_without_a_sidecar_is_code_3_and_tells_how_to_start_one(
    voicecall: Program, words: tuple[str, ...]
) -> None:
    done = voicecall.run(*words)
    assert done.code == 3
    assert "voicecall serve" in done.err
    assert done.document["error"]["data"]["kind"] == "noSidecar"


def test_an_error_of_the_sidecar_is_code_1_with_its_error_object(voicecall: Program) -> None:
    with voicecall.serving():
        finished = [voicecall.run(*words) for words in VERBS]
    for done in finished:
        assert done.code == 1
        error = done.document["error"]
        assert (error["code"], error["data"]["kind"]) == (-32001, "callNotFound")
        assert error["message"] in done.err


def test_wrong_params_are_told_field_by_field(voicecall: Program) -> None:
    done = voicecall.run("call", "-m", "Hello", "-t", "12345")
    assert done.code == 1
    assert done.document["error"]["data"]["field"] == "to"


@pytest.mark.parametrize(
    "words",
    [
        ("call",),
        ("start", "-m", "Hello"),
        ("call", "-m", "Hello", "--mode", "shout"),
        ("history", "--limit", "0"),
        ("history", "--limit", "501"),
        ("tail", "--since", "-1"),
        ("nonsense",),
        ("status", "--nonsense"),
        ("serve", "--stdio", "--ws", "127.0.0.1:0"),
        ("serve", "--ws", "nowhere"),
        ("serve", "--ws", "127.0.0.1:0", "--log-level", "loud"),
        ("serve", "--ws", "127.0.0.1:0", "--log-format", "xml"),
        ("serve", "--ws", "127.0.0.1:0", "--await-initialize"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_code_2(voicecall: Program, words: tuple[str, ...]) -> None:
    done = voicecall.run(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("history",),
        ("latency",),
        ("tail",),
        ("setup",),
        ("smoke",),
        ("call", "-m", "Hello"),
        ("end", "--call-id", "x"),
        ("import", "calls.jsonl"),
    ],
    ids=lambda words: words[0],
)
def test_a_wrong_configuration_is_code_2_with_every_problem(
    voicecall: Program, words: tuple[str, ...]
) -> None:
    voicecall.configure(ringTimeoutMs="soon", fromNumbr="+15550001111")
    done = voicecall.run(*words)
    assert done.code == 2
    assert "ringTimeoutMs" in done.err
    assert "fromNumbr" in done.err
    assert len(done.document["error"]["data"]["errors"]) == 2


def test_a_configuration_that_is_not_there_is_code_2(voicecall: Program) -> None:
    assert voicecall.run("status", "--config", str(voicecall.folder / "none.json")).code == 2


def test_a_taken_port_is_code_2_and_is_named(voicecall: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        voicecall.configure(serve={"port": port})
        done = voicecall.run("call", "-m", "Hello")
    assert done.code == 2
    assert str(port) in done.err


def test_a_store_on_another_machine_is_refused(voicecall: Program) -> None:
    voicecall.configure(store="postgresql://host/calls")
    done = voicecall.run("status")
    assert done.code == 2
    assert "store" in done.err


@pytest.mark.parametrize("command", ["call", "smoke"])
def test_a_store_that_another_sidecar_owns_is_code_4_and_names_it(
    voicecall: Program, command: str
) -> None:
    options = ("-t", "+15550001111", "-m", "Hello") + (("--yes",) if command == "smoke" else ())
    with voicecall.started("serve", "--stdio", "--no-cli-socket") as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        done = voicecall.run(command, *options)
        owner.communicate(timeout=30)
    assert done.code == 4
    assert f"pid {owner.pid}" in done.err


@pytest.mark.parametrize(
    "words",
    [("status",), ("history",), ("latency",), ("tail",), ("call", "-m", "Hello")],
    ids=lambda words: words[0],
)
def test_a_store_that_cannot_be_used_is_code_5_and_is_named(
    voicecall: Program, words: tuple[str, ...]
) -> None:
    voicecall.store.parent.mkdir(parents=True)
    voicecall.store.write_bytes(b"this is no database" * 100)
    done = voicecall.run(*words)
    assert done.code == 5
    assert str(voicecall.store) in done.err
    assert done.document["error"]["data"]["kind"] == "storeUnavailable"


def test_nothing_to_do_shows_the_help(voicecall: Program) -> None:
    done = voicecall.run()
    assert "Usage" in done.out + done.err


def test_the_version_is_told(voicecall: Program) -> None:
    done = voicecall.run("--version")
    assert (done.code, done.out.split()[0]) == (0, "voicecall")


def test_completion_is_there_for_the_shell(voicecall: Program) -> None:
    done = voicecall.run(
        "--show-completion", "bash", env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )
    assert done.code == 0
    assert "complete" in done.out
