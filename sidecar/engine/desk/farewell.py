"""Ending well: running calls may finish, then hear goodbye, then are hung up."""

import asyncio

import structlog

from sidecar.call.events import HangupRequested
from sidecar.call.model import Call
from sidecar.engine.engine import Engine
from sidecar.errors import StoreError

GOODBYE_MS = 8_000
"""Longest time for saying goodbye on all calls at once."""
HANGUP_MS = 4_000
"""Longest time for the carrier to take the hang-ups; the store keeps what is left."""

log = structlog.get_logger()


async def drain(engine: Engine, drain_ms: int) -> None:
    """Give running calls `drain_ms` to end by themselves; with 0 there is no goodbye either."""
    if drain_ms and engine.open_calls:
        await _until_no_calls(engine, drain_ms)
        await _hang_up(engine, goodbye=True)
        await _until_no_calls(engine, GOODBYE_MS)
    await _hang_up(engine, goodbye=False)
    await _until_no_calls(engine, HANGUP_MS)


async def _hang_up(engine: Engine, *, goodbye: bool) -> None:
    """All at once, because there may be many and little time."""
    await asyncio.gather(*(_tell(engine, call, goodbye) for call in engine.open_calls))


async def _tell(engine: Engine, call: Call, goodbye: bool) -> None:
    now_ms = engine.clock.now_ms()
    event = HangupRequested(now_ms, farewell=call.phrases.goodbye if goodbye else None)
    try:
        await engine.submit(call.call_id, event)
    except StoreError as error:
        log.warning("drain.not_stored", call_id=call.call_id, reason=str(error))


async def _until_no_calls(engine: Engine, timeout_ms: int) -> None:
    until_ms = engine.clock.now_ms() + timeout_ms
    while engine.open_calls:
        if not await engine.wait_for_change(until_ms):
            log.info("drain.calls_left", calls=len(engine.open_calls))
            return
