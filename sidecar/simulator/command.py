"""`voicecall simulate`: runs a script against a running sidecar and reports what came of it."""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from sidecar.errors import ConfigError
from sidecar.ports import Clock
from sidecar.simulator.report import Report
from sidecar.simulator.script.plans import ScriptedCall
from sidecar.simulator.script.script import Script, load
from sidecar.simulator.twilio.face import TwilioSimulator
from sidecar.simulator.twilio.line import Line
from sidecar.simulator.twilio.rest.account import Account

Tell = Callable[[str], None]

RACES = (20404, 20429, 21220)
"""Refusals that an honest client meets too: the call was over, or there was too much at once."""


def simulate(
    carrier: str,
    script: str,
    target: str,
    *,
    clock: Clock,
    environ: Mapping[str, str],
    tell: Tell,
    as_json: bool = False,
) -> int:
    """Run a script to its end; gives the exit code: 0 when everything came as expected, else 1.
    Raises `ConfigError` for a script that cannot be run."""
    wish = load(Path(script), carrier, environ)
    report = asyncio.run(rehearse(wish, target, clock, (lambda text: None) if as_json else tell))
    tell(json.dumps(report.document(), indent=2) if as_json else report.text())
    return 0 if report.ok else 1


async def rehearse(script: Script, target: str, clock: Clock, tell: Tell) -> Report:
    """Play the carrier until every call of the script is over, or did not come in time."""
    account = script.account
    keys = {account["keySid"]: account["keySecret"]} if account["keySid"] else {}
    sim = TwilioSimulator(
        Account(account["sid"], account["token"], keys, script.numbers),
        _webhook(target),
        clock=clock,
        quirks=script.quirks,
        speed=script.speed,
        public_url=script.public_url,
        port=script.rest_port,
    )
    report = Report()
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(sim)
        except OSError as error:
            what = f"port {script.rest_port} cannot be opened; choose another one"
            raise ConfigError([("restPort", what)]) from error
        tell(f"The carrier's REST API is at {sim.base_url} (twilio.baseUrl).")
        await _run(script, sim, report, tell)
    return report


async def _run(script: Script, sim: TwilioSimulator, report: Report, tell: Tell) -> None:
    placed = 0
    for call in script.calls:
        if not call.inbound:
            sim.plan(call.plan, call.to_number)
    for call in script.calls:
        line = await _line(call, script, sim, placed, tell)
        if line is None:
            report.missing.append(f"The sidecar placed no call within {script.wait_s:g} s.")
            break
        placed += not call.inbound
        await line.done.wait()
        report.calls.append(line.report())
    report.missing += [
        f"REST {asked.operation} was refused: {asked.code}"
        for asked in sim.asked
        if asked.code is not None and asked.code not in RACES
    ]


async def _line(
    call: ScriptedCall, script: Script, sim: TwilioSimulator, placed: int, tell: Tell
) -> Line | None:
    if call.inbound:
        tell(f"Calling {call.to_number} from {call.from_number} …")
        return await sim.incoming(call.from_number or "", call.to_number or "", call.plan)
    tell(f"Waiting for the sidecar to call {call.to_number or 'somebody'} …")
    try:
        async with asyncio.timeout(script.wait_s):
            return await sim.wait_for_call(placed)
    except TimeoutError:
        return None


def _webhook(target: str) -> str:
    """The address of the sidecar's webhook; a mere origin means the default path."""
    scheme, _, rest = target.partition("://")
    if scheme not in ("http", "https") or not rest:
        raise ConfigError([("--target", "it must be an address like http://127.0.0.1:3334")])
    return target if rest.rstrip("/").partition("/")[1] else f"{target.rstrip('/')}/voice/webhook"
