"""One call as it happens: who says what, and what becomes of it, line by line."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sidecar.cli.show.text import clean, length, state_style, talk_length

AGENT, PERSON = "Agent", "Person"
_NAME_WIDTH = 8

_PLAIN = {
    "call.initiated": ("dialling", "dim"),
    "call.ringing": ("ringing", "dim"),
    "call.answered": ("answered", "dim"),
    "call.bargeIn": ("interrupted the agent", "yellow"),
    "call.transferred": ("transferred", "green"),
}
_TELLING = {
    "call.dtmf": ("pressed ", "digits", "magenta"),
    "call.machine": ("the far end is: ", "result", "yellow"),
    "call.warning": ("! ", "message", "yellow"),
    "call.error": ("✗ ", "error", "red"),
}
_DOING = {
    "call.initiated": "Dialling",
    "call.ringing": "Ringing",
    "call.answered": "Answered",
    "call.active": "On the line",
    "call.speaking": "Speaking",
    "call.listening": "Listening",
    "call.speech": "Thinking",
}


def doing(event: Mapping[str, Any]) -> str | None:
    """What a call is doing after this event, in a word; None when that has not changed."""
    return _DOING.get(event["type"])


class Talk:
    """Shows the events of one call as a talk with two sides."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began_ms: int | None = None

    def show(self, event: Mapping[str, Any]) -> None:
        if self._began_ms is None:
            self._began_ms = int(event["at"])
        line = _line(event)
        if line is not None:
            self._put(event, *line)

    def _put(self, event: Mapping[str, Any], who: Text, what: Text) -> None:
        since_ms = int(event["at"]) - (self._began_ms or 0)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", justify="right", min_width=5, no_wrap=True)
        grid.add_column(min_width=_NAME_WIDTH, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(length(since_ms), who, what)
        self._console.print(grid)


def _line(event: Mapping[str, Any]) -> tuple[Text, Text] | None:
    """Who and what; None for an event that a person need not see."""
    kind = event["type"]
    if kind == "call.speaking":
        return Text(AGENT, "bold cyan"), Text(clean(event["text"]))
    if kind == "call.speech":
        return Text(PERSON, "bold magenta"), Text(clean(event["transcript"]))
    if kind == "call.ended":
        return Text("ended", "bold"), _ending(event)
    remark = _remark(event)
    return None if remark is None else (Text(""), remark)


def _remark(event: Mapping[str, Any]) -> Text | None:
    kind = event["type"]
    if kind in _PLAIN:
        return Text(*_PLAIN[kind])
    if kind in _TELLING:
        words, member, style = _TELLING[kind]
        return Text(words + clean(event[member]), style)
    return _fate(event) if kind == "call.utterance" else None


def _fate(event: Mapping[str, Any]) -> Text | None:
    if event["outcome"] == "interrupted":
        heard = clean(event["heardText"])
        return Text(f"cut after “{heard}”" if heard else "cut before a word was heard", "yellow")
    return Text("✗ could not be said", "red") if event["outcome"] == "failed" else None


def _ending(event: Mapping[str, Any]) -> Text:
    reason = str(event["reason"])
    text = Text(clean(reason), state_style(reason))
    if lasted := talk_length(event["call"]):
        text.append(f" after {lasted}", "dim")
    return text


def answer(transcript: str) -> Table:
    """What the caller answered."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row(Text(PERSON, "bold magenta"), Text(clean(transcript)))
    return grid
