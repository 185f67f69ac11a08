"""The commands, their names and their help. What a command does is imported when it is run."""

from typing import Annotated

import typer

from sidecar import __version__
from sidecar.cli.commands import calling, keeping, looking, outside, talking
from sidecar.cli.commands.serve import serve

app = typer.Typer(
    name="voicecall",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        print(f"voicecall {__version__}")
        raise typer.Exit()


@app.callback()
def voicecall(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """The telephone of an OpenClaw agent: runs calls and speaks JSON-RPC to the Gateway."""


for _name, _command, _panel in (
    ("serve", serve, "Run"),
    ("setup", keeping.setup, "Run"),
    ("smoke", calling.smoke, "Run"),
    ("demo", calling.demo, "Run"),
    ("call", calling.call, "Calls"),
    ("start", calling.start, "Calls"),
    ("continue", talking.continue_call, "Calls"),
    ("speak", talking.speak, "Calls"),
    ("dtmf", talking.dtmf, "Calls"),
    ("transfer", talking.transfer, "Calls"),
    ("end", talking.end, "Calls"),
    ("status", looking.status, "Look"),
    ("history", looking.history, "Look"),
    ("tail", looking.tail, "Look"),
    ("latency", looking.latency, "Look"),
    ("expose", outside.expose, "Outside"),
    ("simulate", outside.simulate, "Outside"),
    ("schema", keeping.schema, "Files"),
    ("import", keeping.import_calls, "Files"),
):
    app.command(_name, rich_help_panel=_panel)(_command)
