"""`voicecall serve`: from options to a serving process. Imports no command-line toolkit.

The options are declared for people, with help and completion, in `commands.serve`; the table here
reads the same ones without it. Anything it does not know, or that is wrong, it leaves to that one.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sidecar.descriptors import Claimed

LOG_FORMATS = ("json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ServeWish:
    """The options of `serve`, by the names of the command line."""

    stdio: bool = False
    ws: str | None = None
    config: str | None = None
    await_initialize: bool = False
    no_cli_socket: bool = False
    token_file: str | None = None
    repair: bool = False
    log_format: str = "json"
    log_level: str = "info"
    log_pii: bool = False


class WrongOptions(ValueError):
    """Options that do not go together; the text says so to a person."""


def option_names() -> Mapping[str, str]:
    """Every option of `serve` as it is written, and its field."""
    return {"--" + field.name.replace("_", "-"): field.name for field in fields(ServeWish)}


def read_plainly(arguments: Sequence[str], claimed: Claimed | None) -> ServeWish | None:
    """The wish of a correct `serve ...`, else None."""
    if arguments[:1] != ["serve"]:
        return None
    names, given = option_names(), dict[str, Any]()
    words = iter(arguments[1:])
    for word in words:
        option, assigned, value = word.partition("=")
        name = names.get(option)
        if name is None:
            return None
        if isinstance(getattr(ServeWish(), name), bool):
            if assigned:
                return None
            given[name] = True
            continue
        text = value if assigned else next(words, None)
        if text is None or (not assigned and text.startswith("-") and text != "-"):
            return None
        given[name] = text
    wish = ServeWish(**given)
    try:
        check(wish, claimed)
    except WrongOptions:
        return None
    return wish


def check(wish: ServeWish, claimed: Claimed | None) -> None:
    """Raises `WrongOptions`."""
    if wish.stdio and wish.ws is not None:
        raise WrongOptions("--stdio and --ws exclude each other; choose one.")
    if wish.config == "-" and claimed is not None:
        raise WrongOptions("--config - needs --ws, because stdin is the protocol's here.")
    if wish.await_initialize and claimed is None:
        raise WrongOptions("--await-initialize needs --stdio.")
    if wish.log_format not in LOG_FORMATS:
        raise WrongOptions("--log-format must be json or console.")
    if wish.log_level.lower() not in LOG_LEVELS:
        raise WrongOptions("--log-level must be debug, info, warning or error.")
    if claimed is None:
        _address(wish.ws)


def serve(wish: ServeWish, claimed: Claimed | None) -> int:
    """Serve until something ends it; gives the exit code. The wish was checked."""
    from sidecar import log
    from sidecar.app.house import ServeOptions
    from sidecar.app.serve import ServeRequest
    from sidecar.app.serve import serve as run_process

    writer = log.set_up(level=wish.log_level, style=wish.log_format, pii=wish.log_pii)
    from_stdin = wish.config == "-"
    request = ServeRequest(
        options=ServeOptions(
            ws=_address(wish.ws) if claimed is None else None,
            cli_socket=not wish.no_cli_socket,
            token_file=wish.token_file,
            repair=wish.repair,
        ),
        claimed=claimed,
        config_path=None if from_stdin else wish.config,
        config_text=sys.stdin.read() if from_stdin else None,
        await_initialize=wish.await_initialize,
    )
    code = run_process(request)
    writer.close()
    return code


def _address(ws: str | None) -> tuple[str, int]:
    """`HOST:PORT`, also `[::1]:8765`; without one, a free port on loopback."""
    host, colon, port = (ws or "127.0.0.1:0").rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise WrongOptions("--ws must be HOST:PORT, such as 127.0.0.1:8765.")
    return host.strip("[]"), int(port)
