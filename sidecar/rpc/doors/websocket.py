"""The door for local programs: one JSON text per text frame on a WebSocket that asks for a token.

Who may connect is decided here; what a message means is `connection`. It is never served on the
webhook listener.
"""

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from sidecar.rpc.connection import Connection
from sidecar.rpc.message import MESSAGE_LIMIT_BYTES
from sidecar.rpc.outgoing import Outgoing
from sidecar.rpc.server import RpcServer

CLOSE_S = 2.0
MESSAGES_PER_TURN = 50
GOING_AWAY, UNSUPPORTED_DATA, INTERNAL_ERROR, TRY_AGAIN_LATER = 1001, 1003, 1011, 1013

_log = structlog.get_logger()


class Admission:
    """Who may open a WebSocket: the right token, a `Host` that is ours (a rebound DNS name is not)
    and no web page that was not allowed."""

    def __init__(
        self,
        bound_host: str,
        token: str,
        allowed_hosts: Sequence[str],
        allowed_origins: Sequence[str],
    ) -> None:
        self._token = token.encode()
        self._hosts = {_host_name(host) for host in (bound_host, *allowed_hosts)}
        self._origins = {_plain_origin(origin) for origin in allowed_origins}

    def refusal(self, request: Request) -> tuple[HTTPStatus, str] | None:
        """Why not, or None."""
        try:
            host = request.headers.get("Host", "")
            origin = request.headers.get("Origin")
            authorization = request.headers.get("Authorization", "")
        except MultipleValuesError:
            return HTTPStatus.FORBIDDEN, "A header that must be single is repeated."
        if not self._knows_host(host):
            return HTTPStatus.FORBIDDEN, "This Host is not in rpc.allowedHosts."
        if origin is not None and _plain_origin(origin) not in self._origins:
            return HTTPStatus.FORBIDDEN, "This Origin is not in rpc.allowedOrigins."
        if not self._knows_token(authorization):
            return HTTPStatus.UNAUTHORIZED, "The bearer token is missing or wrong."
        if request.path.partition("?")[0] != "/":
            return HTTPStatus.NOT_FOUND, "The RPC door is at /."
        return None

    def _knows_host(self, header: str) -> bool:
        name = _host_name(header)
        return bool(name) and (name in self._hosts or name == "localhost" or _is_loopback(name))

    def _knows_token(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        given = token.strip().encode("utf-8", "surrogateescape")
        # An empty token would let everybody in.
        return (
            bool(given) and scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)
        )


class WebSocketDoor:
    """Serves any number of clients; each is one connection of the server."""

    def __init__(
        self,
        server: RpcServer,
        host: str,
        port: int,
        token: str,
        allowed_hosts: Sequence[str] = (),
        allowed_origins: Sequence[str] = (),
    ) -> None:
        # A name with two addresses would give two ports when the port is free to choose.
        self._host = "127.0.0.1" if host == "localhost" else host
        self._server = server
        self._port = port
        self._admission = Admission(self._host, token, allowed_hosts, allowed_origins)
        self._listener: Server | None = None

    async def start(self) -> str:
        """Listen; gives the address. Raises OSError when the port cannot be had."""
        self._listener = await serve(
            self._serve,
            self._host,
            self._port,
            process_request=self._admit,
            compression=None,
            max_size=MESSAGE_LIMIT_BYTES,
            close_timeout=CLOSE_S,
            server_header=None,
            logger=_quiet_logger(),
        )
        host, port = self._listener.sockets[0].getsockname()[:2]
        return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"

    async def close(self) -> None:
        """Stop listening and close what is still open."""
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    def _admit(self, websocket: ServerConnection, request: Request) -> Response | None:
        refusal = self._admission.refusal(request)
        if refusal is None:
            return None
        status, text = refusal
        self._server.counters.count("rpc.refused")
        _log.warning("client.refused", status=int(status), reason=text)
        response = websocket.respond(status, text + "\n")
        if status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    async def _serve(self, websocket: ServerConnection) -> None:
        await _Link(websocket, self._server).run()


class _Link:
    """One socket and its connection."""

    def __init__(self, websocket: ServerConnection, server: RpcServer) -> None:
        self._websocket = websocket
        self._server = server
        self._outgoing = Outgoing()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._code, self._reason = GOING_AWAY, "the sidecar is going"

    async def run(self) -> None:
        """Serve until the client goes, is sent away, or the server ends."""
        self._outgoing.on_data = self._news.set
        self._outgoing.on_close = self._over.set
        self._outgoing.on_over = self._cut
        connection = self._server.connect(self._outgoing, cut=self._cut)
        loop = asyncio.get_running_loop()
        work = [
            loop.create_task(self._read(connection)),
            loop.create_task(self._write()),
            loop.create_task(self._ended()),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Exception:
            # Task root: a fault of ours ends this client's connection and no other's.
            _log.exception("client.failed", connection=connection.name)
            self._code, self._reason = INTERNAL_ERROR, "the sidecar failed"
        finally:
            for task in work:
                task.cancel()
            await asyncio.wait(work)
            await self._close()
            await self._server.disconnect(connection)

    def _cut(self) -> None:
        """The client does not read: drop what it has not read and send it away."""
        self._server.counters.count("rpc.cut")
        _log.warning("client.slow", unread_bytes=self._outgoing.size)
        self._code, self._reason = TRY_AGAIN_LATER, "too much is unread; resume by seq"
        self._outgoing.close()

    async def _read(self, connection: Connection) -> None:
        taken = 0
        while True:
            try:
                message = await self._websocket.recv()
            except ConnectionClosed:
                return
            if isinstance(message, bytes):
                self._code, self._reason = UNSUPPORTED_DATA, "send text frames"
                return
            connection.feed(message)
            taken += 1
            if taken % MESSAGES_PER_TURN == 0:
                # Messages that came in one packet are there without a wait.
                await asyncio.sleep(0)  # noqa: TID251 - yields, lets no time pass
            if connection.congested:
                await connection.relieved()

    async def _ended(self) -> None:
        """The queue was closed, by the server or because the client was cut. The writer may not
        notice: it waits for a socket that nobody reads."""
        await self._over.wait()

    async def _write(self) -> None:
        outgoing = self._outgoing
        while True:
            await self._news.wait()
            self._news.clear()
            for message in outgoing.take():
                try:
                    await self._websocket.send(message, text=True)
                except ConnectionClosed:
                    return
                outgoing.wrote(len(message))

    async def _close(self) -> None:
        """Say goodbye; one that does not read even that is simply cut."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._websocket.close(self._code, self._reason)
        except TimeoutError:
            self._websocket.transport.abort()


def _host_name(header: str) -> str:
    """The name or address in `host[:port]`, in one spelling."""
    text = header.strip().lower()
    if text.startswith("["):
        name = text[1:].partition("]")[0]
    elif text.count(":") > 1:
        name = text
    else:
        name = text.partition(":")[0]
    try:
        return str(_address(name))
    except ValueError:
        return name.removesuffix(".")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(name)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_loopback(name: str) -> bool:
    try:
        return _address(name).is_loopback
    except ValueError:
        return False


def _plain_origin(origin: str) -> str:
    return origin.strip().lower().rstrip("/")


def _quiet_logger() -> logging.Logger:
    """The library logs refused and broken handshakes with a trace; `_admit` has logged them."""
    logger = logging.getLogger("sidecar.rpc.doors.websocket.library")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
