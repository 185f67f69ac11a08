"""Strangers, and carriers in a hurry, at the door of the real process: storms of one request,
half-open connections, bodies that are too long, too slow or nonsense, and a kill in between."""

import asyncio
import contextlib
import gzip
import random
import resource
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.process.harness import Sidecar, configuration
from tests.process.twilio import (
    FORM,
    a_leg,
    account,
    arrival,
    fields,
    headers,
    message,
    signature,
)

PATIENCE_S = 15.0
PUBLIC = "https://voice.example.test/voice/webhook"
TARGET = "/voice/webhook"
MB = 1_048_576
FLAT_MB = 24
"""How much more memory a flood may take: the connections that are allowed, with full buffers."""


class Street:
    """A sidecar on Twilio and everything that a stranger needs to reach it."""

    def __init__(self, home: Path) -> None:
        # Nobody is there to be asked about calls, so the end of the process is a kill.
        members = account(publicUrl=PUBLIC, inboundPolicy="open")
        members["twilio"]["baseUrl"] = "http://127.0.0.1:9"
        self.sidecar = Sidecar(home, configuration(**members))
        self.port = int(self.sidecar.ready()["webhookUrl"].split(":")[2].partition("/")[0])

    def signed(self, form: dict[str, str], query: str = "") -> bytes:
        return message(self.port, TARGET + query, form, PUBLIC + query)

    def rss_mb(self) -> float:
        for row in Path(f"/proc/{self.sidecar.process.pid}/status").read_text().splitlines():
            if row.startswith("VmRSS:"):
                return int(row.split()[1]) / 1_024
        raise AssertionError("the process is gone")

    @asynccontextmanager
    async def line(self) -> AsyncIterator["Wire"]:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                yield Wire(reader, writer)
            finally:
                writer.close()

    async def ask(self, *parts: bytes) -> tuple[int, bytes]:
        async with self.line() as wire:
            for part in parts:
                await wire.send(part)
            return await wire.answer()

    async def call(self) -> str:
        """Somebody calls; gives the id of the call."""
        leg = a_leg()
        since = self.sidecar.mark
        assert (await self.ask(self.signed(arrival(leg))))[0] == 200
        call_id: str = self.sidecar.event("call.initiated", since=since)["callId"]
        self._leg = leg
        return call_id

    def digits(self, call_id: str, nonce: str) -> bytes:
        query = f"?callId={call_id}&type=gather&n={nonce}"
        return self.signed(fields(self._leg, CallStatus="in-progress", Digits="7"), query)

    def is_well(self) -> None:
        assert self.sidecar.process.poll() is None
        assert "listener.failed" not in self.sidecar.stderr_text
        assert "Traceback" not in self.sidecar.stderr_text


class Wire:
    """One connection, and answers in the order of the requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body; 0 when the connection ended instead."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        lowered = head.lower()
        length = int(lowered.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(head.split()[1]), await self._reader.readexactly(length)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    street = Street(tmp_path_factory.mktemp("street"))
    with street.sidecar:
        yield street
        street.is_well()
        street.sidecar.kill()


# -- the same request many times ------------------------------------------------------------------


async def storm(street: Street, request: bytes, connections: int, times: int = 100) -> set[bytes]:
    """The different bodies of the answers; each answer is 200 or 429."""

    async def one() -> list[tuple[int, bytes]]:
        async with street.line() as wire:
            await wire.send(request * (times // connections))
            return [await wire.answer() for _ in range(times // connections)]

    answers = sum(await asyncio.gather(*(one() for _ in range(connections))), [])
    assert len(answers) == times
    assert {status for status, _ in answers} <= {200, 429}
    taken = {body for status, body in answers if status == 200}
    assert taken
    return taken


@pytest.mark.parametrize("connections", [1, 4, 100])
async def test_a_storm_of_one_request_has_one_effect_and_one_answer(
    street: Street, connections: int
) -> None:
    call_id = await street.call()
    bodies = await storm(street, street.digits(call_id, f"{connections:016x}"), connections)
    assert len(bodies) == 1
    street.sidecar.settle()
    assert street.sidecar.types(call_id).count("call.dtmf") == 1
    assert street.sidecar.record(call_id)["state"] == "listening"


@pytest.mark.parametrize("connections", [2, 50])
async def test_a_storm_of_one_arrival_makes_one_call(street: Street, connections: int) -> None:
    since = street.sidecar.mark
    bodies = await storm(street, street.signed(arrival(a_leg())), connections)
    assert len(bodies) == 1
    street.sidecar.settle()
    assert street.sidecar.types(since=since).count("call.initiated") == 1


async def test_after_a_kill_a_repetition_gets_the_first_answer_and_has_no_effect(
    tmp_path: Path,
) -> None:
    before = Street(tmp_path)
    with before.sidecar:
        call_id = await before.call()
        request = before.digits(call_id, "00000000000000aa")
        first = await before.ask(request)
        assert first[0] == 200
        before.sidecar.signal(signal.SIGKILL)
        before.sidecar.wait()
    after = Street(tmp_path)
    with after.sidecar:
        assert await after.ask(request) == first
        assert await after.ask(request) == first
        after.sidecar.settle()
        assert "call.dtmf" not in after.sidecar.types(call_id)
        after.is_well()
        after.sidecar.kill()


# -- floods ---------------------------------------------------------------------------------------


async def test_thousands_of_half_open_connections_leave_memory_flat(street: Street) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    try:
        await half_open(street, 600)
        before_mb = street.rss_mb()
        for _ in range(2):
            await half_open(street, 2_500)
            assert street.rss_mb() < before_mb + FLAT_MB
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def half_open(street: Street, count: int) -> None:
    """Connections that say nothing, half of a head, or a head without its body; while they are
    there somebody calls."""
    beginnings = (b"", b"POST /voice/webhook HTTP/1.1\r\nHost: a\r\nX-A: ", b"GET /healthz HT")
    writers = []
    for number in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", street.port)
        writer.write(beginnings[number % 3])
        writers.append(writer)
    assert (await street.ask(street.signed(arrival(a_leg()))))[0] == 200
    for writer in writers:
        writer.transport.abort()


# -- bodies ---------------------------------------------------------------------------------------


def head(*rows: str, sign: str = "bm9ib2R5J3M=") -> bytes:
    every = [f"POST {TARGET} HTTP/1.1", "Host: a", *rows]
    if not any(row.startswith("Content-Type") for row in rows):
        every.append(f"Content-Type: {FORM}")
    if sign:
        every.append(f"X-Twilio-Signature: {sign}")
    return "\r\n".join([*every, "", ""]).encode("latin-1")


async def push(wire: Wire, data: bytes, times: int) -> None:
    """As much of it as the other side takes."""
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            await wire.send(data)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (head(f"Content-Length: {60 * MB}"), 413),
        (head(f"Content-Length: {60 * MB}", sign=""), 401),
        (head("Transfer-Encoding: chunked"), 413),
    ],
    ids=["announced", "unsigned", "chunked"],
)
async def test_a_body_of_60_mb_is_refused_before_it_is_in_memory(
    street: Street, start: bytes, expected: int
) -> None:
    before_mb = street.rss_mb()
    data = b"x" * MB
    if b"chunked" in start:
        data = b"100000\r\n" + data + b"\r\n"
    async with street.line() as wire:
        await wire.send(start)
        # What comes after the answer is read and thrown away for a moment, so that it arrives.
        pushing = asyncio.ensure_future(push(wire, data, 60))
        status, _ = await wire.answer()
        assert street.rss_mb() < before_mb + 8
        await pushing
    assert status == expected
    assert street.rss_mb() < before_mb + 8


async def test_a_body_that_does_not_come_is_408_and_others_are_served_meanwhile(
    street: Street,
) -> None:
    async def slow() -> int:
        async with street.line() as wire:
            await wire.send(head("Content-Length: 100") + b"CallSid=")
            return (await wire.answer())[0]

    slow_ones = [asyncio.ensure_future(slow()) for _ in range(4)]
    assert (await street.ask(street.signed(arrival(a_leg()))))[0] == 200
    assert await asyncio.gather(*slow_ones) == [408] * 4


def odd_requests() -> Iterator[tuple[str, bytes, int]]:
    """What is wrong with it, the request, and the right answer."""
    form = arrival("CAodd")
    right = signature(PUBLIC, form)
    packed = gzip.compress(b"CallSid=CAodd")
    for name, body, rows in (
        ("bytes that are no UTF-8", b"CallSid=\xff\xfe\xc3", ()),
        ("escapes that are no UTF-8", b"CallSid=%FF%FE&From=%C3%28", ()),
        ("nothing but ampersands", b"&" * 5_000, ()),
        ("thousands of fields", b"a=1&" * 10_000, ()),
        ("a packed body", packed, ("Content-Encoding: gzip",)),
        ("a bad packed body", b"\x1f\x8bnot", ("Content-Encoding: gzip",)),
        ("another charset", b"C\x00a\x00", ("Content-Type: text/plain; charset=utf-16",)),
        ("a charset that is none", b"CallSid=1", ("Content-Type: text/x; charset=\xe9\xe8",)),
        ("JSON of no call", b'{"a": ' * 2_000, ("Content-Type: application/json",)),
        ("zero bytes", bytes(2_000), ()),
        ("a header that is not ASCII", b"a=1", ("X-Forwarded-Host: b\xfccher.example",)),
        ("a name that is not ASCII", b"a=1", ("I-Twilio-Idempotency-Token: \xf0\x9f",)),
    ):
        yield name, head(f"Content-Length: {len(body)}", *rows) + body, 401
    yield "a signature that is not ASCII", head("Content-Length: 0", sign="\xe9\xe8"), 401
    yield "a signature of other fields", head("Content-Length: 3", sign=right) + b"a=1", 401
    yield (
        "a body that breaks off in its chunks",
        (head("Transfer-Encoding: chunked") + b"zz\r\nabc\r\n0\r\n\r\n"),
        400,
    )
    yield "two lengths", head("Content-Length: 3", "Content-Length: 4") + b"abcd", 400
    yield "a length that is none", head("Content-Length: -1"), 400
    yield "a header without end", head("X-Long: " + "a" * 20_000), 400
    yield "no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50, 400


async def test_nonsense_gets_the_right_refusal_and_never_500(street: Street) -> None:
    before_mb = street.rss_mb()
    found = {}
    wanted = {}
    for name, request, expected in odd_requests():
        found[name] = (await street.ask(request))[0]
        wanted[name] = expected
    assert found == wanted
    assert street.rss_mb() < before_mb + 8


async def test_a_signed_request_without_a_call_is_400(street: Street) -> None:
    form = {"From": "+15550001111", "CallStatus": "ringing"}
    assert (await street.ask(street.signed(form)))[0] == 400
    given = headers(PUBLIC, {})
    rows = [f"{name}: {value}" for name, value in given.items()]
    empty = "\r\n".join([f"POST {TARGET} HTTP/1.1", "Host: a", "Content-Length: 0", *rows, "", ""])
    assert (await street.ask(empty.encode()))[0] == 400


async def test_a_request_with_any_byte_changed_is_refused_or_means_the_same(
    street: Street,
) -> None:
    chance = random.Random(20_260_101)
    since = street.sidecar.mark
    leg = a_leg()
    whole = street.signed(arrival(leg))
    seen = set()
    for _ in range(150):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] = chance.randrange(256)
        if chance.random() < 0.3:
            del changed[chance.randrange(len(whole)) :]
            changed += b"\r\n\r\n"
        async with street.line() as wire:
            await wire.send(bytes(changed))
            wire._writer.write_eof()
            seen.add((await wire.answer())[0])
    assert seen <= {0, 200, 400, 401, 404, 405, 413, 417}
    assert 401 in seen
    street.sidecar.settle()
    assert street.sidecar.types(since=since).count("call.initiated") <= 1
