"""`serve`, as people see it: the same options as `cli.serving`, with help and completion."""

from typing import Annotated

import typer

from sidecar.cli import serving
from sidecar.descriptors import Claimed


def serve(
    context: typer.Context,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over stdin and stdout; default for a pipe.")
    ] = False,
    ws: Annotated[
        str | None,
        typer.Option("--ws", metavar="HOST:PORT", help="Speak over WebSocket; port 0 is any."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config", metavar="PATH", help="Configuration file (JSON5); - reads stdin (--ws)."
        ),
    ] = None,
    await_initialize: Annotated[
        bool, typer.Option("--await-initialize", help="Wait for `initialize` to bring the config.")
    ] = False,
    no_cli_socket: Annotated[
        bool, typer.Option("--no-cli-socket", help="With --stdio: no WebSocket for the CLI.")
    ] = False,
    token_file: Annotated[
        str | None,
        typer.Option(
            "--token-file", metavar="PATH", help="File with the RPC token; made if missing."
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set a corrupt store aside and begin a new one.")
    ] = False,
    log_format: Annotated[
        str, typer.Option("--log-format", metavar="json|console", help="Form of the log.")
    ] = "json",
    log_level: Annotated[
        str,
        typer.Option(
            "--log-level", metavar="debug|info|warning|error", help="The least that is logged."
        ),
    ] = "info",
    log_pii: Annotated[
        bool, typer.Option("--log-pii", help="Log phone numbers and words unmasked.")
    ] = False,
) -> None:
    """Run the sidecar."""
    wish = serving.ServeWish(
        stdio=stdio,
        ws=ws,
        config=config,
        await_initialize=await_initialize,
        no_cli_socket=no_cli_socket,
        token_file=token_file,
        repair=repair,
        log_format=log_format,
        log_level=log_level,
        log_pii=log_pii,
    )
    claimed: Claimed | None = context.obj
    try:
        serving.check(wish, claimed)
    except serving.WrongOptions as error:
        raise typer.BadParameter(str(error)) from error
    raise typer.Exit(serving.serve(wish, claimed))
