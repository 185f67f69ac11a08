"""A writing process is killed at any moment; what it was told is on disk is there, and whole."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.store.sqlite import SqliteStore

pytestmark = pytest.mark.timeout(60)

_WRITE = """
import asyncio, os, sys
from sidecar.ports import Write
from sidecar.store.sqlite import SqliteStore
from tests.store.samples import a_call, an_ended_call, an_event, said


async def talk(store, call_id):
    for count in range(1, 1_000_000):
        call = a_call(call_id, transcript=said(*map(str, range(count % 50))), dtmf="1" * count)
        written = await store.commit(Write(call, [an_event(call_id=call_id, at_ms=count)]))
        # In one piece, so that the kill cannot cut a line.
        os.write(1, f"{written[0].seq} {call_id} {count}\\n".encode())


async def main():
    store = SqliteStore(sys.argv[1])
    await store.start(lambda events: None)
    await asyncio.gather(*(talk(store, str(number)) for number in range(8)))


asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 40, 400])
async def test_every_commit_that_was_answered_survives_a_kill(tmp_path: Path, lines: int) -> None:
    path = str(tmp_path / "calls.db")
    told: dict[str, int] = {}
    newest = 0
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE, path], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(lines):
            seq, call_id, count = writer.stdout.readline().split()
            newest, told[call_id] = max(newest, int(seq)), int(count)
        writer.kill()
        for line in writer.stdout:
            seq, call_id, count = line.split()
            newest, told[call_id] = max(newest, int(seq)), int(count)
        writer.wait(5)

    store = SqliteStore(path)
    async with asyncio.timeout(20):
        await store.start(lambda events: None)
        journal = await store.events(0, 10_000_000, 1 << 30)
        calls = {call.call_id: call for call in await store.open_calls()}
        await store.close()
    assert store.last_seq >= newest
    assert [event.seq for event in journal] == list(range(1, store.last_seq + 1))
    for call_id, least in told.items():
        written = [event for event in journal if event.call_id == call_id]
        # The record and its event are of one transaction: neither is ahead of the other.
        assert len(calls[call_id].dtmf) == written[-1].at_ms == len(written) >= least
        assert len(calls[call_id].transcript) == len(written) % 50
        assert json.loads(written[-1].body)["seq"] == written[-1].seq
