"""Twilio's REST interface for calls, as strict as the real one: in memory, or behind a socket.

`troubles` are what the next requests meet instead of an answer, first come first served.
"""

import asyncio
import base64
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree.ElementTree import ParseError, fromstring

from aiohttp import web

from sidecar.errors import Problem
from sidecar.providers.http import Http, Reply, Unanswered, Unreached

ACCOUNT = "AC00000000000000000000000000000001"
TOKEN = "example-token"
PREFIX = f"/2010-04-01/Accounts/{ACCOUNT}"
OVER = {"completed", "busy", "no-answer", "failed", "canceled"}
ONCE = {"To", "From", "Url", "Method", "Twiml", "Timeout", "TimeLimit", "SendDigits"}
ONCE |= {"StatusCallback", "StatusCallbackMethod", "MachineDetection", "AsyncAmd"}
ONCE |= {"MachineDetectionTimeout", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"}
EVENTS = {"initiated", "ringing", "answered", "completed"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    fields: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]


@dataclass(frozen=True, slots=True)
class Trouble:
    """`how` is `answer`, `lost` (carried out, never answered), `refused`, `broken` (half an
    answer, carried out) or `hang`."""

    how: str = "answer"
    status: int = 500
    body: str = "<html>Bad Gateway</html>"
    headers: dict[str, str] = field(default_factory=dict)


def error(status: int, code: int, message: str = "No.") -> Trouble:
    link = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": link, "status": status}
    return Trouble(status=status, body=json.dumps(body))


class TwilioRest:
    """Knows calls by their ids."""

    def __init__(self, now_ms: Callable[[], int] = lambda: 1_800_000_000_000) -> None:
        self.calls: dict[str, dict[str, Any]] = {}
        self.origins: dict[str, Asked] = {}
        self.asked: list[Asked] = []
        self.troubles: deque[Trouble] = deque()
        self.secret = f"{ACCOUNT}:{TOKEN}"
        self._now_ms = now_ms
        self._numbers = itertools.count(1)

    @property
    def created(self) -> list[Asked]:
        return [each for each in self.asked if (each.method, each.path) == ("POST", "/Calls.json")]

    def updates(self, leg_id: str) -> list[Asked]:
        path = f"/Calls/{leg_id}.json"
        return [each for each in self.asked if (each.method, each.path) == ("POST", path)]

    def answer(self, method: str, url: str, authorization: str, body: str) -> Reply:
        parts = urlsplit(url)
        wanted = "Basic " + base64.b64encode(self.secret.encode()).decode()
        if authorization != wanted:
            return self._error(401, 20003, "Authenticate")
        if not parts.path.startswith(PREFIX):
            return self._error(404, 20404, "not found")
        path = parts.path.removeprefix(PREFIX)
        asked = Asked(method, path, parse_qsl(body, keep_blank_values=True))
        self.asked.append(asked)
        if path == "/Calls.json":
            return self._create(asked) if method == "POST" else self._list(parts.query)
        leg = self.calls.get(path.removeprefix("/Calls/").removesuffix(".json"))
        if leg is None:
            return self._error(404, 20404, "The requested resource was not found")
        return self._update(leg, asked) if method == "POST" else self._reply(200, leg)

    def add_leg(self, asked: Asked | None = None, **members: Any) -> dict[str, Any]:
        leg_id = f"CA{next(self._numbers):032x}"
        created = datetime.fromtimestamp(self._now_ms() // 1_000, UTC)
        leg = {
            "sid": leg_id,
            "status": "queued",
            "direction": "outbound-api",
            "to": asked.get("To") if asked else None,
            "from": asked.get("From") if asked else None,
            "duration": None,
            "start_time": None,
            "date_created": format_datetime(created),
            **members,
        }
        self.calls[leg_id] = leg
        if asked is not None:
            self.origins[leg_id] = asked
        return leg

    # -- resources --------------------------------------------------------------------------------

    def _create(self, asked: Asked) -> Reply:
        names = [name for name, _ in asked.fields]
        wrong = [name for name in names if name not in ONCE | {"StatusCallbackEvent"}]
        wrong += [name for name in ONCE if names.count(name) > 1]
        if wrong or not (asked.get("To") and asked.get("From")):
            return self._error(400, 21201, f"bad parameters {wrong}")
        if len([name for name in ("Url", "Twiml") if asked.get(name)]) != 1:
            return self._error(400, 21218, "one of Url and Twiml")
        if not set(asked.all("StatusCallbackEvent")) <= EVENTS:
            return self._error(400, 21626, "unknown event")
        return self._bad_document(asked) or self._reply(201, self.add_leg(asked))

    def _list(self, query: str) -> Reply:
        wanted = parse_qs(query)
        found = [
            leg
            for leg in reversed(self.calls.values())
            if wanted["To"] == [leg["to"]] and wanted["From"] == [leg["from"]]
        ]
        return self._reply(200, {"calls": found, "page": 0})

    def _update(self, leg: dict[str, Any], asked: Asked) -> Reply:
        if leg["status"] in OVER:
            return self._error(400, 21220, "Call is not in-progress. Cannot redirect.")
        if asked.get("Status") == "completed":
            leg["status"] = "completed"
            return self._reply(200, leg)
        if leg["status"] != "in-progress":
            return self._error(400, 21220, "Call is not in-progress. Cannot redirect.")
        return self._bad_document(asked) or self._reply(200, leg)

    def _bad_document(self, asked: Asked) -> Reply | None:
        document = asked.get("Twiml")
        if document is None:
            return None
        if len(document) > 4_000:
            return self._error(400, 32018, "too long")
        try:
            fromstring(document.split("?>", 1)[1])
        except (ParseError, IndexError):
            return self._error(400, 12100, "document parse failure")
        return None

    def _error(self, status: int, code: int, message: str) -> Reply:
        return Reply(status, {}, error(status, code, message).body.encode())

    def _reply(self, status: int, members: Any) -> Reply:
        return Reply(status, {}, json.dumps(members).encode())


class MemoryHttp(Http):
    """Reaches a `TwilioRest` without a socket."""

    def __init__(self, rest: TwilioRest) -> None:
        super().__init__("Twilio")
        self.rest = rest

    async def send(
        self, method: str, url: str, *, headers: dict[str, str], body: str | None = None
    ) -> Reply:
        await asyncio.sleep(0)
        if not self.rest.troubles:
            return self.rest.answer(method, url, headers["Authorization"], body or "")
        trouble = self.rest.troubles.popleft()
        if trouble.how == "refused":
            raise Unreached(Problem("carrierUnavailable", "Nobody there.", retryable=True))
        if trouble.how == "answer":
            headers = {name.lower(): value for name, value in trouble.headers.items()}
            return Reply(trouble.status, headers, trouble.body.encode())
        if trouble.how in ("lost", "broken"):
            self.rest.answer(method, url, headers["Authorization"], body or "")
        raise Unanswered(Problem("carrierUnavailable", "No answer.", retryable=True))


@asynccontextmanager
async def served(rest: TwilioRest) -> AsyncIterator[str]:
    """The same on a port of 127.0.0.1; gives its base URL."""
    stop = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.text()
        trouble = rest.troubles.popleft() if rest.troubles else Trouble("none")
        if trouble.how == "answer":
            return web.Response(status=trouble.status, text=trouble.body, headers=trouble.headers)
        if trouble.how == "hang":
            await stop.wait()
        authorization = request.headers.get("Authorization", "")
        reply = rest.answer(request.method, request.raw_path, authorization, body)
        if trouble.how == "lost" and request.transport is not None:
            request.transport.close()
        if trouble.how == "broken":
            response = web.StreamResponse(headers={"Content-Length": str(len(reply.body))})
            await response.prepare(request)
            await response.write(reply.body[:5])
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(status=reply.status, body=reply.body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        stop.set()
        await runner.cleanup()
