"""What a command prints, and where: tables and colours for a person at a terminal, one JSON
document for a program. How calls and events look is `show`.

Rich is imported when something is shown to a person, and not before.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.status import Status


class Output:
    """The two streams of one command. `for_people` says whether to show or to write JSON."""

    def __init__(self, as_json: bool = False, plain: bool = False) -> None:
        """`plain` shows lines for people also where there is no terminal."""
        # A live view replaces sys.stdout while it runs; documents must not go through it.
        self._stdout: TextIO = sys.stdout
        self.at_terminal = self._stdout.isatty()
        self.for_people = not as_json and (self.at_terminal or plain)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that cannot show a sign shows a question mark.
                stream.reconfigure(errors="replace")

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        return Console(file=self._stdout, highlight=False, emoji=False, markup=False)

    @cached_property
    def errors(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True, highlight=False, emoji=False, markup=False)

    def document(self, value: Any) -> None:
        """One JSON document: on a line of its own, or laid out for the eye on a terminal."""
        layout: dict[str, Any] = {"indent": 2} if self.at_terminal else {"separators": (",", ":")}
        self._write(json.dumps(value, **layout))

    def line(self, value: Any) -> None:
        """One JSON document of a stream of them, on one line, at once."""
        self._write(json.dumps(value, separators=(",", ":")))

    def show(self, what: "RenderableType") -> None:
        self.console.print(what)

    def note(self, text: str) -> None:
        """A remark that is not the result: to stderr."""
        if sys.stderr.isatty():
            self.errors.print(text, style="dim")
        else:
            print(f"voicecall: {text}", file=sys.stderr, flush=True)

    def complain(self, text: str, hint: str | None = None) -> None:
        """Why the command failed: to stderr."""
        if not sys.stderr.isatty():
            print(f"voicecall: {text}", file=sys.stderr)
            if hint:
                print(f"voicecall: {hint}", file=sys.stderr)
            return
        from rich.text import Text

        self.errors.print(Text.assemble(("✗ ", "bold red"), text))
        if hint:
            self.errors.print(Text.assemble(("  → ", "bold"), hint))

    def _write(self, text: str) -> None:
        self._stdout.write(text + "\n")
        self._stdout.flush()


class Progress:
    """One line that tells what is going on: a live one on a terminal, with `advice` behind it.
    Without a terminal, a `talkative` one writes each news to stderr as a line."""

    def __init__(self, output: Output) -> None:
        self.talkative = False
        self.advice = ""
        self._output = output
        self._status: Status | None = None
        self._said = ""

    def say(self, text: str) -> None:
        if text == self._said:
            return
        self._said = text
        console = self._console()
        if console is None:
            if self.talkative:
                self._output.note(text)
        elif self._status is None:
            self._status = console.status(text + self.advice)
            self._status.start()
        else:
            self._status.update(text + self.advice)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the live line away while something else is written."""
        if self._status is not None:
            self._status.stop()
        try:
            yield
        finally:
            if self._status is not None:
                self._status.start()

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *ending: object) -> None:
        self.close()

    def _console(self) -> "Console | None":
        if self._output.for_people:
            return self._output.console if self._output.at_terminal else None
        return self._output.errors if sys.stderr.isatty() else None


def error_document(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"error": dict(error)}
