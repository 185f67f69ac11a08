"""After a restart: every call that was open is asked for at the carrier, then adopted or ended.
Recovery never dials."""

import asyncio

import structlog

from sidecar.call.events import Dialed, Restarted
from sidecar.call.model import Call
from sidecar.engine.engine import Engine
from sidecar.errors import CarrierError

ASK_AGAIN_MS = (1_000, 2_000, 5_000, 10_000, 30_000)

log = structlog.get_logger()


class Restore:
    """The open calls of the process before this one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: list[Call] = []

    async def load(self) -> int:
        """Take the calls over under their own timers, before any door opens; how many they are.

        What the old process was doing on them is let go of here, so that nothing a client asks for
        later is mistaken for it.
        """
        self._calls = list(await self._engine.store.open_calls())
        await asyncio.gather(*(self._engine.adopt(call) for call in self._calls))
        return len(self._calls)

    async def run(self) -> None:
        """Ask the carrier about each call, as often as it takes."""
        waiting, attempt = self._calls, 0
        while waiting:
            waiting = [call for call in waiting if not await self._settle(call)]
            if waiting:
                delay_ms = ASK_AGAIN_MS[min(attempt, len(ASK_AGAIN_MS) - 1)]
                attempt += 1
                clock = self._engine.clock
                await clock.sleep_until(clock.now_ms() + delay_ms)

    async def _settle(self, loaded: Call) -> bool:
        """True when the call's fate is known, or it needs no asking any more."""
        engine = self._engine
        call = await engine.get(loaded.call_id)
        if call is None or (call.is_over and not call.hangup_due):
            return True
        try:
            restarted = await self._ask(call)
        except CarrierError as error:
            log.warning("restore.unknown", call_id=call.call_id, reason=error.problem.message)
            return False
        if restarted is not None:
            await engine.submit(call.call_id, restarted)
        return restarted is not None

    async def _ask(self, call: Call) -> Restarted | None:
        """What the carrier knows of the call; None when that is not certain yet."""
        engine = self._engine
        if call.provider_call_id is None:
            search = await engine.carrier.find_leg(call)
            now_ms = engine.clock.now_ms()
            if search.provider_call_id is not None:
                await engine.submit(call.call_id, Dialed(now_ms, search.provider_call_id))
                return Restarted(now_ms, alive=True)
            return Restarted(now_ms, alive=False) if search.certain else None
        status = await engine.carrier.leg_status(call)
        return Restarted(engine.clock.now_ms(), status.alive, status.reason)
