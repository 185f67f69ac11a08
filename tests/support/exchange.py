"""A small program behind a webhook, for the tests of the simulated carrier, and a client of its
REST API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from multidict import MultiDictProxy
from twilio.request_validator import RequestValidator

from sidecar.engine.clock import SystemClock
from sidecar.simulator.farend import Plan
from sidecar.simulator.twilio.face import TwilioSimulator
from sidecar.simulator.twilio.line import Line
from sidecar.simulator.twilio.rest.account import Account

SID = "AC00000000000000000000000000000001"
TOKEN = "example-token-north"
KEY, SECRET = "SK00000000000000000000000000000009", "example-key-secret"
ACCOUNT = Account(SID, TOKEN, {KEY: SECRET})
OURS = "+15550001111"
THEIRS = "+15550002222"

Form = MultiDictProxy[Any]


@dataclass(slots=True)
class Hit:
    """One webhook as it arrived."""

    url: str
    form: Form
    headers: Mapping[str, str]
    method: str = "POST"

    @property
    def signed(self) -> bool:
        given = self.headers.get("X-Twilio-Signature", "")
        params = self.form if self.method == "POST" else {}
        return bool(RequestValidator(TOKEN).validate(self.url, params, given))


Answer = str | web.Response
Program = Callable[[Hit], Answer]


def twiml(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'


HELLO = twiml("<Say>Hello there.</Say><Hangup/>")
PAUSE = twiml('<Pause length="100"/>')
EVENTS = [
    ("StatusCallbackEvent", each) for each in ("initiated", "ringing", "answered", "completed")
]


@dataclass(slots=True)
class Customer:
    """Whoever has a telephone number at the carrier: answers webhooks as `program` says."""

    program: Program = field(default=lambda hit: twiml("<Hangup/>"))
    hits: list[Hit] = field(default_factory=list)
    url: str = ""
    hold: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        path = request.raw_path
        hit = Hit(
            f"{self.url.rpartition('/voice')[0]}{path}", form, request.headers, request.method
        )
        self.hits.append(hit)
        if self.hold is not None:
            await self.hold.wait()
        answer = self.program(hit)
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/xml")
        return answer

    def events(self) -> list[str]:
        """The `CallStatus` of every status callback, in the order of arrival."""
        return [hit.form["CallStatus"] for hit in self.hits if "SequenceNumber" in hit.form]

    def documents(self) -> list[Hit]:
        return [hit for hit in self.hits if "SequenceNumber" not in hit.form]


@dataclass(slots=True)
class Api:
    """A client of the REST API."""

    session: aiohttp.ClientSession
    base: str
    auth: str

    async def ask(
        self, method: str, path: str, form: Any = None, **options: Any
    ) -> tuple[int, Any]:
        options.setdefault("headers", {"Authorization": self.auth})
        url = f"{self.base}/2010-04-01/Accounts/{path}"
        async with self.session.request(method, url, data=form, **options) as answer:
            return answer.status, await answer.json()

    async def create(self, *more: tuple[str, str], **members: str) -> tuple[int, Any]:
        form = {"To": THEIRS, "From": OURS, **members}
        return await self.ask("POST", f"{SID}/Calls.json", [*form.items(), *more])

    async def update(self, sid: str, **members: str) -> tuple[int, Any]:
        return await self.ask("POST", f"{SID}/Calls/{sid}.json", list(members.items()))

    async def fetch(self, sid: str) -> Any:
        return (await self.ask("GET", f"{SID}/Calls/{sid}.json"))[1]


@dataclass(slots=True)
class Exchange:
    """The carrier, its customer, and a client of its API."""

    sim: TwilioSimulator
    customer: Customer
    api: Api

    async def place(self, plan: Plan | None = None, **members: str) -> Line:
        """A call of the customer's, told of in every event."""
        if plan is not None:
            self.sim.plan(plan)
        given = {"Twiml": HELLO, "StatusCallback": f"{self.customer.url}?s=1", **members}
        if "Url" in given:
            del given["Twiml"]
        status, made = await self.api.create(*EVENTS, **given)
        assert status == 201, made
        return next(line for line in self.sim.lines if line.sid == made["sid"])

    async def over(self, plan: Plan | None = None, **members: str) -> Line:
        line = await self.place(plan, **members)
        await line.done.wait()
        return line


@asynccontextmanager
async def exchange(
    program: Program | None = None, speed: float = 0, **options: Any
) -> AsyncIterator[Exchange]:
    customer = Customer()
    if program is not None:
        customer.program = program
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", customer.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    customer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/voice/webhook"
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            TwilioSimulator(
                ACCOUNT, customer.url, clock=SystemClock(), speed=speed, **options
            ) as sim,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            api = Api(session, sim.base_url, aiohttp.encode_basic_auth(SID, TOKEN))
            yield Exchange(sim, customer, api)
    finally:
        await runner.cleanup()
