"""The RPC token: from the environment, from a file, or made at start."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sidecar.config import process_environment
from sidecar.errors import ConfigError

VARIABLE = "VOICECALL_RPC_TOKEN"


@dataclass(frozen=True, slots=True)
class RpcToken:
    """`file` is where a client may read it; None when the token came from the environment."""

    value: str
    file: str | None


def take_token(token_file: str | None, default_file: str) -> RpcToken:
    """The token of this process. One from the environment is removed there, so that child
    processes do not inherit it; one from a file is read, or made and written with mode 0600."""
    given = process_environment().pop(VARIABLE, "").strip()
    if given:
        return RpcToken(given, None)
    path = Path(token_file or default_file)
    if token_file is not None and path.exists():
        try:
            kept = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([("--token-file", f"{path} cannot be read")]) from error
        if kept:
            return RpcToken(kept, str(path))
    made = secrets.token_urlsafe(32)
    try:
        write_private(path, made + "\n")
    except OSError as error:
        raise ConfigError(
            [("--token-file", f"{path} cannot be written; name a file that can")]
        ) from error
    return RpcToken(made, str(path))


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step with a file that only its owner can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(beside, path)
