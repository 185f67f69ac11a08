"""The last step before a child program runs: it dies when we die, even of SIGKILL.

Run as a script by `child`, never imported by the sidecar: `python -I -S leash.py PARENT PROGRAM
ARGUMENT...` asks Linux to kill this process when its parent ends, then becomes the program; the
request survives that step. A `preexec_fn` would do the same between fork and exec, where Python
code can deadlock in a process with threads, and the store has one.

Limits: Linux only, and only the program itself is held; what it starts in turn is not.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CANNOT_RUN = 126


def main(arguments: list[str]) -> int:  # pragma: no cover - runs in a process of its own
    parent, program = int(arguments[0]), arguments[1]
    # SIGKILL because a program that hangs must not survive us either; the kernel closes its
    # connections, so the far end learns of it at once.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return _CANNOT_RUN  # the parent was gone before the request was made
    try:
        os.execv(program, arguments[1:])
    except OSError as error:
        sys.stderr.write(f"{os.path.basename(program)}: {error.strerror}\n")
    return _CANNOT_RUN


if __name__ == "__main__":  # pragma: no cover - see main
    sys.exit(main(sys.argv[1:]))
