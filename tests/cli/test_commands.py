"""The table of commands: what the contract names is there, and all of it is explained."""

from typing import Any

import pytest
from typer.main import get_command

from sidecar.cli.commands import app
from tests.cli.program import Program

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]

CONTRACT = {
    "serve": "--stdio --ws --await-initialize --no-cli-socket --token-file --repair --log-format "
    "--log-level --log-pii",
    "call": "-m --message -t --to --mode --follow",
    "start": "--to --message --mode",
    "continue": "--call-id --message",
    "speak": "--call-id --message",
    "dtmf": "--call-id --digits",
    "transfer": "--call-id --to --message",
    "end": "--call-id --after-playout",
    "status": "--call-id",
    "history": "--limit --from --to --state",
    "tail": "--since --call-id --file",
    "latency": "--last --file",
    "setup": "",
    "smoke": "--to --message --mode --yes",
    "expose": "--mode --path --port --serve-path",
    "simulate": "--carrier --target",
    "schema": "--out --check",
    "import": "",
}


@pytest.mark.parametrize("name", CONTRACT)
def test_every_option_of_the_contract_is_there(name: str) -> None:
    options = {written for option in COMMANDS[name].params for written in option.opts}
    assert {*CONTRACT[name].split(), "--config"} <= options
    assert name == "serve" or "--json" in options


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert all(option.help for option in command.params)


def test_help_needs_nothing(voicecall: Program) -> None:
    voicecall.config.write_text("nonsense")
    for words in (("--help",), ("call", "-h"), ("serve", "--help")):
        done = voicecall.run(*words)
        assert done.code == 0
        assert "Usage" in done.out
