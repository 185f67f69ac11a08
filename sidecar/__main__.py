"""`voicecall` and `python -m sidecar`: claims stdin and stdout before any heavy import."""

import os
import stat
import sys

from sidecar.descriptors import claim


def main() -> None:
    """Run the command line; exits with its code."""
    claimed = claim() if _serves_stdio(sys.argv[1:]) else None
    from sidecar.cli import run

    run(claimed)


def _serves_stdio(arguments: list[str]) -> bool:
    """Whether this is `serve` over stdio: asked for, or because stdin is a pipe (rpc.md)."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] != ["serve"] or "--help" in arguments:
        return False
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
