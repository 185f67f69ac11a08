"""Whom we may call, how often, how many at once, and once only."""

import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.process.harness import Sidecar, configuration, sidecar
from tests.process.peer import TO

WISH = {"to": TO, "message": "Hello.", "mode": "conversation"}


def refused(process: Sidecar, policy: str, **params: Any) -> None:
    error = process.fails("voicecall.initiate", {**WISH, **params})
    assert (error.code, error.kind, error.data["policy"]) == (-32011, "refusedByPolicy", policy)
    assert isinstance(error.data["retryable"], bool)


def test_concurrent_calls_are_counted_until_they_are_over(tmp_path: Path) -> None:
    with sidecar(tmp_path, maxConcurrentCalls=2) as process:
        first, second = process.listening(), process.listening()
        error = process.fails("voicecall.initiate", WISH)
        assert (error.code, error.kind) == (-32005, "tooManyCalls")
        process.hang_up(first)
        third = process.listening()
        process.hang_up(second)
        process.hang_up(third)


def test_many_at_once_never_exceed_the_limit(tmp_path: Path) -> None:
    with sidecar(tmp_path, maxConcurrentCalls=3) as process:
        ids = [process.request("voicecall.initiate", WISH) for _ in range(20)]
        answers = [process.answer(id) for id in ids]
        assert sum("result" in answer for answer in answers) == 3
        assert {a["error"]["code"] for a in answers if "error" in a} == {-32005}
        assert len(process.call("voicecall.status")["calls"]) == 3


def test_the_default_is_one_call(tmp_path: Path) -> None:
    config = configuration()
    del config["maxConcurrentCalls"]
    with Sidecar(tmp_path, config) as process:
        process.listening()
        assert process.fails("voicecall.initiate", WISH).code == -32005


def test_allow_and_deny_lists(tmp_path: Path) -> None:
    outbound = {"allowTo": ["+1555*", TO], "denyTo": ["+15559*", "+15550001111"]}
    with sidecar(tmp_path, outbound=outbound) as process:
        refused(process, "allowTo", to="+442012345678")
        refused(process, "denyTo", to="+15559990000")
        refused(process, "denyTo", to="+15550001111")
        process.listening(to="+15550001112")
        assert len(process.call("voicecall.history")["calls"]) == 1, "a refusal makes no call"


def test_calls_per_hour_in_total_and_per_number_also_after_a_restart(tmp_path: Path) -> None:
    outbound = {"maxCallsPerHour": 3, "maxCallsPerHourPerNumber": 2}
    with sidecar(tmp_path, outbound=outbound) as process:
        process.listening()
        process.listening()
        refused(process, "rateLimited")
        process.kill()
    with sidecar(tmp_path, outbound=outbound) as process:
        refused(process, "rateLimited")
        process.listening(to="+15550002222")
        refused(process, "rateLimited", to="+15550003333")


def test_quiet_hours_unless_forced(tmp_path: Path) -> None:
    now = datetime.datetime.now(ZoneInfo("Europe/Paris"))
    hour = datetime.timedelta(hours=1)
    quiet = {
        "start": f"{now - hour:%H:%M}",
        "end": f"{now + hour:%H:%M}",
        "timezone": "Europe/Paris",
    }
    with sidecar(tmp_path / "a", outbound={"quietHours": quiet}) as process:
        refused(process, "quietHours")
        refused(process, "quietHours", force=False)
        process.listening(force=True)
    loud = {"start": quiet["end"], "end": quiet["start"], "timezone": "Europe/Paris"}
    with sidecar(tmp_path / "b", outbound={"quietHours": loud}) as process:
        process.listening()


# -- once only -------------------------------------------------------------------------------------


def test_the_same_key_dials_once_and_gives_the_first_answer(line: Sidecar) -> None:
    wish = {**WISH, "idempotencyKey": "k1"}
    ids = [line.request("voicecall.initiate", wish) for _ in range(10)]
    results = [line.result(id) for id in ids]
    assert all(result == results[0] for result in results)
    call_id = results[0]["callId"]
    line.event("call.listening", call_id)
    line.hang_up(call_id)
    assert line.call("voicecall.initiate", wish) == results[0], "also when the call is over"
    history = line.call("voicecall.history")["calls"]
    assert [call["callId"] for call in history].count(call_id) == 1
    assert len(history) == len({call["callId"] for call in history})
    for other in ({"message": "Else."}, {"to": "+15550002222"}, {"metadata": {"a": 1}}):
        error = line.fails("voicecall.initiate", {**wish, **other})
        assert (error.code, error.data["field"]) == (-32602, "idempotencyKey")
    assert line.call("voicecall.initiate", {**wish, "idempotencyKey": "k2"}) != results[0]


def test_an_earlier_refusal_does_not_use_the_key_up(tmp_path: Path) -> None:
    with sidecar(tmp_path, maxConcurrentCalls=1) as process:
        call_id = process.listening()
        wish = {**WISH, "idempotencyKey": "k"}
        assert process.fails("voicecall.initiate", wish).code == -32005
        process.hang_up(call_id)
        assert process.call("voicecall.initiate", wish)["initiated"] is True


@pytest.mark.parametrize("kill", [True, False])
def test_the_key_holds_across_a_restart(tmp_path: Path, kill: bool) -> None:
    wish = {**WISH, "idempotencyKey": "k"}
    with sidecar(tmp_path) as process:
        first = process.call("voicecall.initiate", wish)
        process.kill() if kill else process.end_input()
        process.wait()
    with sidecar(tmp_path) as process:
        assert process.call("voicecall.initiate", wish) == first
        error = process.fails("voicecall.initiate", {**wish, "message": "Else."})
        assert error.data["field"] == "idempotencyKey"
        assert len(process.call("voicecall.history")["calls"]) == 1
