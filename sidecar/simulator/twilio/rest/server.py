"""The REST server: who may ask, what is asked, and the answer. What becomes of a call is its
exchange's matter."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web

from sidecar.simulator.pace import Pace
from sidecar.simulator.quirks import Trouble
from sidecar.simulator.twilio.leg import API_VERSION, Leg
from sidecar.simulator.twilio.rest.account import Account
from sidecar.simulator.twilio.rest.faults import Faults, cut, error_answer, is_performed
from sidecar.simulator.twilio.rest.requests import Create, RestError, Update, create_of, update_of

HOST = "127.0.0.1"
PREFIX = f"/{API_VERSION}/Accounts/{{account}}"
MAX_PAGE = 1_000
NOT_FOUND = "The requested resource was not found"


class Exchange(Protocol):
    """Where calls are placed and kept."""

    def place(self, wish: Create) -> Leg: ...

    def change(self, sid: str, wish: Update) -> Leg:
        """Raises `RestError`."""
        ...

    def leg(self, sid: str) -> Leg | None: ...

    def legs(self) -> Iterable[Leg]: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the sidecar and how it was answered; status 0 when it was not."""

    operation: str
    path: str
    params: tuple[tuple[str, str], ...]
    status: int
    code: int | None = None
    trouble: str | None = None

    def param(self, name: str) -> str:
        return dict(self.params).get(name, "")


Work = Callable[[web.Request, list[tuple[str, str]]], tuple[int, Any]]


class RestServer:
    """Twilio's API on a loopback port; `asked` holds every request, in order."""

    def __init__(
        self,
        account: Account,
        exchange: Exchange,
        faults: Faults,
        pace: Pace,
        noted: Callable[[Asked], None],
    ) -> None:
        self.asked: list[Asked] = []
        self._account = account
        self._exchange = exchange
        self._faults = faults
        self._pace = pace
        self._noted = noted
        self._runner: web.AppRunner | None = None
        self.base_url = ""

    async def start(self, port: int) -> None:
        """Raises OSError when the port is taken."""
        app = web.Application(middlewares=[self._not_found])
        for method, path, operation, work in (
            ("GET", f"{PREFIX}.json", "account", self._show_account),
            ("POST", f"{PREFIX}/Calls.json", "create", self._create),
            ("GET", f"{PREFIX}/Calls.json", "list", self._list),
            ("GET", f"{PREFIX}/Calls/{{sid}}.json", "fetch", self._fetch),
            ("POST", f"{PREFIX}/Calls/{{sid}}.json", "update", self._update),
        ):
            app.router.add_route(method, path, self._route(operation, work))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            raise
        address = self._runner.addresses[0]
        self.base_url = f"http://{HOST}:{address[1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def _route(
        self, operation: str, work: Work
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            params = await _params(request)
            fault = self._faults.take(operation)
            status, body = 0, None
            if is_performed(fault):
                status, body = self._do(request, params, work)
            trouble = fault.trouble.value if fault is not None else None
            if fault is not None and fault.trouble is Trouble.STATUS:
                status = fault.status
            elif fault is not None and fault.trouble is not Trouble.SLOW:
                status = 0
            code = body.get("code") if isinstance(body, dict) and status >= 400 else None
            self._note(Asked(operation, request.path, tuple(params), status, code, trouble))
            if fault is None:
                return web.json_response(body, status=status)
            if fault.trouble is Trouble.STATUS:
                return error_answer(fault.status)
            if fault.trouble is Trouble.SLOW:
                await self._pace.real_sleep(fault.slow_s)
                return web.json_response(body, status=status)
            whole = web.json_response(body).body
            partial = whole if isinstance(whole, bytes) else b"{}"
            half = fault.trouble is Trouble.HALF_CLOSED
            return await cut(request, self._pace, partial if half else None)

        return answer

    def _do(
        self, request: web.Request, params: list[tuple[str, str]], work: Work
    ) -> tuple[int, Any]:
        try:
            if not self._account.admit(request.headers.get("Authorization", "")):
                raise RestError(401, 20003, "Authenticate")
            if request.match_info["account"] != self._account.sid:
                raise RestError(404, 20404, NOT_FOUND)
            return work(request, params)
        except RestError as error:
            return error.status, error.body()

    def _note(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._noted(asked)

    @web.middleware
    async def _not_found(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            wrong_method = isinstance(error, web.HTTPMethodNotAllowed)
            status, code = (405, 20004) if wrong_method else (404, 20404)
            text = "Method not allowed" if wrong_method else NOT_FOUND
            self._note(Asked("unknown", request.path, (), status, code))
            return web.json_response(RestError(status, code, text).body(), status=status)

    # -- operations -----------------------------------------------------------------------------

    def _show_account(self, request: web.Request, params: list[tuple[str, str]]) -> tuple[int, Any]:
        sid = self._account.sid
        return 200, {
            "sid": sid,
            "friendly_name": "Simulated account",
            "status": "active",
            "type": "Full",
            "uri": f"/{API_VERSION}/Accounts/{sid}.json",
        }

    def _create(self, request: web.Request, params: list[tuple[str, str]]) -> tuple[int, Any]:
        form = _form(request, params)
        return 201, self._exchange.place(create_of(form, self._account.numbers)).resource()

    def _update(self, request: web.Request, params: list[tuple[str, str]]) -> tuple[int, Any]:
        leg = self._leg(request)
        wish = update_of(_form(request, params))
        return 200, self._exchange.change(leg.sid, wish).resource()

    def _fetch(self, request: web.Request, params: list[tuple[str, str]]) -> tuple[int, Any]:
        return 200, self._leg(request).resource()

    def _leg(self, request: web.Request) -> Leg:
        leg = self._exchange.leg(request.match_info["sid"])
        if leg is None:
            raise RestError(404, 20404, NOT_FOUND)
        return leg

    def _list(self, request: web.Request, params: list[tuple[str, str]]) -> tuple[int, Any]:
        filters = dict(params)
        size = min(MAX_PAGE, int(filters.pop("PageSize", "50")))
        page = int(filters.pop("Page", "0"))
        filters.pop("PageToken", None)
        found = [leg for leg in self._exchange.legs() if _matches(leg, filters)]
        found.sort(key=lambda leg: leg.created_ms, reverse=True)
        part = found[page * size : (page + 1) * size]
        more = len(found) > (page + 1) * size
        path = request.path
        return 200, {
            "calls": [leg.resource() for leg in part],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(0, len(part) - 1),
            "uri": request.path_qs,
            "first_page_uri": f"{path}?PageSize={size}&Page=0",
            "next_page_uri": f"{path}?PageSize={size}&Page={page + 1}" if more else None,
            "previous_page_uri": f"{path}?PageSize={size}&Page={page - 1}" if page else None,
        }


async def _params(request: web.Request) -> list[tuple[str, str]]:
    """Names and values as they were sent, in order."""
    if request.method == "GET":
        return parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
    body = await request.read()
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _form(request: web.Request, params: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is not sent as a form is not read, as at Twilio."""
    return params if request.content_type == "application/x-www-form-urlencoded" else []


def _matches(leg: Leg, filters: Mapping[str, str]) -> bool:
    for name, value in filters.items():
        match name:
            case "To":
                fits = leg.to_number == value
            case "From":
                fits = leg.from_number == value
            case "Status":
                fits = leg.status == value
            case "ParentCallSid":
                fits = leg.parent_sid == value
            case "StartTime" | "StartTime>" | "StartTime<" | "EndTime" | "EndTime>" | "EndTime<":
                at_ms = leg.started_ms if name.startswith("Start") else leg.ended_ms
                fits = at_ms is not None and _fits(at_ms, name[-1], value)
            case _:
                raise RestError(400, 20001, f"{name} is not a filter of calls.")
        if not fits:
            return False
    return True


def _fits(at_ms: int, relation: str, value: str) -> bool:
    """Compare with a day, or with a moment when the value has a time."""
    try:
        wanted = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as error:
        raise RestError(400, 20001, "The date of a filter is not valid.") from error
    wanted = wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    at = datetime.fromtimestamp(at_ms // 1_000, UTC)
    if len(value) <= 10:
        at = at.replace(hour=0, minute=0, second=0)
    if relation == ">":
        return at >= wanted
    return at <= wanted if relation == "<" else at == wanted
