"""`demo`: one call on the mock line, shown as it happens.

It does what a Gateway does: starts `voicecall serve --stdio`, offers to be the agent, places a call
and answers for the agent, here from a script. Store and configuration live in a folder that is
gone afterwards.
"""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.cli.client import MESSAGE_BYTES, Client
from sidecar.cli.exits import DONE, FAILED, NoSidecar
from sidecar.cli.output import Output, Progress
from sidecar.cli.placing.call import stay

if TYPE_CHECKING:
    from rich.console import RenderableType

END_S = 6
TO = "+15550001234"
GREETING = "Hello, this is the assistant of Harbour Dental. Is this Ada?"
TALK = (
    (
        "Yes, speaking.",
        "Good. You have an appointment tomorrow at nine. Does that still suit you?",
    ),
    (
        "Could we make it ten instead?",
        "Ten is free. I have moved it. Shall I send you a message about it?",
    ),
    ("No, thank you. Goodbye!", "Then see you tomorrow at ten. Goodbye, Ada."),
)
"""What the far end says, and what the agent answers."""
NEXT_STEPS = (
    ("setup", "what is ready, and what a real carrier needs"),
    ("call --mode notify -m 'Hello' -t +15550001234 --follow", "place a call yourself"),
    ("history", "the calls so far"),
    ("serve --ws 127.0.0.1:8765", "run a sidecar for programs to talk to"),
    ("--help", "everything else"),
)


async def demonstrate(output: Output, speed: float) -> int:
    if output.for_people:
        output.show(_heading())
    with tempfile.TemporaryDirectory(prefix="voicecall-demo-") as folder:
        async with _sidecar(Path(folder), speed) as link:
            ended = await _call(output, link)
    if output.for_people:
        output.show(_next_steps())
    return DONE if ended["reason"] == "hangup-bot" else FAILED


async def _call(output: Output, link: "ProcessLink") -> Mapping[str, Any]:
    agent = ScriptedAgent()
    client = Client(link, agent.respond)
    try:
        await client.open(events=True)
        result = await client.request(
            "voicecall.initiate", {"to": TO, "message": GREETING, "mode": "conversation"}
        )
        with Progress(output) as progress:
            return await stay(output, client, result["callId"], progress, show=True)
    finally:
        await client.close()


class ScriptedAgent:
    """Answers with the next line of the script, and hangs up after the last."""

    def __init__(self) -> None:
        self._left = [answer for _, answer in TALK]

    async def respond(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        text = self._left.pop(0) if self._left else ""
        return {"text": text, "endCall": not self._left}


class ProcessLink:
    """A sidecar that we started, over its stdin and stdout."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def send(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise NoSidecar("The sidecar has ended.") from error

    async def receive(self) -> str | None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        return line.decode() or None

    async def close(self) -> None:
        """The end of its stdin ends a sidecar."""
        assert self._process.stdin is not None
        self._process.stdin.close()


@asynccontextmanager
async def _sidecar(folder: Path, speed: float) -> AsyncIterator[ProcessLink]:
    config = folder / "config.json"
    config.write_text(json.dumps(_config(folder, speed)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "serve", "--stdio", "--no-cli-socket"),
        *("--config", str(config), "--log-level", "error"),
        stdin=PIPE,
        stdout=PIPE,
        limit=MESSAGE_BYTES,
        # Ctrl-C is ours: it reaches the sidecar as the end of its stdin.
        start_new_session=True,
    )
    link = ProcessLink(process)
    try:
        yield link
    finally:
        await link.close()
        await _ended(process)


async def _ended(process: Process) -> None:
    """A sidecar goes by itself within 5 s; one that does not would outlive its folder."""
    try:
        async with asyncio.timeout(END_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


def _config(folder: Path, speed: float) -> dict[str, Any]:
    return {
        "provider": "mock",
        "store": str(folder / "calls.db"),
        "serve": {"port": 0},
        "mock": {
            "ringMs": 1_200,
            "answerMs": 1_300,
            "replies": [said for said, _ in TALK],
            "replyDelayMs": 900,
            "wordsPerMinute": 230,
            "speed": speed,
        },
    }


# -- what is shown around the call ----------------------------------------------------------------


def _heading() -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    return Group(
        Text.assemble(("A call on the built-in mock line", "bold"), f", to {TO}."),
        Text("A sidecar process places it; this terminal plays the agent's Gateway.", "dim"),
        Text(),
    )


def _next_steps() -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    program = _program()
    steps = [
        Text.assemble(f"  {purpose}\n", (f"    {program} {arguments}", "cyan"))
        for arguments, purpose in NEXT_STEPS
    ]
    return Group(Text(), Text("Where to go next", "bold"), *steps)


def _program() -> str:
    """How this user can start the program."""
    if shutil.which("voicecall"):
        return "voicecall"
    beside = Path(sys.executable).with_name("voicecall")
    return os.path.relpath(beside) if beside.exists() else "python -m sidecar"
