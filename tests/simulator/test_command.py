"""A rehearsal from its script to its report and exit code."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from sidecar.engine.clock import SystemClock
from sidecar.errors import ConfigError
from sidecar.simulator.command import rehearse, simulate
from sidecar.simulator.report import Report
from sidecar.simulator.script.script import parse
from tests.support.exchange import OURS, SID, THEIRS, TOKEN, Exchange, Hit, exchange, twiml

ENV = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}
INBOUND = f"""
speed: 0
restPort: 0
direction: inbound
from: "{THEIRS}"
to: "{OURS}"
"""


def desk(hit: Hit) -> str:
    if hit.form.get("SpeechResult"):
        return twiml("<Say>Noted. Goodbye.</Say><Hangup/>")
    return twiml(
        '<Gather input="speech" action="?a" timeout="60" speechTimeout="auto"><Say>Hello!</Say>'
        "</Gather>"
    )


async def rehearsed(here: Exchange, text: str) -> tuple[Report, list[str]]:
    told: list[str] = []
    script = parse(text, "twilio", ENV)
    async with asyncio.timeout(5):
        return await rehearse(script, here.customer.url, SystemClock(), told.append), told


async def test_an_inbound_call_goes_as_written() -> None:
    async with exchange(desk) as here:
        report, told = await rehearsed(
            here,
            INBOUND
            + """
talk:
  - expect heard: hello
  - say: "A table."
  - expect heard: Noted
  - expect ended: completed
""",
        )
        assert report.ok
        assert [each.met for each in report.calls[0].expectations] == [True] * 3
        assert told[0].startswith("The carrier's REST API is at http://127.0.0.1:")
        text = report.text()
        assert 'far end hears  "Hello!"' in text
        assert "far end says   A table." in text
        assert text.endswith("The rehearsal went well.")


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        ("[{expect heard: Goodnight, within: 2s}]", "not within 2 s"),
        ("[{expect heard: Hello}, {say: x}, {expect ended: busy}]", "it ended as completed"),
        ("[{expect ended: completed, within: 2s}]", "the call goes on"),
        ("[hangup, {expect heard: more}]", "the call was over"),
    ],
)
async def test_an_expectation_that_is_not_met_is_told(talk: str, why: str) -> None:
    async with exchange(desk) as here:
        report, _ = await rehearsed(here, f"{INBOUND}\npatience: 3s\ntalk: {talk}")
        assert not report.ok
        assert [each.why for each in report.calls[0].expectations if not each.met] == [why]
        assert "NOT met" in report.text()


async def test_a_fault_of_the_sidecar_is_a_failure_even_when_nothing_was_expected() -> None:
    async with exchange(lambda hit: twiml("<Speak/>")) as here:
        report, _ = await rehearsed(here, INBOUND)
        assert not report.ok
        document = report.document()
        assert document["calls"][0]["faults"][0].startswith("12200")
        assert json.dumps(document)


async def test_a_call_that_the_sidecar_never_places_is_missing() -> None:
    async with exchange() as here:
        report, _ = await rehearsed(here, 'restPort: 0\nwaitFor: 50ms\nto: "+15550002222"')
        assert report.missing == ["The sidecar placed no call within 0.05 s."]
        assert "FAULT" in report.text()


async def test_a_call_that_the_sidecar_places_goes_as_written() -> None:
    text = f"""
speed: 0
restPort: 0
calls:
  - {{to: "{THEIRS}", answer: busy, talk: [{{expect ended: busy}}]}}
  - {{to: "{THEIRS}", talk: [{{expect heard: Hi}}]}}
"""
    script = parse(text, "twilio", ENV)
    loop = asyncio.get_running_loop()
    base: asyncio.Future[str] = loop.create_future()

    def tell(line: str) -> None:
        if "REST API" in line and not base.done():
            base.set_result(line.split()[6])

    async with asyncio.timeout(5), exchange() as here:
        running = asyncio.ensure_future(rehearse(script, here.customer.url, SystemClock(), tell))
        here.api.base = await base
        for _ in range(2):
            assert (await here.api.create(Twiml=twiml("<Say>Hi.</Say>")))[0] == 201
        status, refused = await here.api.create(To="555", Twiml=twiml(""))
        assert (status, refused["code"]) == (400, 21211)
        report = await running
        assert [call.status for call in report.calls] == ["busy", "completed"]
        assert all(call.ok for call in report.calls)
        assert report.missing == ["REST create was refused: 21211"]


def run(tmp_path: Path, text: str, **options: Any) -> tuple[int, list[str]]:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    told: list[str] = []
    target = options.pop("target", "http://127.0.0.1:1")
    code = simulate(
        "twilio",
        str(path),
        target,
        clock=SystemClock(),
        environ=ENV,
        tell=told.append,
        **options,
    )
    return code, told


def test_the_exit_code_is_one_when_something_went_wrong(tmp_path: Path) -> None:
    code, told = run(tmp_path, INBOUND, as_json=True)
    assert code == 1
    (document,) = told
    report = json.loads(document)
    assert not report["ok"]
    assert report["calls"][0]["faults"] == [
        "11200: The webhook voice was answered with nothing (ct)."
    ]


def test_the_exit_code_is_zero_when_all_went_well(tmp_path: Path) -> None:
    code, told = run(tmp_path, INBOUND + "talk: [hangup]")
    assert code == 0
    assert told[-1].endswith("The rehearsal went well.")


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            run(tmp_path, f"restPort: {port}")
    assert caught.value.problems[0][0] == "restPort"


@pytest.mark.parametrize("target", ["127.0.0.1:3334", "ftp://x", "http://"])
def test_the_target_must_be_an_address(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError):
        run(tmp_path, INBOUND, target=target)
