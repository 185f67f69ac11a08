"""One HTTP client for the carriers' REST interfaces, and the one map from its exceptions.

What a carrier's answer means, and whether a request may be repeated, is the carrier's to say.
"""

from dataclasses import dataclass

import aiohttp
from yarl import URL

from sidecar.errors import CarrierError, Problem

TIMEOUT_S = 10.0
CONNECT_S = 5.0
ANSWER_BYTES = 1024 * 1024
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Reply:
    """A carrier's whole answer. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Unreached(CarrierError):
    """The request certainly never arrived, so it changed nothing."""


class Unanswered(CarrierError):
    """The request may have been carried out: its answer never came, or not whole."""


class Http:
    """Opens its session with the first request. Every request ends within `timeout_s`."""

    def __init__(self, carrier: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """`carrier` is the name that errors speak of."""
        self._carrier = carrier
        connect_s = min(CONNECT_S, timeout_s)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_s)
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: str, *, headers: dict[str, str], body: str | None = None
    ) -> Reply:
        """`url` is sent as it is, `body` as a form. Raises `Unreached` or `Unanswered`."""
        if body is not None:
            headers = {**headers, "Content-Type": FORM}
        try:
            async with self._opened().request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=None if body is None else body.encode("ascii"),
                allow_redirects=False,
            ) as response:
                text = await _read(response)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, names, text)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreached(self._problem("cannot be reached")) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(self._problem("did not answer in time")) from error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _problem(self, what: str) -> Problem:
        return Problem("carrierUnavailable", f"{self._carrier} {what}.", retryable=True)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, cut where no honest answer is that long."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            response.close()
            break
    return b"".join(parts)[:ANSWER_BYTES]
