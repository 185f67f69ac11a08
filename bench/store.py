"""P8: a start with a large store, memory that does not grow with ended calls, linear growth."""

import asyncio
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path

from bench.figures import Figure
from bench.sidecar import Sidecar
from sidecar.call.model import Call, Direction, EndReason, Line, Mode, Speaker, State
from sidecar.ports import NewEvent, Write
from sidecar.store.sqlite import SqliteStore

ENDED, OPEN, EVENTS, RUNS = 100_000, 100, 6, 5


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="voicecall-bench-") as folder:
        large = str(Path(folder) / "large.db")
        sizes = asyncio.run(_fill(large))
        times, memory, bare = [], [], []
        for _ in range(RUNS):
            with Sidecar() as sidecar:
                sidecar.ask(1, "voicecall.status")
                bare.append(sidecar.rss_mb())
            # Each run ends the open calls; they are put back so that every start finds them.
            asyncio.run(_add_open(large))
            with Sidecar(store=large) as sidecar:
                times.append(sidecar.ready_s)
                sidecar.ask(1, "voicecall.status")
                memory.append(sidecar.rss_mb())
    growth = [after - before for after, before in zip(memory, bare, strict=True)]
    halves = sizes[1] / sizes[0]
    what = f"{ENDED:,} ended and {OPEN} open calls"
    return [
        Figure("P8", f"spawn to ready, {what}", "s", "<= 1.5", max(times) <= 1.5, times,
               f"{RUNS} starts on one store"),
        Figure("P8", "memory beside an empty store's", "MB", "does not grow", max(growth) <= 10,
               growth, "RSS after ready, store full less store empty; open calls included"),
        Figure("P8", "file size, all events to half of them", "ratio", "2 (linear)",
               1.8 <= halves <= 2.2, [halves], f"{EVENTS} events a call",
               {"bytesPerCall": sizes[1] / ENDED}),
    ]  # fmt: skip


async def _fill(path: str) -> list[int]:
    """Write the ended calls; gives the size of the file after half of them and after all."""
    store = SqliteStore(path)
    await store.start(lambda events: None)
    sizes = []
    for half in range(2):
        for start in range(0, ENDED // 2, 1_000):
            first = half * ENDED // 2 + start
            await asyncio.gather(*(store.commit(_ended(first + i)) for i in range(1_000)))
        await store.close()
        sizes.append(Path(path).stat().st_size)
        store = SqliteStore(path)
        await store.start(lambda events: None)
    await store.close()
    return sizes


async def _add_open(path: str) -> None:
    store = SqliteStore(path)
    await store.start(lambda events: None)
    await asyncio.gather(*(store.commit(Write(call=_call(i, State.RINGING))) for i in range(OPEN)))
    await store.close()


def _ended(number: int) -> Write:
    call = replace(
        _call(number, State.ENDED),
        ended_at_ms=1_795_000_060_000 + number,
        end_reason=EndReason.COMPLETED,
        transcript=(
            Line(1_795_000_010_000, Speaker.BOT, "Good morning, this is a reminder."),
            Line(1_795_000_020_000, Speaker.USER, "Thank you, that is fine with me."),
        ),
    )
    events = [
        NewEvent(call.started_at_ms + i, "call.dtmf", call.call_id, {"digits": str(i)})
        for i in range(EVENTS)
    ]
    return Write(call=call, events=events)


def _call(number: int, state: State) -> Call:
    return Call(
        call_id=str(uuid.uuid4()),
        provider="mock",
        direction=Direction.OUTBOUND,
        mode=Mode.CONVERSATION,
        state=state,
        from_number="+15550000000",
        to_number=f"+1555{number:07d}",
        session_key="voice:1",
        started_at_ms=1_795_000_000_000 + number,
        provider_call_id=f"mock-{uuid.uuid4()}",
        state_until_ms=1_999_000_000_000,
        announced=True,
    )
