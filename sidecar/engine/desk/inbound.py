"""News from carriers: find the call it is about, or decide whether there is to be one."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from sidecar.call.events import Dialed, Incoming
from sidecar.call.model import Call
from sidecar.call.screening import (
    RejectReason,
    Silent,
    normalise_number,
    pairing_code,
    pairing_decision,
    screen,
    spell_code,
)
from sidecar.engine.desk.drafts import inbound_draft
from sidecar.engine.engine import Engine
from sidecar.engine.settings import Settings
from sidecar.ports import InboundLeg, News, Pairing, SeenKey

SEEN_MS = 24 * 3_600_000
PAIRING_MS = 60 * 60_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refused:
    """An inbound call that was turned away; `say` is what the caller hears once."""

    leg: InboundLeg
    reason: str
    say: str | None = None


Taken = Call | Refused | None
"""What became of a piece of news: the call after it, the refusal, or nothing (unknown)."""


class Inbound:
    """The one way of carrier news into the engine."""

    def __init__(self, engine: Engine, settings: Settings, new_id: Callable[[], str]) -> None:
        self._engine = engine
        self._settings = settings
        self._new_id = new_id
        self._opening = asyncio.Lock()
        self._taking: set[str] = set()

    async def take(self, news: News, rendered: frozenset[type] = frozenset()) -> Taken:
        """Apply one piece of news; a repeated one (same key) changes nothing."""
        key = news.key
        if key is None:
            return await self._take(news, (), rendered)
        now_ms = self._engine.clock.now_ms()
        if key in self._taking or await self._engine.store.seen(key, now_ms) is not None:
            self._engine.counters.count("news.repeated")
            return await self._call_of(news)
        self._taking.add(key)
        try:
            return await self._take(news, (SeenKey(key, now_ms + SEEN_MS),), rendered)
        finally:
            self._taking.discard(key)

    async def _take(
        self, news: News, seen: tuple[SeenKey, ...], rendered: frozenset[type]
    ) -> Taken:
        call = await self._call_of(news)
        if call is None and news.leg is not None:
            opened = await self._open(news.leg, seen, rendered)
            if not isinstance(opened, Call):
                return opened
            call = opened
        if call is None:
            self._engine.counters.count("news.unknown_call")
            log.info("news.unknown_call", event_type=type(news.event).__name__)
            return None
        return await self._apply(call, news, seen, rendered)

    async def _apply(
        self, call: Call, news: News, seen: tuple[SeenKey, ...], rendered: frozenset[type]
    ) -> Call:
        engine = self._engine
        leg_id = news.provider_call_id
        if leg_id is not None and call.provider_call_id != leg_id and not call.is_over:
            # The carrier's answer to our dial is still under way; its news has come first.
            dialed = Dialed(engine.clock.now_ms(), leg_id)
            call = await engine.submit(call.call_id, dialed) or call
        if news.partial is not None and not call.is_over:
            engine.partial(call.call_id, news.partial)
        if news.event is not None:
            after = await engine.submit(call.call_id, news.event, seen=seen, rendered=rendered)
            call = after or call
        return call

    async def _call_of(self, news: News) -> Call | None:
        engine = self._engine
        if news.provider_call_id is not None:
            call = await engine.find(news.provider_call_id)
            if call is not None:
                return call
        return await engine.get(news.call_id) if news.call_id is not None else None

    # -- new calls --------------------------------------------------------------------------------

    async def _open(
        self, leg: InboundLeg, seen: tuple[SeenKey, ...], rendered: frozenset[type]
    ) -> Taken:
        """One at a time, so that two webhooks of one new call make one call."""
        async with self._opening:
            known = await self._engine.find(leg.provider_call_id)
            if known is not None:
                return known
            caller = normalise_number(leg.from_number)
            if not leg.outbound:
                refused = await self._screen(leg, caller, seen)
                if refused is not None:
                    return refused
            at_ms = self._engine.clock.now_ms()
            draft = inbound_draft(self._settings, leg, caller, self._new_id(), at_ms)
            return await self._engine.open(Incoming(at_ms, draft), rendered=rendered)

    async def _screen(
        self, leg: InboundLeg, caller: str | None, seen: tuple[SeenKey, ...]
    ) -> Refused | None:
        engine, settings = self._engine, self._settings
        now_ms = engine.clock.now_ms()
        turned_away = SeenKey(f"rejected:{leg.provider_call_id}", now_ms + SEEN_MS)
        before = await engine.store.seen(turned_away.key, now_ms)
        if before is not None:
            return Refused(leg, before.answer)
        paired = caller is not None and await engine.store.is_paired(caller)
        verdict = screen(
            settings.inbound_policy,
            caller,
            settings.allow_from,
            paired,
            len(engine.open_calls),
            settings.max_calls,
        )
        if verdict.reason is None:
            return None
        say = None
        if verdict.reason is RejectReason.PAIRING and caller is not None:
            say = await self._offer_pairing(caller)
        members = {"to": leg.to_number, "providerCallId": leg.provider_call_id}
        if caller is not None:
            members["from"] = caller
        turned_away = replace(turned_away, answer=verdict.reason.value)
        members["reason"] = verdict.reason.value
        await engine.tell("call.rejected", members, seen=(*seen, turned_away))
        engine.counters.count(f"rejected.{verdict.reason.value}")
        refused = Refused(leg, verdict.reason.value, say)
        await engine.carrier.reject(leg, refused.reason, say)
        return refused

    async def _offer_pairing(self, caller: str) -> str | None:
        """The sentence with the caller's code, or None when none is read to them this time."""
        engine = self._engine
        now_ms = engine.clock.now_ms()
        pending = await engine.store.pairings(now_ms)
        decision = pairing_decision(pending, caller, now_ms)
        if isinstance(decision, Silent):
            return None
        code = decision.code or pairing_code(secrets.randbelow(1_000_000), pending)
        await engine.store.put_pairing(Pairing(code, caller, now_ms + PAIRING_MS, now_ms))
        await engine.tell("pairing.requested", {"from": caller, "code": code})
        return self._settings.pairing_phrase.replace("{code}", spell_code(code))
