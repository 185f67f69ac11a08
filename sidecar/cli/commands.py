"""The commands, their names and their help."""

import typer

from sidecar.cli.serving import serve
from sidecar.descriptors import Claimed

app = typer.Typer(
    name="voicecall",
    help="The telephone of an OpenClaw agent.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def voicecall() -> None:
    """The telephone of an OpenClaw agent."""


app.command()(serve)


def run(claimed: Claimed | None) -> None:
    """Run the command that the arguments name. `claimed` holds the protocol's descriptors when
    this is `serve` over stdio."""
    app(obj=claimed)
