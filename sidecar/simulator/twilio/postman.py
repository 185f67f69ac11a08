"""Delivers Twilio's webhooks: signs them, keeps to the time-outs and retries of the address, and
remembers every delivery. It brings nothing anywhere but to the sidecar under rehearsal."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from sidecar.simulator.pace import Pace

Params = Sequence[tuple[str, str]]
MAX_ANSWER = 1024 * 1024
UNREACHABLE = 11200


def sign(token: str, url: str, params: Params = ()) -> str:
    """`X-Twilio-Signature` over the URL and, for a form, its parameters."""
    values: dict[str, set[str]] = {}
    for name, value in params:
        values.setdefault(name, set()).add(value)
    text = url + "".join(name + each for name in sorted(values) for each in sorted(values[name]))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class Hook:
    """An address with the method it is requested with."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook: what was sent, and what came back. `status` is 0 when nothing did; `what` is
    the kind of webhook, `url` without a fragment."""

    what: str
    method: str
    url: str
    params: tuple[tuple[str, str], ...]
    token: str
    status: int = 0
    body: bytes = b""
    content_type: str = ""
    problem: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def param(self, name: str) -> str:
        return dict(self.params).get(name, "")


@dataclass(frozen=True, slots=True)
class Patience:
    """The time-outs and retries of one address, which may stand in its fragment."""

    connect_ms: int = 5_000
    read_ms: int = 15_000
    total_ms: int = 15_000
    retries: int = 1
    retried: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, url: str) -> "Patience":
        given = dict(parse_qsl(urlsplit(url).fragment))
        return cls(
            _bounded(given.get("ct"), 100, 10_000, 5_000),
            _bounded(given.get("rt"), 100, 15_000, 15_000),
            _bounded(given.get("tt"), 100, 15_000, 15_000),
            _bounded(given.get("rc"), 0, 5, 1),
            frozenset(given.get("rp", "ct").split(",")),
        )

    def again(self, delivery: Delivery) -> bool:
        """Whether this outcome is one that is tried again."""
        if delivery.ok:
            return False
        cause = delivery.problem or f"{delivery.status // 100}xx"
        return "all" in self.retried or cause in self.retried


def _bounded(text: str | None, low: int, high: int, default: int) -> int:
    if text is None or not text.isdecimal():
        return default
    return min(high, max(low, int(text)))


@dataclass(frozen=True, slots=True)
class Route:
    """How the sidecar is reached: its webhook at `target`, known to it and to Twilio as `public`
    when that is another address."""

    target: str
    public: str | None = None

    def real(self, url: str) -> str | None:
        """Where a webhook for `url` goes; None when it is not the sidecar's."""
        parts, target = urlsplit(url), urlsplit(self.target)
        if self._origin(url) == self._origin(self.target):
            return url
        if self.public is None or self._origin(url) != self._origin(self.public):
            return None
        path, public = parts.path, urlsplit(self.public).path.rstrip("/")
        own = target.path.rstrip("/")
        prefix = public[: -len(own)] if own and public.endswith(own) else ""
        if path.rstrip("/") == public:
            path = target.path
        elif prefix and path.startswith(prefix):
            path = path[len(prefix) :]
        return urlunsplit((target.scheme, target.netloc, path, parts.query, ""))

    @staticmethod
    def _origin(url: str) -> tuple[str, str, int]:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return parts.scheme, parts.hostname or "", port


class Postman:
    """Brings webhooks; `sent` holds every one of them, in the order in which they ended."""

    def __init__(self, auth_token: str, route: Route, pace: Pace, drop_query: bool) -> None:
        self.sent: list[Delivery] = []
        self._auth_token = auth_token
        self._route = route
        self._pace = pace
        self._drop_query = drop_query
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def bring(
        self, what: str, url: str, params: Mapping[str, str], method: str = "POST"
    ) -> Delivery:
        """Deliver a new webhook, retries included."""
        patience = Patience.of(url)
        address = url.partition("#")[0]
        if self._drop_query:
            address = address.partition("?")[0]
        form = tuple(params.items())
        if method == "GET":
            joint = "&" if "?" in address else "?"
            address, form = f"{address}{joint}{urlencode(form)}", ()
        delivery = Delivery(what, method, address, form, str(uuid.uuid4()))
        return await self.repeat(delivery, patience)

    async def repeat(self, delivery: Delivery, patience: Patience | None = None) -> Delivery:
        """Deliver a webhook again, to the letter, as a retry does."""
        patience = patience or Patience()
        attempts = 0
        while True:
            outcome = await self._once(delivery, patience)
            attempts += 1
            if attempts > patience.retries or not patience.again(outcome):
                self.sent.append(outcome)
                return outcome

    async def _once(self, delivery: Delivery, patience: Patience) -> Delivery:
        assert self._session is not None
        real = self._route.real(delivery.url)
        if real is None:
            return _outcome(delivery, problem="it is not an address of the sidecar under rehearsal")
        timeout = aiohttp.ClientTimeout(
            total=patience.total_ms / 1_000,
            sock_connect=patience.connect_ms / 1_000,
            sock_read=patience.read_ms / 1_000,
        )
        headers = {
            "X-Twilio-Signature": sign(self._auth_token, delivery.url, delivery.params),
            "I-Twilio-Idempotency-Token": delivery.token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "Host": urlsplit(delivery.url).netloc.rpartition("@")[2],
        }
        body = None
        if delivery.method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
            body = urlencode(delivery.params).encode()
        try:
            with self._pace.held():
                async with self._session.request(
                    delivery.method,
                    URL(real, encoded=True),
                    data=body,
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                ) as answer:
                    text = await _body(answer)
                    kind = answer.headers.get("Content-Type", "")
                    return _outcome(delivery, answer.status, text, kind)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            return _outcome(delivery, problem="ct")
        except (TimeoutError, aiohttp.ClientError):
            return _outcome(delivery, problem="rt")


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    """The body, cut off at what nobody reads."""
    text = b""
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > MAX_ANSWER:
            break
    return text


def _outcome(
    delivery: Delivery, status: int = 0, body: bytes = b"", kind: str = "", problem: str = ""
) -> Delivery:
    return Delivery(
        delivery.what,
        delivery.method,
        delivery.url,
        delivery.params,
        delivery.token,
        status,
        body,
        kind,
        problem,
    )
