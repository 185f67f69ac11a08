"""The real program in processes of its own, with a home, a store and a configuration of its own."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LIMIT_S = 30
PROGRAM = (sys.executable, "-m", "sidecar")

Document = dict[str, Any]


class Program:
    """`voicecall`, as a user of `folder` has it."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.store = self.state / "voice-calls" / "calls.db"
        self.config = folder / "config.json"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG_PATH": str(self.config),
            "TERM": "xterm-256color",
        }
        self.configure(**(config or {}))

    def configure(self, **members: Any) -> None:
        document = {
            "serve": {"port": 0},
            "toNumber": "+15550001234",
            "maxConcurrentCalls": 10,
            "outbound": {"notifyHangupDelaySec": 0},
            "mock": {"speed": 0, "replies": ["Yes, please.", "No."]},
            **members,
        }
        self.config.write_text(json.dumps(document), encoding="utf-8")

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> "Finished":
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env={**self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def document(self, *arguments: str) -> Document:
        """The document of a command that must succeed."""
        done = self.run(*arguments)
        assert done.code == 0, done.stderr
        return done.document

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    @contextmanager
    def serving(self, *options: str) -> Iterator[Document]:
        """A sidecar that serves; gives the params of its `sidecar.ready`."""
        with self.started("serve", "--log-level", "error", *options) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["method"] == "sidecar.ready"
            yield ready["params"]
            process.terminate()
            process.communicate(timeout=LIMIT_S)

    def on_terminal(
        self,
        *arguments: str,
        columns: int = 100,
        env: Mapping[str, str] | None = None,
        stdout: Path | None = None,
    ) -> tuple[int, str]:
        """Exit code and everything that a terminal would have been sent."""
        pid, master = pty.fork()
        if pid == 0:
            if stdout is not None:
                os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT), 1)
            os.execve(sys.executable, [*PROGRAM, *arguments], {**self.env, **(env or {})})
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        received = bytearray()
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until and select.select([master], [], [], LIMIT_S)[0]:
            try:
                chunk = os.read(master, 65_536)
            except OSError:
                # Linux says so when the last process has left the terminal.
                break
            if not chunk:
                break
            received += chunk
        os.close(master)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), received.decode()


class Finished:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def document(self) -> Document:
        """The one JSON document on stdout."""
        document: Document = json.loads(self.out)
        return document

    @property
    def documents(self) -> list[Document]:
        return [json.loads(line) for line in self.out.splitlines()]
