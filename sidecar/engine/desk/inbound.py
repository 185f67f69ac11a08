"""News from carriers: find the call it is about, or decide whether there is to be one."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from sidecar.call.events import Dialed, Incoming, LegEnded
from sidecar.call.model import Call
from sidecar.call.screening import (
    PAIRING_VALID_MS,
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
from sidecar.engine.ledger import UNAVAILABLE
from sidecar.engine.settings import Settings
from sidecar.errors import StoreError
from sidecar.ports import InboundLeg, News, Pairing, SeenKey

SEEN_MS = 24 * 3_600_000

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
        self._taking: dict[str, asyncio.Future[None]] = {}
        self._closed = False

    def close(self) -> None:
        """From now on callers find every line busy; news of the running calls is taken."""
        self._closed = True

    async def take(self, news: News, rendered: frozenset[type] = frozenset()) -> Taken:
        """Apply one piece of news; a repeated one (same key) changes nothing.

        Raises `StoreError` when it is not on disk; it must not be acknowledged then.
        """
        key = news.key
        if key is None:
            return await self._take(news, (), rendered)
        while (running := self._taking.get(key)) is not None:
            await asyncio.wait((running,))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._taking[key] = done
        try:
            return await self._take_once(news, key, rendered)
        finally:
            del self._taking[key]
            done.set_result(None)

    async def _take_once(self, news: News, key: str, rendered: frozenset[type]) -> Taken:
        engine = self._engine
        now_ms = engine.clock.now_ms()
        if engine.owes(key):
            # It has been applied; the store is away.
            raise StoreError(UNAVAILABLE)
        if await engine.store.seen(key, now_ms) is None:
            return await self._take(news, (SeenKey(key, now_ms + SEEN_MS),), rendered)
        engine.counters.count("news.repeated")
        call = await self._call_of(news)
        return call or (await self._turned_away(news.leg) if news.leg is not None else None)

    async def _take(
        self, news: News, seen: tuple[SeenKey, ...], rendered: frozenset[type]
    ) -> Taken:
        call = await self._call_of(news)
        if call is None and news.leg is not None:
            alone = seen if news.event is None else ()
            opened = await self._open(news.leg, seen, alone, rendered)
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
        if leg_id is not None and call.provider_call_id != leg_id and _is_news(call, news):
            # The carrier's answer to our dial is still under way, or was lost; its news is here.
            dialed = Dialed(engine.clock.now_ms(), leg_id)
            call = await engine.submit(call.call_id, dialed) or call
        if news.partial is not None and not call.is_over:
            engine.partial(call.call_id, news.partial)
        if news.event is not None:
            # It was read before the call was looked up or opened: time must not run backwards.
            event = replace(news.event, at_ms=max(news.event.at_ms, engine.clock.now_ms()))
            after = await engine.submit(
                call.call_id, event, seen=seen, rendered=rendered, durable=True
            )
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
        self,
        leg: InboundLeg,
        seen: tuple[SeenKey, ...],
        alone: tuple[SeenKey, ...],
        rendered: frozenset[type],
    ) -> Taken:
        """One at a time, so that two webhooks of one new call make one call. The keys `seen` are
        stored with a refusal, `alone` with a new call: when nothing else comes with the news."""
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
            return await self._engine.open(Incoming(at_ms, draft), seen=alone, rendered=rendered)

    async def _screen(
        self, leg: InboundLeg, caller: str | None, seen: tuple[SeenKey, ...]
    ) -> Refused | None:
        engine, settings = self._engine, self._settings
        now_ms = engine.clock.now_ms()
        before = await self._turned_away(leg)
        if before is not None:
            return before
        paired = caller is not None and await engine.store.is_paired(caller)
        verdict = screen(
            settings.inbound_policy,
            caller,
            settings.allow_from,
            paired,
            len(engine.open_calls),
            0 if self._closed else settings.max_calls,
        )
        if verdict.reason is None:
            return None
        say = None
        if verdict.reason is RejectReason.PAIRING and caller is not None:
            say = await self._offer_pairing(caller)
        members = {"to": leg.to_number, "providerCallId": leg.provider_call_id}
        if caller is not None:
            members["from"] = caller
        members["reason"] = verdict.reason.value
        rejected = SeenKey(_rejected(leg), now_ms + SEEN_MS, verdict.reason.value)
        await engine.tell("call.rejected", members, seen=(*seen, rejected), keep=False)
        engine.counters.count(f"rejected.{verdict.reason.value}")
        refused = Refused(leg, verdict.reason.value, say)
        await engine.carrier.reject(leg, refused.reason, say)
        return refused

    async def _turned_away(self, leg: InboundLeg) -> Refused | None:
        """How this leg was refused before; it stays refused whatever the settings say now."""
        engine = self._engine
        before = await engine.store.seen(_rejected(leg), engine.clock.now_ms())
        return None if before is None else Refused(leg, before.answer)

    async def _offer_pairing(self, caller: str) -> str | None:
        """The sentence with the caller's code, or None when none is read to them this time."""
        engine = self._engine
        now_ms = engine.clock.now_ms()
        pending = await engine.store.pairings(now_ms)
        decision = pairing_decision(pending, caller, now_ms)
        if isinstance(decision, Silent):
            return None
        code = decision.code or pairing_code(secrets.randbelow(1_000_000), pending)
        await engine.store.put_pairing(Pairing(code, caller, now_ms + PAIRING_VALID_MS, now_ms))
        await engine.tell("pairing.requested", {"from": caller, "code": code})
        return self._settings.pairing_phrase.replace("{code}", spell_code(code))


def _rejected(leg: InboundLeg) -> str:
    """The replay key under which a refusal is remembered."""
    return f"rejected:{leg.provider_call_id}"


def _is_news(call: Call, news: News) -> bool:
    """Whether a carrier's id we do not have is worth taking: of a call that is over only when it
    never had one, and the leg is not over too."""
    if not call.is_over:
        return True
    return call.provider_call_id is None and not isinstance(news.event, LegEnded)
