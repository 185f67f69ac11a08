"""The calls in memory: open ones, and ended ones that still have to be hung up or stored."""

import asyncio
from collections.abc import Iterator

from sidecar.call.machine import next_deadline
from sidecar.call.model import Call
from sidecar.engine.alarm import Alarm


class Roster:
    """Calls by our id and by the carrier's, each with its alarm."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._calls: dict[str, Call] = {}
        self._legs: dict[str, str] = {}
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls.values()))

    def get(self, call_id: str) -> Call | None:
        return self._calls.get(call_id)

    def find(self, provider_call_id: str) -> Call | None:
        call_id = self._legs.get(provider_call_id)
        return None if call_id is None else self._calls.get(call_id)

    def put(self, call: Call) -> None:
        self._calls[call.call_id] = call
        if call.provider_call_id is not None:
            self._legs[call.provider_call_id] = call.call_id
        self._alarm.set(call.call_id, next_deadline(call))
        self._tell()

    def drop(self, call_id: str) -> None:
        if self._calls.pop(call_id, None) is None:
            return
        # A carrier's id may have changed on the way, so there may be more than one.
        for leg_id in [leg_id for leg_id, owner in self._legs.items() if owner == call_id]:
            del self._legs[leg_id]
        self._alarm.set(call_id, None)
        self._tell()

    @property
    def changed(self) -> asyncio.Event:
        """Is set when a call moves next; ask for a new one after that."""
        return self._changed

    def _tell(self) -> None:
        # A new event each time: whoever holds the old one cannot miss what happened meanwhile.
        happened, self._changed = self._changed, asyncio.Event()
        happened.set()
