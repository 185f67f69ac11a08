"""The stdio door over real pipes and files."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.rpc.doors.stdio import Ending, LineSplitter, StdioDoor, watch_parent, write_some
from sidecar.rpc.message import MESSAGE_LIMIT_BYTES
from tests.support.rpc import WAIT_S, Bench, StillClock, settle

BOM = b"\xef\xbb\xbf"


# -- lines ----------------------------------------------------------------------------------------


def split(*chunks: bytes, limit: int = 10) -> list[bytes | None]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)]


def test_lf_and_crlf_end_lines_and_blank_lines_are_skipped() -> None:
    assert split(b"a\nb\r\n\n\r\n  \t\nc\n") == [b"a", b"b", b"c"]


def test_an_unfinished_last_line_is_not_a_line() -> None:
    assert split(b"a\nb") == [b"a"]


def test_one_bom_at_the_start_is_skipped_and_no_other() -> None:
    assert split(BOM + b"a\n" + BOM + b"b\n") == [b"a", BOM + b"b"]
    assert split(BOM[:1], BOM[1:2], BOM[2:], b"\r\n", BOM + b"a\n") == [BOM + b"a"]


def test_a_raw_line_separator_of_unicode_is_part_of_the_line() -> None:
    assert split("a\u2028b\x85\n".encode()) == ["a\u2028b\x85".encode()]


def test_a_line_of_exactly_the_limit_is_taken() -> None:
    assert split(b"x" * 10 + b"\n") == [b"x" * 10]
    assert split(b"x" * 10 + b"\r", b"\n") == [b"x" * 10]
    assert split(BOM, b"x" * 10, b"\r", b"\n") == [b"x" * 10]


def test_an_over_long_line_is_told_once_and_the_next_line_is_read() -> None:
    assert split(b"x" * 11 + b"\nok\n") == [None, b"ok"]
    assert split(b"x" * 1_000, b"x" * 1_000, b"x\nok\n") == [None, b"ok"]
    assert split(*[b"x"] * 40, b"\n", b"ok\n") == [None, b"ok"]


def test_an_over_long_line_is_not_kept() -> None:
    splitter = LineSplitter(10)
    for _ in range(100):
        splitter.feed(b"x" * 1_000)
    assert len(splitter._rest) == 0


@given(
    st.lists(st.binary(max_size=14).filter(lambda line: b"\n" not in line), max_size=8),
    st.lists(st.integers(min_value=0, max_value=120), max_size=12),
)
def test_the_pieces_do_not_matter(lines: list[bytes], cuts: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    whole = split(data)
    assert split(*pieces) == whole
    assert split(*[data[i : i + 1] for i in range(len(data))]) == whole


# -- the door -------------------------------------------------------------------------------------


class Parent:
    """The other ends of the two pipes."""

    def __init__(self, bench: Bench) -> None:
        self.stdin, self.to_stdin = os.pipe()
        self.from_stdout, self.stdout = os.pipe()
        self.door = StdioDoor(self.stdin, self.stdout, bench.server)
        self._rest = b""

    def write(self, *messages: Any) -> None:
        for message in messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            os.write(self.to_stdin, data)

    def request(self, request_id: Any, method: str, params: Any = None) -> None:
        self.write({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    def end_input(self) -> None:
        os.close(self.to_stdin)
        self.to_stdin = -1

    def _read_line(self) -> bytes:
        while b"\n" not in self._rest:
            chunk = os.read(self.from_stdout, 65_536)
            if not chunk:
                raise EOFError
            self._rest += chunk
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    async def next(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            line = await asyncio.to_thread(self._read_line)
        assert line.isascii()
        return json.loads(line)

    def close(self) -> None:
        for fd in (self.to_stdin, self.from_stdout, self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                os.close(fd)


@pytest.fixture
def parent(bench: Bench) -> Iterator[Parent]:
    parent = Parent(bench)
    yield parent
    parent.close()


async def test_ready_comes_first_and_requests_are_answered(bench: Bench, parent: Parent) -> None:
    running = asyncio.ensure_future(parent.door.run())
    parent.request(1, "echo", {"text": "\u2028\u00e9"})
    await settle()
    await bench.open()
    assert (await parent.next())["method"] == "sidecar.ready"
    assert (await parent.next())["result"] == {"text": "\u2028\u00e9"}
    parent.end_input()
    assert await asyncio.wait_for(running, WAIT_S) is Ending.INPUT_ENDED


async def test_requests_before_the_end_of_the_input_are_answered(
    bench: Bench, parent: Parent
) -> None:
    parent.request(1, "slow")
    parent.request(2, "echo")
    parent.write(b'{"jsonrpc":"2.0","id":3,"method":"echo"}')
    parent.end_input()
    assert await asyncio.wait_for(parent.door.run(), WAIT_S) is Ending.INPUT_ENDED
    await bench.open()
    finishing = asyncio.ensure_future(bench.server.finish(5_000))
    assert (await parent.next())["method"] == "sidecar.ready"
    assert (await parent.next())["id"] == 2
    bench.release.set()
    assert (await parent.next())["id"] == 1
    await asyncio.wait_for(finishing, WAIT_S)


async def test_bytes_may_come_one_at_a_time(bench: Bench, parent: Parent) -> None:
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    for byte in BOM + b'{"jsonrpc":"2.0","id":1,"method":"sidecar.ping"}\r\n':
        parent.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await parent.next())["result"]["pong"] is True
    parent.end_input()
    await asyncio.wait_for(running, WAIT_S)


async def test_an_over_long_line_is_answered_and_the_stream_goes_on(
    bench: Bench, parent: Parent
) -> None:
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    long = b'"' + b"x" * MESSAGE_LIMIT_BYTES + b'"\n'
    await asyncio.to_thread(_write_all, parent.to_stdin, long)
    parent.request(1, "sidecar.ping")
    refused = await parent.next()
    assert (refused["id"], refused["error"]["data"]["kind"]) == (None, "invalidRequest")
    assert (await parent.next())["id"] == 1
    parent.end_input()
    await asyncio.wait_for(running, WAIT_S)


async def test_a_regular_file_is_an_input(bench: Bench, tmp_path: Path) -> None:
    await bench.open()
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(
        b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"echo"}\n' % n for n in range(500))
    )
    stdin, stdout = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT)
    door = StdioDoor(stdin, stdout, bench.server)
    assert await asyncio.wait_for(door.run(), WAIT_S) is Ending.INPUT_ENDED
    await bench.server.finish(5_000)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line.get("id") for line in lines[1:]] == list(range(500))
    os.close(stdin)
    os.close(stdout)


async def test_a_closed_output_ends_the_door_without_a_word(bench: Bench, parent: Parent) -> None:
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    os.close(parent.from_stdout)
    parent.request(1, "echo")
    assert await asyncio.wait_for(running, WAIT_S) is Ending.OUTPUT_CLOSED
    assert not bench.server.connections


async def test_a_closed_output_is_noticed_with_nothing_to_write(
    bench: Bench, parent: Parent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.rpc.doors.stdio.LOOK_AROUND_S", 0.01)
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    os.close(parent.from_stdout)
    assert await asyncio.wait_for(running, WAIT_S) is Ending.OUTPUT_CLOSED


async def test_a_parent_that_stops_reading_does_not_block_and_gets_everything_later(
    bench: Bench, parent: Parent
) -> None:
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    for _ in range(100):
        await bench.happen("call.speech", transcript="x" * 100_000)
    await settle(200)
    connection = bench.server.connections[0]
    assert connection.outgoing.size < 4 * 1024 * 1024
    parent.request(1, "sidecar.ping")
    seen, seqs = False, []
    while len(seqs) < 100 or not seen:
        message = await parent.next()
        if message.get("id") == 1:
            seen = True
        else:
            seqs.append(message["params"]["seq"])
    assert seqs == list(range(1, 101))
    parent.end_input()
    await asyncio.wait_for(running, WAIT_S)


async def test_input_is_not_taken_without_end_from_one_that_never_reads(
    bench: Bench, parent: Parent
) -> None:
    await bench.open()
    running = asyncio.ensure_future(parent.door.run())
    await parent.next()
    os.set_blocking(parent.to_stdin, False)
    line = json.dumps({"jsonrpc": "2.0", "id": "x" * 60_000, "method": "sidecar.ping"}).encode()
    refused = 0
    async with asyncio.timeout(30):
        while refused < 2_000:
            try:
                os.write(parent.to_stdin, line + b"\n")
            except BlockingIOError:
                refused += 1
            await asyncio.sleep(0)
    assert bench.server.connections[0].outgoing.size < 12 * 1024 * 1024
    os.close(parent.from_stdout)
    assert await asyncio.wait_for(running, WAIT_S) is Ending.OUTPUT_CLOSED


async def test_non_blocking_descriptors_are_waited_for(bench: Bench) -> None:
    await bench.open()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    door = StdioDoor(ours.fileno(), ours.fileno(), bench.server)
    running = asyncio.ensure_future(door.run())
    theirs.sendall(b'{"jsonrpc":"2.0","id":1,"method":"echo"}\n')
    received = b""
    async with asyncio.timeout(WAIT_S):
        while received.count(b"\n") < 2:
            received += await asyncio.to_thread(theirs.recv, 65_536)
    theirs.close()
    assert await asyncio.wait_for(running, WAIT_S) in Ending
    await bench.server.finish(0)
    ours.close()


def test_writing_to_nobody_is_told_and_not_raised() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert write_some(writing, b"x") is None
    os.close(writing)


async def test_a_parent_that_is_gone_is_noticed_within_a_second() -> None:
    clock = StillClock()
    await asyncio.wait_for(watch_parent(os.getppid() + 1, clock), WAIT_S)
    watching = asyncio.ensure_future(watch_parent(os.getppid(), clock))
    await settle()
    clock.advance(1_000)
    await settle()
    assert not watching.done()
    watching.cancel()


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
