"""Options that several commands have, declared once."""

from typing import Annotated, Literal

import typer

ConfigOption = Annotated[
    str | None, typer.Option("--config", metavar="PATH", help="Configuration file (JSON5).")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON; the default when stdout is not a terminal.")
]
CallIdOption = Annotated[
    str, typer.Option("--call-id", metavar="ID", help="The call: our id, or the carrier's.")
]
OneCallOption = Annotated[
    str | None, typer.Option("--call-id", metavar="ID", help="Only this call: our id.")
]
MessageOption = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What to say.")]
ModeOption = Annotated[
    Literal["notify", "conversation"],
    typer.Option(
        "--mode",
        help="notify: say the message and hang up. conversation: say it, then talk.",
    ),
]
FollowOption = Annotated[
    bool,
    typer.Option(
        "--follow",
        help="Show the call live until it ends; with JSON, one event per line after the id.",
    ),
]


def given(**params: object) -> dict[str, object]:
    """The params that were given, by wire name."""
    return {name: value for name, value in params.items() if value is not None}
