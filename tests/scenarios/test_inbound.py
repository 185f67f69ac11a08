"""Calls that come in."""

from pathlib import Path

from sidecar.call.model import EndReason
from sidecar.engine.desk.inbound import Refused
from sidecar.providers.mock.line import LineSettings
from tests.support.requirement import shows
from tests.support.world import THEIRS, World


@shows("inbound", "order")
async def test_a_caller_is_greeted_and_answered(tmp_path: Path) -> None:
    line = LineSettings(replies=("Are you open today?",), hangup_after_replies=True)
    settings = {"inbound_policy": "open", "inbound_greeting": "Good day, the bakery."}
    async with World(tmp_path, line=line, agent=True, **settings) as world:
        await world.outcome(world.do(world.inbound.take(world.incoming())))
        (call,) = world.engine.open_calls
        await world.passes(3_000)
        assert await world.said(call.call_id) == ["Good day, the bakery."]
        assert world.agent.asked[0]["from"] == THEIRS
        assert world.agent.asked[0]["message"] == "Are you open today?"
        world.agent.answer("Until six.")
        await world.passes(3_000)
        ended = await world.call(call.call_id)
        assert ended.end_reason is EndReason.HANGUP_USER
        assert [line.text for line in ended.transcript] == [
            "Good day, the bakery.",
            "Are you open today?",
            "Until six.",
        ]


@shows("pairing")
async def test_a_stranger_becomes_a_friend(tmp_path: Path) -> None:
    settings = {"inbound_policy": "pairing", "pairing_phrase": "Your code is {code}."}
    async with World(tmp_path, **settings) as world:
        for leg in ("leg-1", "leg-2"):
            await world.outcome(world.do(world.inbound.take(world.incoming(leg))))
        (requested,) = await world.events(None, "pairing.requested")
        spelt = ", ".join(requested["code"])
        assert world.carrier.rejected == [("pairing", f"Your code is {spelt}."), ("pairing", None)]
        await world.store.approve_pairing(requested["code"], world.clock.now_ms())
        taken = world.do(world.inbound.take(world.incoming("leg-3")))
        await world.idle()
        assert not isinstance(taken.result(), Refused)
