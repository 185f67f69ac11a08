"""Twilio's REST interface for calls: create, update, fetch, list. The only file with a network.

It knows what may be repeated and what an error means; which document is sent is `twiml`'s matter.
"""

import base64
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import IntEnum
from typing import Any
from urllib.parse import quote, urlencode

from sidecar.config import Twilio
from sidecar.errors import CarrierError, Problem
from sidecar.ports import Clock
from sidecar.providers.http import Http, Reply, Unanswered, Unreached
from sidecar.providers.twilio.wire import ENDED

ATTEMPTS = 3
BACKOFF_MS = 300
BUSY_BACKOFF_MS = 1_000
RETRY_AFTER_MAX_MS = 8_000
LIST_SIZE = 50
TEXT_MAX = 500

Fields = Sequence[tuple[str, str]]

_HINTS = {
    20003: "Twilio does not accept the credentials; check `twilio.accountSid`, "
    "`twilio.authToken` or the API key, and `twilio.region`.",
    21205: "Twilio cannot use our webhook's address; check `publicUrl`.",
    21210: "The caller's number is not one of this Twilio account; check `fromNumber`.",
    21211: "Twilio takes the number in `to` for no telephone number; check it.",
    21212: "The caller's number is not one of this Twilio account; check `fromNumber`.",
    21215: "Twilio may not call this country; allow it in the console's geographic permissions.",
    13227: "Twilio may not call this country; allow it in the console's geographic permissions.",
    21219: "A trial account may only call numbers that are verified in Twilio's console.",
    32018: "The text is too long for one request to Twilio.",
}
NOT_IN_PROGRESS = 21220


class Repeat(IntEnum):
    """When a request may be sent again, besides when it certainly was not carried out."""

    NEVER = 0
    AFTER_ERROR = 1
    """When Twilio answered with an error of its own: what is repeated replaces what was."""
    ALWAYS = 2


class MaybeCreated(CarrierError):
    """The call may exist all the same. `answered` tells that Twilio did answer, with an error."""

    def __init__(self, problem: Problem, *, answered: bool) -> None:
        super().__init__(replace(problem, retryable=False))
        self.answered = answered


class NotInProgress(CarrierError):
    """The call cannot be changed: it is over, or Twilio has not noticed its answer yet."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A call as Twilio has it."""

    leg_id: str
    status: str
    direction: str
    duration_s: float | None
    created_at_ms: int | None

    @property
    def is_over(self) -> bool:
        return self.status in ENDED


class TwilioClient:
    """Requests for one account."""

    def __init__(
        self,
        settings: Twilio,
        http: Http,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._clock = clock
        self._jitter = jitter
        self._calls = f"{_origin(settings)}/2010-04-01/Accounts/{quote(settings.account_sid or '')}"
        self._headers = {"Authorization": _authorization(settings), "Accept": "application/json"}

    async def create(self, fields: Fields) -> str:
        """Place a call; gives Twilio's id of it. Raises `MaybeCreated` when that is not known."""
        try:
            answer = await self._ask("POST", "/Calls.json", fields, Repeat.NEVER)
        except Unanswered as error:
            raise MaybeCreated(error.problem, answered=False) from error
        except _Failing as error:
            raise MaybeCreated(error.problem, answered=True) from error
        leg = _leg(answer)
        if leg is None:
            raise MaybeCreated(_unreadable(), answered=True)
        return leg.leg_id

    async def update(self, leg_id: str, fields: Fields, repeat: Repeat) -> None:
        """Raises `NotInProgress` when there is nothing to be changed any more."""
        await self._ask("POST", f"/Calls/{quote(leg_id)}.json", fields, repeat)

    async def fetch(self, leg_id: str) -> Leg | None:
        """None when Twilio knows no such call."""
        try:
            answer = await self._ask("GET", f"/Calls/{quote(leg_id)}.json", (), Repeat.ALWAYS)
        except NotInProgress:
            return None
        leg = _leg(answer)
        if leg is None:
            raise CarrierError(_unreadable())
        return leg

    async def list(self, from_number: str, to_number: str) -> list[Leg]:
        """The newest calls between two numbers."""
        query = urlencode({"From": from_number, "To": to_number, "PageSize": LIST_SIZE})
        answer = await self._ask("GET", f"/Calls.json?{query}", (), Repeat.ALWAYS)
        calls = answer.get("calls")
        if not isinstance(calls, list):
            raise CarrierError(_unreadable())
        legs = (_leg(call) for call in calls if isinstance(call, dict))
        return [leg for leg in legs if leg is not None]

    # -- inside -----------------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, fields: Fields, repeat: Repeat) -> dict[str, Any]:
        """One request, repeated where that is safe; the error of the last attempt is raised."""
        body = urlencode(fields) if fields else None
        attempt = 1
        while True:
            try:
                return _result(await self._send(method, path, body))
            except _Busy as error:
                failure: CarrierError = error
                delay_ms = error.retry_after_ms or self._backoff_ms(BUSY_BACKOFF_MS, attempt)
            except Unreached as error:
                failure, delay_ms = error, self._backoff_ms(BACKOFF_MS, attempt)
            except _Failing as error:
                failure, delay_ms = error, self._backoff_ms(BACKOFF_MS, attempt)
                if repeat < Repeat.AFTER_ERROR:
                    raise
            except Unanswered as error:
                failure, delay_ms = error, self._backoff_ms(BACKOFF_MS, attempt)
                if repeat < Repeat.ALWAYS:
                    raise
            if attempt == ATTEMPTS:
                raise failure
            attempt += 1
            await self._clock.sleep_until(self._clock.now_ms() + delay_ms)

    async def _send(self, method: str, path: str, body: str | None) -> Reply:
        return await self._http.send(method, self._calls + path, headers=self._headers, body=body)

    def _backoff_ms(self, first_ms: int, attempt: int) -> int:
        """Twice as long each time, and never quite as long as somebody else's."""
        whole_ms = first_ms * 2 ** (attempt - 1)
        return int(whole_ms * (0.5 + self._jitter() / 2))


class _Busy(CarrierError):
    """429: the request was not carried out."""

    def __init__(self, problem: Problem, retry_after_ms: int | None) -> None:
        super().__init__(problem)
        self.retry_after_ms = retry_after_ms


class _Failing(CarrierError):
    """5xx, or an answer that is none: nobody knows what became of the request."""


# -- what was answered ----------------------------------------------------------------------------


def _result(reply: Reply) -> dict[str, Any]:
    """The resource in a good answer; raises what a bad one means."""
    answer = _json(reply.body)
    if 200 <= reply.status < 300:
        if answer is None:
            raise _Failing(_unreadable())
        return answer
    said = _said(reply.status, answer or {})
    if reply.status == 429:
        problem = Problem(
            "carrierUnavailable",
            "Twilio takes no more requests at the moment; try again a little later.",
            retryable=True,
            data={"carrier": said},
        )
        raise _Busy(problem, _retry_after_ms(reply))
    if reply.status == 404 or said.get("code") == NOT_IN_PROGRESS:
        raise NotInProgress(_refusal(said))
    if 400 <= reply.status < 500:
        raise CarrierError(_refusal(said))
    problem = Problem(
        "carrierUnavailable",
        f"Twilio failed (HTTP {reply.status}).",
        retryable=True,
        data={"carrier": said},
    )
    raise _Failing(problem)


def _refusal(said: dict[str, Any]) -> Problem:
    code = said.get("code")
    text = _HINTS.get(code) if isinstance(code, int) else None
    if text is None:
        named = f", code {code}" if code is not None else ""
        text = f"Twilio refused the request (HTTP {said['status']}{named})."
    return Problem("carrierRejected", text, data={"carrier": said})


def _said(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """Twilio's own words: the classic form of its errors, or that of its newer products."""
    code = answer.get("code")
    text = answer.get("message") or answer.get("detail") or answer.get("title")
    link = answer.get("more_info") or answer.get("type")
    said: dict[str, Any] = {"status": status}
    if isinstance(code, int | str) and not isinstance(code, bool):
        said["code"] = code
    if isinstance(text, str):
        said["message"] = text[:TEXT_MAX]
    if isinstance(link, str) and link.startswith("https://"):
        said["moreInfo"] = link[:TEXT_MAX]
    return said


def _retry_after_ms(reply: Reply) -> int | None:
    try:
        wanted_ms = int(float(reply.headers.get("retry-after", "")) * 1_000)
    except (ValueError, OverflowError):
        return None
    return min(max(wanted_ms, 0), RETRY_AFTER_MAX_MS)


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _unreadable() -> Problem:
    return Problem("carrierUnavailable", "Twilio's answer could not be read.")


def _leg(call: dict[str, Any]) -> Leg | None:
    leg_id, status = call.get("sid"), call.get("status")
    if not isinstance(leg_id, str) or not isinstance(status, str) or not leg_id:
        return None
    created = _time_ms(call.get("date_created")) or _time_ms(call.get("start_time"))
    return Leg(leg_id, status, str(call.get("direction")), _seconds(call.get("duration")), created)


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, str) and value.isdecimal() else None


def _time_ms(value: object) -> int | None:
    """A date as in e-mail, to the second."""
    try:
        return int(parsedate_to_datetime(str(value)).timestamp()) * 1_000
    except (ValueError, OverflowError):
        return None


# -- where it goes --------------------------------------------------------------------------------


def _origin(settings: Twilio) -> str:
    """Twilio puts edge and region into the host name; an edge needs a region beside it."""
    if settings.base_url is not None:
        return settings.base_url.rstrip("/")
    if settings.edge is not None:
        return f"https://api.{settings.edge}.{settings.region}.twilio.com"
    if settings.region != "us1":
        return f"https://api.{settings.region}.twilio.com"
    return "https://api.twilio.com"


def _authorization(settings: Twilio) -> str:
    """The API key where there is one, else the account itself."""
    if settings.api_key_sid and settings.api_key_secret is not None:
        name, password = settings.api_key_sid, settings.api_key_secret.get_secret_value()
    else:
        token = settings.auth_token
        name, password = settings.account_sid or "", token.get_secret_value() if token else ""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode("ascii")
