"""Claiming stdin and stdout, in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(
    code: str, shell: str = '"$0" -c "$1"', stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, "from sidecar.descriptors import claim\n" + code],
        input=stdin,
        capture_output=True,
        timeout=30,
        cwd=ROOT,
        check=False,
    )


def test_the_claimed_descriptors_are_the_old_ones_and_private() -> None:
    done = run(
        "import os\nc = claim()\n"
        "os.write(c.stdout_fd, os.read(c.stdin_fd, 100))\n"
        "assert c.stdin_fd >= 3 and c.stdout_fd >= 3\n"
        "assert not os.get_inheritable(c.stdin_fd) and not os.get_inheritable(c.stdout_fd)\n",
        stdin=b"protocol",
    )
    assert (done.returncode, done.stdout) == (0, b"protocol"), done.stderr


def test_stray_output_of_us_and_of_children_goes_to_stderr() -> None:
    done = run(
        "import os, subprocess\nc = claim()\nprint('stray')\n"
        "os.write(1, b'raw ')\nsubprocess.run(['/bin/sh', '-c', 'echo child; cat'])\n"
        "os.write(c.stdout_fd, os.read(c.stdin_fd, 100))\n",
        stdin=b"not for the child",
    )
    assert done.stdout == b"not for the child"
    for word in (b"stray", b"raw", b"child"):
        assert word in done.stderr


def test_importing_it_loads_nothing_heavy() -> None:
    done = run(
        "import sys\nclaim()\n"
        "heavy = {'asyncio', 'structlog', 'pydantic', 'json', 'logging'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_closed_stdin_reads_as_ended() -> None:
    done = run(
        "import os\nc = claim()\nassert os.read(c.stdin_fd, 1) == b''\nassert c.stdin_fd >= 3\n"
        "os.write(c.stdout_fd, b'fine')\n",
        shell='"$0" -c "$1" <&-',
    )
    assert done.stdout == b"fine", done.stderr


def test_a_closed_stdout_fails_like_a_broken_pipe() -> None:
    done = run(
        "import os\nc = claim()\nassert c.stdout_fd >= 3\nprint('stray', flush=True)\n"
        "try:\n    os.write(c.stdout_fd, b'x')\n"
        "except BrokenPipeError:\n    os.write(2, b'broken')\n",
        shell='"$0" -c "$1" >&-',
    )
    assert b"broken" in done.stderr


def test_all_three_closed_is_survived() -> None:
    done = run(
        "import os, sys\nc = claim()\nprint('lost', file=sys.stderr, flush=True)\n"
        "assert min(c.stdin_fd, c.stdout_fd) >= 3\n",
        shell='"$0" -c "$1" <&- >&- 2>&-',
    )
    assert done.returncode == 0
