"""Placing a call so that it is placed once, and known about: what happens around the one request
that creates it. The requests themselves are in `client`."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import structlog

from sidecar.call.events import Event, LegEnded, LineLive, Ringing
from sidecar.call.model import Call, EndReason
from sidecar.errors import CarrierError
from sidecar.ports import Clock, Report
from sidecar.providers.twilio.client import Fields, Leg, MaybeCreated, TwilioClient
from sidecar.providers.twilio.wire import ENDED, Playing, over

LOOK_AGAIN_MS = (500, 1_500, 3_500, 6_500, 10_500, 15_000)
"""When a call is looked for whose create answer was lost; after an error of Twilio's own, which
hardly ever hides a call, only the first three times."""
WATCH_MS = (10_000, 15_000, 20_000, 25_000)
CLOCK_SLACK_MS = 2_000
REMEMBERED = 1_000

log = structlog.get_logger()


class Dialler:
    """Creates calls. One whose answer was lost is looked for, and never created again."""

    def __init__(self, client: TwilioClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._told: OrderedDict[str, str] = OrderedDict()

    def told(self, call_id: str, leg_id: str) -> None:
        """A callback that bears our id has told which call of Twilio's is ours."""
        _keep(self._owners, leg_id, call_id)
        _keep(self._told, call_id, leg_id)

    async def dial(self, call: Call, fields: Fields) -> str:
        try:
            leg_id = await self._client.create(fields)
        except MaybeCreated as error:
            log.warning("dial.answer_lost", call_id=call.call_id, reason=error.problem.message)
            leg_id = await self._look(call, error)
        _keep(self._owners, leg_id, call.call_id)
        return leg_id

    async def _look(self, call: Call, lost: MaybeCreated) -> str:
        """Ask for the call until it shows up or there is no more hope; then the error is final."""
        since_ms = self._clock.now_ms()
        for after_ms in LOOK_AGAIN_MS[: 3 if lost.answered else None]:
            await self._clock.sleep_until(since_ms + after_ms)
            try:
                leg_id = await self.find(call)
            except CarrierError as error:
                log.warning("dial.look_failed", call_id=call.call_id, reason=error.problem.message)
                continue
            if leg_id is not None:
                return leg_id
        raise lost

    async def find(self, call: Call) -> str | None:
        """Twilio's id of the call: told by a callback, else that of the first call with our numbers
        that was created since and is nobody else's."""
        told = self._told.get(call.call_id)
        if told is not None:
            return told
        # Twilio's dates have no fractions of a second.
        since_ms = call.started_at_ms - CLOCK_SLACK_MS
        candidates = [
            leg
            for leg in await self._client.list(call.from_number, call.to_number)
            if leg.direction == "outbound-api"
            and self._owners.get(leg.leg_id, call.call_id) == call.call_id
            and (not leg.is_over if leg.created_at_ms is None else leg.created_at_ms >= since_ms)
        ]
        # They are listed newest first.
        return candidates[-1].leg_id if candidates else None

    async def watch(
        self, call: Call, leg_id: str, playing: Callable[[], Playing | None], report: Report
    ) -> None:
        """Ask for a call that brought its first document along until a callback tells of it: it is
        not certain that Twilio sends callbacks for such a call, and it must not seem unanswered."""
        since_ms = self._clock.now_ms()
        for after_ms in WATCH_MS:
            await self._clock.sleep_until(since_ms + after_ms)
            if call.call_id in self._told:
                return
            try:
                leg = await self._client.fetch(leg_id)
            except CarrierError as error:
                log.warning("dial.watch_failed", call_id=call.call_id, reason=error.problem.message)
                continue
            for event in _news_of(leg, playing(), self._clock.now_ms()):
                await report(call.call_id, event)


def _news_of(leg: Leg | None, playing: Playing | None, now_ms: int) -> Sequence[Event]:
    if leg is None:
        return (LegEnded(now_ms),)
    match leg.status:
        case "ringing":
            return (Ringing(now_ms),)
        case "in-progress":
            return (LineLive(now_ms),)
        case "completed" if playing is not None:
            return over(playing, leg.duration_s, now_ms)
        case "completed":
            # Its document ends with our own hang-up.
            return (LineLive(now_ms), LegEnded(now_ms, EndReason.HANGUP_BOT))
        case status if status in ENDED:
            return (LegEnded(now_ms, ENDED[status]),)
    return ()


def _keep(known: OrderedDict[str, str], key: str, value: str) -> None:
    known[key] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)
