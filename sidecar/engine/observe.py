"""What the engine lets people see: one log line per move of a call, and counters."""

import structlog

from sidecar.call.events import Event
from sidecar.call.model import Call, State
from sidecar.ports import Counters

log = structlog.get_logger()


class Observer:
    """Logs transitions and counts; derives everything from (before, event, after)."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters

    def reduced(self, before: Call | None, event: Event, after: Call) -> None:
        name = type(event).__name__
        if after is before:
            self.counters.count(f"ignored.{name}")
            return
        was = before.state if before is not None else None
        if was is after.state:
            return
        self.counters.count(f"calls.{after.state.value}")
        if after.state is State.ENDED and after.end_reason is not None:
            self.counters.count(f"ended.{after.end_reason.value}")
        log.info(
            "call.moved",
            call_id=after.call_id,
            event_type=name,
            was=was.value if was else None,
            state=after.state.value,
            reason=after.end_reason.value if after.end_reason else None,
        )
