"""`call` and `start`: place a call, and stay with it where it has nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.cli.client import Client, Event
from sidecar.cli.exits import DONE, NoSidecar
from sidecar.cli.output import Output, Progress
from sidecar.cli.placing.onecall import sidecar_at_hand
from sidecar.cli.show.text import clean
from sidecar.cli.site import Site


@dataclass(frozen=True, slots=True)
class Wish:
    """A call to place: the method, its params, and whether to show the call."""

    method: str
    params: Mapping[str, Any]
    follow: bool = False


async def place(output: Output, config: str | None, wish: Wish) -> int:
    """Print the id of the call as soon as the carrier has it. With a sidecar of our own, the
    process stays until the call has ended."""
    site = Site.load(config)
    with Progress(output) as progress:
        async with sidecar_at_hand(output, site, events=True) as hand:
            if hand.ours:
                # With --follow the events themselves tell how it goes.
                progress.talkative = not wish.follow
                progress.advice = " (Ctrl-C hangs up)"
            call_id = await begin(output, hand.client, wish, progress)
            if wish.follow or hand.ours:
                progress.say("Dialling")
                await stay(output, hand.client, call_id, progress, wish.follow)
    return DONE


async def begin(
    output: Output, client: Client, wish: Wish, progress: Progress, print_id: bool = True
) -> str:
    to = wish.params.get("to")
    progress.say(f"Calling {clean(to)}" if to else "Calling")
    result = await client.request(wish.method, wish.params)
    call_id = str(result["callId"])
    if print_id:
        with progress.aside():
            output.line({"callId": call_id})
    return call_id


async def stay(
    output: Output, client: Client, call_id: str, progress: Progress, show: bool
) -> Event:
    """Stay with the call until it has ended; gives its `call.ended`."""
    viewer = _Viewer(output, progress, show)
    async for event in client.events():
        if event.get("callId") != call_id:
            continue
        viewer.see(event)
        if event["type"] == "call.ended":
            return event
    raise NoSidecar("The sidecar ended before the call did.")


class _Viewer:
    """Shows events, if asked to, under a live line that says what the call is doing."""

    def __init__(self, output: Output, progress: Progress, show: bool) -> None:
        from sidecar.cli.show.talk import Talk, doing

        self._doing = doing
        self._output = output
        self._progress = progress
        self._show = show
        self._talk = Talk(output.console) if show and output.for_people else None

    def see(self, event: Event) -> None:
        if self._talk is not None:
            self._talk.show(event)
        elif self._show:
            with self._progress.aside():
                self._output.line(event)
        if event["type"] == "call.ended":
            self._progress.say(f"Ended: {clean(event['reason'])}")
        elif (doing := self._doing(event)) is not None:
            self._progress.say(doing)
