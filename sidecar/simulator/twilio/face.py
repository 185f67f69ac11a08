"""Twilio, whole: an account with its REST API, its calls, and the sidecar it calls back."""

import re
from collections.abc import Iterable
from types import TracebackType

from sidecar.ports import Clock
from sidecar.simulator.farend import Plan
from sidecar.simulator.pace import News, Pace
from sidecar.simulator.quirks import Quirks, RestFault
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.leg import Leg, new_sid
from sidecar.simulator.twilio.line import Line
from sidecar.simulator.twilio.postman import Delivery, Hook, Postman, Route
from sidecar.simulator.twilio.rest.account import Account
from sidecar.simulator.twilio.rest.faults import Faults
from sidecar.simulator.twilio.rest.requests import Create, RestError, Update
from sidecar.simulator.twilio.rest.server import Asked, RestServer
from sidecar.simulator.twilio.talk.stage import Instructions, World
from sidecar.tasks import TaskSet


class TwilioSimulator:
    """`async with TwilioSimulator(account, url, clock=...) as sim:` plays Twilio to the sidecar
    whose webhook is at `webhook_url`; point its `twilio.baseUrl` at `sim.base_url`.

    `public_url` is the address that the sidecar gives itself, when it is another one: webhooks are
    signed for it and brought to `webhook_url`. `port` is where the REST API is; 0 is any.
    """

    def __init__(
        self,
        account: Account,
        webhook_url: str,
        *,
        clock: Clock,
        quirks: Quirks | None = None,
        speed: float = 1.0,
        public_url: str | None = None,
        port: int = 0,
    ) -> None:
        self.account = account
        self.public_url = public_url or webhook_url
        self.quirks = quirks or Quirks()
        self.pace = Pace(clock, speed)
        self.lines: list[Line] = []
        self.news = News()
        self._plans: list[tuple[str | None, Plan]] = []
        self._legs: dict[str, Leg] = {}
        self._port = port
        self._tasks = TaskSet()
        route = Route(webhook_url, public_url)
        self.postman = Postman(account.token, route, self.pace, self.quirks.drop_query)
        self._world = World(self.pace, self.postman, self.quirks, self._enlist)
        self._faults = Faults(self.quirks.rest)
        self.rest = RestServer(account, self, self._faults, self.pace, self._noted)

    async def __aenter__(self) -> "TwilioSimulator":
        """Raises OSError when the port is taken."""
        await self.rest.start(self._port)
        await self.postman.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._tasks.close()
        await self.rest.close()
        await self.postman.close()

    # -- what can be read -----------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Where the REST API is."""
        return self.rest.base_url

    @property
    def asked(self) -> list[Asked]:
        """Every REST request, in order."""
        return self.rest.asked

    @property
    def deliveries(self) -> list[Delivery]:
        """Every webhook, in the order in which they were answered."""
        return self.postman.sent

    @property
    def faults(self) -> list[str]:
        """What Twilio's debugger would call errors, over all calls."""
        return [fault for line in self.lines for fault in line.faults]

    # -- calls ----------------------------------------------------------------------------------

    def plan(self, plan: Plan, to_number: str | None = None) -> None:
        """How the next call of the sidecar (to this number) goes at the far end."""
        self._plans.append((to_number, plan))

    def fail_next(self, operation: str, fault: RestFault, times: int = 1) -> None:
        """Let the next requests of this kind go wrong."""
        self._faults.add(operation, fault, times)

    async def incoming(
        self,
        from_number: str,
        to_number: str,
        plan: Plan | None = None,
        status_url: str | None = None,
    ) -> Line:
        """Somebody calls the account's number. `status_url` is where its end is told, as the
        console would have it; without one, the webhook's address with `?type=status`."""
        now_ms = self.pace.now_ms()
        leg = Leg(
            new_sid("CA"), self.account.sid, from_number, to_number, "inbound", now_ms, "ringing"
        )
        joint = "&" if "?" in self.public_url else "?"
        hook = Hook(status_url or f"{self.public_url}{joint}type=status")
        source = Instructions(url=Hook(self.public_url))
        return self._open(Line(self._world, leg, plan or Plan(), (hook, ("completed",)), source))

    async def wait_for_call(self, place: int = 0) -> Line:
        """The call that the sidecar places, counted from 0."""
        await self.news.until(lambda: len(self._outbound) > place)
        return self._outbound[place]

    @property
    def _outbound(self) -> list[Line]:
        return [line for line in self.lines if line.leg.direction == "outbound-api"]

    async def repeat(self, delivery: Delivery) -> Delivery:
        """Bring a webhook again, to the letter."""
        return await self.postman.repeat(delivery)

    # -- the exchange behind the REST API -------------------------------------------------------

    def place(self, wish: Create) -> Leg:
        leg = Leg(
            new_sid("CA"),
            self.account.sid,
            wish.from_number,
            wish.to_number,
            "outbound-api",
            self.pace.now_ms(),
        )
        leg.started_ms = leg.created_ms
        callbacks = (wish.status, wish.events)
        plan = self._plan_for(wish.to_number)
        line = self._open(Line(self._world, leg, plan, callbacks, wish.document, wish))
        for warning in wish.warnings:
            line.timeline.add(Kind.WARNING, warning)
        return leg

    def change(self, sid: str, wish: Update) -> Leg:
        line = next((line for line in self.lines if line.sid == sid), None)
        if line is None:
            raise RestError(400, 21220, "A call made by <Dial> is changed through its parent.")
        line.update(wish)
        return line.leg

    def leg(self, sid: str) -> Leg | None:
        return self._legs.get(sid)

    def legs(self) -> Iterable[Leg]:
        return list(self._legs.values())

    def _open(self, line: Line) -> Line:
        self._enlist(line.leg)
        self.lines.append(line)
        self._tasks.spawn(line.run(), f"simulator.line.{len(self.lines)}")
        self.news.tell()
        return line

    def _enlist(self, leg: Leg) -> None:
        self._legs[leg.sid] = leg

    def _plan_for(self, number: str) -> Plan:
        for place, (wanted, plan) in enumerate(self._plans):
            if wanted in (None, number):
                del self._plans[place]
                return plan
        return Plan()

    def _noted(self, asked: Asked) -> None:
        found = re.search(r"/Calls/(\w+)\.json", asked.path)
        line = next((each for each in self.lines if found and each.sid == found[1]), None)
        if line is not None:
            answer = asked.trouble or (asked.status if asked.code is None else asked.code)
            text = f"REST {asked.operation}: {answer}"
            line.timeline.add(Kind.REQUEST, text, operation=asked.operation, status=asked.status)
        self.news.tell()
