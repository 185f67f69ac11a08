"""The commands around the calls: `setup`, `schema`, `import`."""

from pathlib import Path
from typing import Annotated

import typer

from sidecar.cli.commands.options import ConfigOption, JsonOption
from sidecar.cli.exits import run


def setup(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check what is ready and say what is missing; exit code 1 when a check fails."""
    from sidecar.cli.setting_up import setup as check

    run(lambda output: check(output, config), as_json)


def schema(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The directory of the schemas.")
    ] = Path("schemas"),
    check: Annotated[
        bool, typer.Option("--check", help="Compare only; exit code 1 when they differ.")
    ] = False,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="PATH", help="Not read: schemas depend on nothing."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the schemas of the RPC contract, or compare them."""
    from sidecar.cli.files import schema as write_or_check

    run(lambda output: write_or_check(output, out, check), as_json)


def import_calls(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The old calls.jsonl.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import the calls of an old calls.jsonl into the store."""
    from sidecar.cli.files import import_calls as bring_in

    run(lambda output: bring_in(output, config, path), as_json)
