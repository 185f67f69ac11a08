"""A sidecar in this process for the length of one call.

It is a whole one, with its lock file and its WebSocket, so that `continue`, `speak` or `end` from
another terminal reach it; this process talks to it through the same door.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sidecar.cli.client import Client, TokenRefused
from sidecar.cli.exits import NoSidecar
from sidecar.cli.output import Output
from sidecar.cli.site import Events, Site


@dataclass(frozen=True, slots=True)
class AtHand:
    """A client, and whether its sidecar ends with this command."""

    client: Client
    ours: bool


@asynccontextmanager
async def sidecar_at_hand(output: Output, site: Site, events: Events) -> AsyncIterator[AtHand]:
    """The running sidecar, else one of our own. Raises `ConfigError`, `StoreError` (also when
    another process owns the store), and `NoSidecar` when one runs but does not let us in."""
    try:
        client = await site.connected(events)
    except TokenRefused:
        raise
    except NoSidecar:
        async with _own(output, site), site.client(events) as own:
            yield AtHand(own, ours=True)
        return
    try:
        yield AtHand(client, ours=False)
    finally:
        await client.close()


@asynccontextmanager
async def _own(output: Output, site: Site) -> AsyncIterator[None]:
    """Calls that others placed through it meanwhile get the time that `serve` gives them; when we
    are interrupted, also by `sidecar.shutdown`, everything is hung up at once."""
    # A whole sidecar takes half a second to import; where one runs, nobody should wait for that.
    from sidecar.app.house import House, ServeOptions
    from sidecar.app.serve import DRAIN_MS

    task = asyncio.current_task()
    assert task is not None

    def interrupt(drain_ms: int) -> None:
        task.cancel()

    house = House(ServeOptions(), on_shutdown=interrupt)
    drain_ms = 0
    try:
        await house.open(site.loaded)
        yield
        drain_ms = DRAIN_MS
    except asyncio.CancelledError:
        output.note("Hanging up.")
        raise
    finally:
        await house.drain(drain_ms)
        await house.close()
