"""Many calls, a store that comes and goes, crashes: whatever happens, the journal tells one story
of each call, with one beginning and one end."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from sidecar.call.effects import Dial, Hangup
from sidecar.call.events import Event, Heard, LegEnded
from sidecar.call.model import EndReason
from sidecar.providers.mock.line import LineSettings
from tests.support.troubles import UNREACHABLE
from tests.support.world import World

STEPS = 120
LINE = LineSettings(replies=("Yes.", "What time is it?"), ring_ms=50, answer_ms=50, speed=4)


async def one_step(world: World, random: Random) -> None:
    """The host, the far end, the store, the carrier, the agent or the process does something."""
    calls = world.engine.open_calls
    call_id = random.choice(calls).call_id if calls else "nobody"

    def reports(event: Event) -> None:
        world.do(world.engine.submit(call_id, event))

    def store() -> None:
        world.store.failing = random.random() < 0.4

    def carrier() -> None:
        world.carrier.faults = {Hangup: UNREACHABLE} if random.random() < 0.4 else {}

    def agent() -> None:
        (world.agent.leave if world.agent.available else world.agent.come)()

    now_ms = world.clock.now_ms()
    deeds: list[Callable[[], object]] = [
        lambda: world.dial(),
        lambda: world.dial("The build is green."),
        lambda: world.converse(),
        lambda: world.converse(None),
        lambda: world.speak(call_id, "Some news."),
        lambda: world.prompt(call_id),
        lambda: world.end(call_id, after_playout=random.random() < 0.5),
        lambda: reports(Heard(now_ms, "No, stop that.")),
        lambda: reports(LegEnded(now_ms, EndReason.HANGUP_USER)),
        store,
        carrier,
        agent,
    ]
    number = random.randrange(len(deeds) + 3)
    if number < len(deeds):
        deeds[number]()
    elif number == len(deeds) and random.random() < 0.3:
        await world.restart()
    else:
        await world.passes(random.choice((0, 50, 400, 3_000)))
    if random.random() < 0.5:
        await world.idle()


@pytest.mark.parametrize("seed", range(12))
async def test_each_call_has_one_story(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    async with World(tmp_path, line=LINE, max_calls=6) as world:
        for _ in range(STEPS):
            await one_step(world, random)
        world.store.failing = False
        world.carrier.faults = {}
        dialled = world.carrier.done(Dial)
        await world.restart()
        await world.passes(120_000)
        assert world.engine.open_calls == []
        assert list(world.engine._roster) == []
        assert world.carrier.done(Dial) == 0
        stories: dict[str, list[str]] = defaultdict(list)
        events = await world.events()
        for event in events:
            stories[event["callId"]].append(event["type"])
        assert len(stories) >= min(dialled, 1)
        for story in stories.values():
            assert story[0] == "call.initiated"
            assert story[-1] == "call.ended"
            for once in ("call.initiated", "call.answered", "call.active", "call.ended"):
                assert story.count(once) <= 1
            assert story.count("call.speaking") <= story.count("call.utterance")
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
