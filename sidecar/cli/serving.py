"""`voicecall serve`: from options to a serving process."""

import sys
from typing import Annotated

import typer

from sidecar.descriptors import Claimed

EXIT_USAGE = 2


def serve(
    context: typer.Context,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over stdin and stdout; default for a pipe.")
    ] = False,
    ws: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Speak over WebSocket; port 0 is any.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="PATH", help="Configuration file; - reads stdin (--ws).")
    ] = None,
    await_initialize: Annotated[
        bool, typer.Option("--await-initialize", help="Wait for `initialize` to bring the config.")
    ] = False,
    no_cli_socket: Annotated[
        bool, typer.Option("--no-cli-socket", help="With --stdio: no WebSocket for the CLI.")
    ] = False,
    token_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="File with the RPC token; made if missing.")
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set a corrupt store aside and begin a new one.")
    ] = False,
    log_format: Annotated[str, typer.Option(metavar="json|console", help="Form of the log.")] = (
        "json"
    ),
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    log_pii: Annotated[
        bool, typer.Option("--log-pii", help="Log phone numbers and words unmasked.")
    ] = False,
) -> None:
    """Run the sidecar."""
    claimed: Claimed | None = context.obj
    _check(claimed, ws, config, await_initialize, stdio)
    _check_log(log_format, log_level)
    from sidecar import log  # first: it decides what structlog loads
    from sidecar.app.house import ServeOptions
    from sidecar.app.serve import ServeRequest
    from sidecar.app.serve import serve as run_process

    writer = log.set_up(level=log_level, style=log_format, pii=log_pii)
    request = ServeRequest(
        options=ServeOptions(
            ws=_address(ws) if claimed is None else None,
            cli_socket=not no_cli_socket,
            token_file=token_file,
            repair=repair,
        ),
        claimed=claimed,
        config_path=None if config == "-" else config,
        config_text=sys.stdin.read() if config == "-" else None,
        await_initialize=await_initialize,
    )
    code = run_process(request)
    writer.close()
    raise typer.Exit(code)


def _check(
    claimed: Claimed | None, ws: str | None, config: str | None, awaits: bool, stdio: bool
) -> None:
    if stdio and ws is not None:
        raise typer.BadParameter("--stdio and --ws exclude each other; choose one.")
    if config == "-" and claimed is not None:
        raise typer.BadParameter("--config - needs --ws, because stdin is the protocol's here.")
    if awaits and claimed is None:
        raise typer.BadParameter("--await-initialize needs --stdio.")


def _check_log(form: str, level: str) -> None:
    if form not in ("json", "console"):
        raise typer.BadParameter("--log-format must be json or console.")
    if level.lower() not in ("debug", "info", "warning", "error"):
        raise typer.BadParameter("--log-level must be debug, info, warning or error.")


def _address(ws: str | None) -> tuple[str, int]:
    """`HOST:PORT`, also `[::1]:8765`; without one, a free port on loopback."""
    host, colon, port = (ws or "127.0.0.1:0").rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter("--ws must be HOST:PORT, such as 127.0.0.1:8765.")
    return host.strip("[]"), int(port)
