"""Words of callers that are not final yet: live only, and not too many of them."""

import json

from sidecar.engine.journal import Journal
from sidecar.ports import Clock, JournalEvent

GAP_MS = 200
"""At most five partial transcripts a second and call (rpc.md, "Events")."""


class Partials:
    """Hands `call.partial` events to whoever listens now."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._last_ms: dict[str, int] = {}

    def tell(self, call_id: str, text: str) -> None:
        now_ms = self._clock.now_ms()
        last_ms = self._last_ms.get(call_id)
        if last_ms is not None and now_ms - last_ms < GAP_MS:
            return
        self._last_ms[call_id] = now_ms
        params = {"at": now_ms, "type": "call.partial", "callId": call_id, "transcript": text}
        body = json.dumps(params, separators=(",", ":"))
        self._journal.partial(JournalEvent(0, now_ms, "call.partial", call_id, body))

    def forget(self, call_id: str) -> None:
        self._last_ms.pop(call_id, None)
