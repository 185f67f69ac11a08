"""`voicecall` and `python -m sidecar`: what has to happen before any heavy import.

`serve` claims stdin and stdout, and a signal that comes before anything is open ends it at once.
"""

import os
import signal
import stat
import sys

from sidecar.descriptors import claim


def main() -> None:
    """Run the command line; exits with its code."""
    arguments = sys.argv[1:]
    serves = _serves(arguments)
    claimed = claim() if serves and _speaks_stdio(arguments) else None
    for number in (signal.SIGTERM, signal.SIGINT) if serves else ():
        signal.signal(number, _leave)
    from sidecar.cli import run

    run(claimed)


def _leave(number: int, frame: object) -> None:
    """Nothing is open yet, so there is nothing to drain."""
    os._exit(0)


def _serves(arguments: list[str]) -> bool:
    words = [word for word in arguments if not word.startswith("-")]
    return words[:1] == ["serve"] and "--help" not in arguments


def _speaks_stdio(arguments: list[str]) -> bool:
    """Whether `serve` is to use stdio: asked for, or because stdin is a pipe (rpc.md)."""
    if "--stdio" in arguments:
        return True
    return not any(word.split("=")[0] == "--ws" for word in arguments) and _stdin_is_a_pipe()


def _stdin_is_a_pipe() -> bool:
    """A pipe, or the socket that some spawners use as one."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


if __name__ == "__main__":
    main()
