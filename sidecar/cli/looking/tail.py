"""`tail`: the last events, then live ones; or the same of a log file."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from sidecar.cli.client import TokenRefused
from sidecar.cli.exits import DONE, NoSidecar
from sidecar.cli.looking.logfile import LogFile, is_event, parse_line
from sidecar.cli.output import Output
from sidecar.cli.site import Site
from sidecar.engine.clock import SystemClock
from sidecar.ports import JournalEvent
from sidecar.store.offline.reader import StoreReader

LOOK_EVERY_MS = 250


async def tail(output: Output, config: str | None, last: int, call_id: str | None) -> int:
    """The past comes from the store, so that N events of one call are found however far back
    they are; the live ones follow it without a gap, by `seq`."""
    site = Site.load(config)
    past, seen = site.read(lambda reader: _past(reader, last, call_id))
    for event in past:
        _print(output, json.loads(event.body))
    reached = False
    try:
        while True:
            seen = await _follow(output, site, seen, call_id)
            # It has ended, or it cut us off because our reader stalled: then it is still there.
            reached = True
    except TokenRefused:
        raise
    except NoSidecar as error:
        output.note("The sidecar has ended." if reached else f"{error} These are past events.")
    return DONE


def _past(reader: StoreReader, last: int, call_id: str | None) -> tuple[list[JournalEvent], int]:
    """The events, and the seq that the live ones follow."""
    newest = reader.last_seq()
    events = list(reader.newest_events(last, call_id)) if last else []
    return events, max([newest, *(event.seq for event in events)])


async def _follow(output: Output, site: Site, since: int, call_id: str | None) -> int:
    """Show what comes after `since`; gives the last seq that was seen, once the link is over."""
    wanted: dict[str, Any] = {"since": since}
    if call_id is not None:
        wanted["callIds"] = [call_id]
    async with site.client(wanted) as client:
        async for event in client.events():
            # Events of no call pass a filter of calls.
            if call_id is None or event.get("callId") == call_id:
                _print(output, event)
            since = max(since, event.get("seq", 0))
    return since


async def tail_file(output: Output, path: str, last: int, call_id: str | None) -> int:
    """The last entries of a log file, then what is appended to it, until interrupted. A pipe gets
    what is there already and then live ones too, as `tail -f` does."""
    clock = SystemClock()
    with LogFile(path) as log:
        for entry in deque(_entries(log, call_id), maxlen=last):
            _print(output, entry)
        while True:
            await clock.sleep_until(clock.now_ms() + LOOK_EVERY_MS)
            log.refresh()
            for entry in _entries(log, call_id):
                _print(output, entry)


def _entries(log: LogFile, call_id: str | None) -> Iterator[Mapping[str, Any]]:
    for line in log.lines():
        entry = parse_line(line)
        if entry is not None and call_id in (None, entry.get("callId")):
            yield entry


def _print(output: Output, entry: Mapping[str, Any]) -> None:
    if not output.for_people:
        output.line(entry)
        return
    from sidecar.cli.show.log import event_line, record_line

    output.show(event_line(entry) if is_event(entry) else record_line(entry))
