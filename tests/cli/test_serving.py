"""`serve` reads its options without the command-line toolkit, and means the same by them."""

import subprocess
import sys

import pytest
from typer.main import get_command

from sidecar.cli.commands import app
from sidecar.cli.serving import ServeWish, option_names, read_plainly
from sidecar.descriptors import Claimed
from tests.cli.program import LIMIT_S, PROGRAM, Program

CLAIMED = Claimed(stdin_fd=-1, stdout_fd=-1)


def test_both_readers_know_the_same_options_and_defaults() -> None:
    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    declared = {
        option.opts[0]: (option.name, option.default)
        for option in command.params
        if option.opts[0] != "--help"
    }
    plain = ServeWish()
    assert declared == {
        written: (name, getattr(plain, name)) for written, name in option_names().items()
    }


def test_a_correct_wish_is_read() -> None:
    words = ["serve", "--ws=127.0.0.1:0", "--config", "-", "--repair", "--log-level", "DEBUG"]
    assert read_plainly(words, None) == ServeWish(
        ws="127.0.0.1:0", config="-", repair=True, log_level="DEBUG"
    )
    assert read_plainly(["serve", "--stdio"], CLAIMED) == ServeWish(stdio=True)
    assert read_plainly(["serve", "--ws", "[::1]:8765"], None) == ServeWish(ws="[::1]:8765")


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "serve --help",
        "serve --nonsense",
        "serve extra",
        "serve --repair=yes",
        "serve --config",
        "serve --config --repair",
        "serve --log-level loud",
        "serve --log-format xml",
        "serve --ws nowhere",
        "serve --ws 127.0.0.1:70000",
        "serve --await-initialize",
        "serve --stdio --ws 127.0.0.1:0",
    ],
)
def test_everything_else_is_left_to_the_one_that_explains(words: str) -> None:
    assert read_plainly(words.split(), None) is None


def test_config_from_stdin_is_refused_where_stdin_is_the_protocols() -> None:
    assert read_plainly(["serve", "--config", "-"], CLAIMED) is None


def test_a_gateway_does_not_wait_for_the_toolkit(voicecall: Program) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *PROGRAM[1:], "serve", "--stdio"],
        env=voicecall.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "sidecar.app.serve" in imported
    assert not {"typer", "rich.console", "websockets.asyncio.client"} & imported


def test_config_from_stdin_is_read_before_anything_opens(voicecall: Program) -> None:
    with voicecall.started("serve", "--ws", "127.0.0.1:0", "--config", "-") as process:
        _, errors = process.communicate('{"serve": {"port": "none"}}', timeout=LIMIT_S)
    assert process.returncode == 2
    assert "serve.port" in errors
