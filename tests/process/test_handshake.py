"""`initialize`: when it may come, what it answers, and what it makes of the connection."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, configuration, parsed, run_once, sidecar, store_of
from tests.process.peer import checked_error

CLIENT = {"name": "test", "version": "1"}


def hello(id: Any = "i", **members: Any) -> dict[str, Any]:
    params = {"protocolVersion": 1, "client": CLIENT, **members}
    return {"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}


def test_the_answer_has_exactly_the_members_of_the_contract(line: Sidecar) -> None:
    with line.websocket() as peer:
        result = peer.initialize()
        assert set(result) == {
            "protocolVersion",
            "server",
            "capabilities",
            "streamId",
            "lastSeq",
            "resync",
            "methods",
        }
        assert result["protocolVersion"] == 1
        assert set(result["server"]) == {"name", "version"}
        assert isinstance(result["capabilities"], dict)
        assert result["streamId"] == line.ready()["streamId"]
        assert result["resync"] is False
        assert {"voicecall.initiate", "initialize", "sidecar.ping", "events.ack"} <= set(
            result["methods"]
        )


def test_it_may_come_once_and_first_only(line: Sidecar) -> None:
    with line.websocket() as peer:
        peer.initialize()
        error = peer.fails("initialize", hello()["params"])
        assert (error.code, error.kind) == (-32600, "invalidRequest")
    with line.websocket() as peer:
        peer.call("voicecall.status")
        assert peer.fails("initialize", hello()["params"]).code == -32600
    with line.websocket() as peer:
        # Two in one breath: the second is refused whatever becomes of the first.
        peer.request("initialize", hello()["params"], id="a")
        peer.request("initialize", hello()["params"], id="b")
        assert "result" in peer.answer("a")
        assert checked_error(peer.answer("b")["error"]).code == -32600


def test_a_ping_before_it_is_too_much_already(line: Sidecar) -> None:
    """ "Before anything else": a ping counts as something else."""
    with line.websocket() as peer:
        peer.call("sidecar.ping")
        assert peer.fails("initialize", hello()["params"]).code == -32600


def test_a_failed_one_does_not_count(line: Sidecar) -> None:
    with line.websocket() as peer:
        error = peer.fails("initialize", {"protocolVersion": 2, "client": CLIENT})
        assert (error.code, error.kind) == (-32015, "unsupportedVersion")
        assert error.data["supported"] == [1]
        assert error.data["retryable"] is False
        assert peer.fails("initialize", {"protocolVersion": 1}).code == -32602
        assert peer.fails("initialize", {"client": CLIENT}).code == -32602
        assert peer.fails("initialize").code == -32602
        assert peer.fails("initialize", {"protocolVersion": "1", "client": CLIENT}).code == -32602
        assert peer.initialize()["protocolVersion"] == 1


def test_another_version_may_have_another_shape(line: Sidecar) -> None:
    with line.websocket() as peer:
        error = peer.fails("initialize", {"protocolVersion": 99, "who": 1})
        assert error.code == -32015


def test_unknown_members_are_ignored_at_every_depth(line: Sidecar) -> None:
    with line.websocket() as peer:
        result = peer.initialize(
            client={**CLIENT, "icon": "x"},
            capabilities={"future": True, "events": {"since": 0, "shape": "new"}},
            locale="fr",
        )
        assert result["protocolVersion"] == 1


def test_every_bad_field_is_listed(line: Sidecar) -> None:
    with line.websocket() as peer:
        error = peer.fails(
            "initialize",
            {
                "protocolVersion": 1,
                "client": {"name": 5},
                "capabilities": {"agent": "yes", "events": {"since": -1, "types": "x"}},
            },
        )
        fields = {entry["field"] for entry in error.data["errors"]}
        assert {"client.name", "client.version", "capabilities.agent"} <= fields
        assert {"capabilities.events.since", "capabilities.events.types"} <= fields


def test_config_without_await_initialize_is_invalid_params(line: Sidecar) -> None:
    with line.websocket() as peer:
        error = peer.fails("initialize", hello(config={})["params"])
        assert (error.code, error.data["errors"][0]["field"]) == (-32602, "config")
        assert peer.initialize()["resync"] is False


def test_config_on_plain_stdio_is_invalid_params(tmp_path: Path) -> None:
    text = json.dumps(hello(config={"provider": "mock"})) + "\n"
    messages = parsed(run_once(tmp_path, text.encode(), configuration()).stdout)
    assert messages[0]["method"] == "sidecar.ready"
    assert messages[1]["error"]["code"] == -32602


# -- bringing the configuration --------------------------------------------------------------------


def test_configuration_then_doors_then_ready_then_the_answer_then_earlier_requests(
    tmp_path: Path,
) -> None:
    with Sidecar(tmp_path, args=["--await-initialize"]) as process:
        process.request("voicecall.status", id="early")
        process.call("sidecar.ping")
        bad = hello("bad", config={"provider": "twillio", "serve": {"port": "x"}, "colour": 1})
        process.send(bad)
        error = checked_error(process.answer("bad")["error"])
        assert error.code == -32602
        fields = [entry["field"] for entry in error.data["errors"]]
        assert any("provider" in field for field in fields)
        assert any("serve.port" in field for field in fields)
        assert any("colour" in field for field in fields)
        assert not store_of(tmp_path).exists(), "nothing is opened"

        process.send(hello("good", config=configuration(fromNumber="+15557770000")))
        process.request("voicecall.setup", id="later")
        assert process.answer("good")["result"]["protocolVersion"] == 1
        assert process.result("early") == {"calls": []}
        assert process.result("later")["ok"] is True
        order = [message.get("method") or message["id"] for message in process.messages[2:]]
        assert order[:3] == ["sidecar.ready", "good", "early"], order
        call_id = process.dial()
        assert process.record(call_id)["from"] == "+15557770000"


def test_a_bad_configuration_writes_no_secret_into_its_error(tmp_path: Path) -> None:
    with Sidecar(tmp_path, args=["--await-initialize"]) as process:
        secret = "sk-very-secret-77"
        process.send(hello("x", config={"twilio": {"authToken": [secret], "authTokn": secret}}))
        answer = process.answer("x")
        assert answer["error"]["code"] == -32602
        assert secret not in json.dumps(answer)
        assert secret not in process.stderr_text


def test_what_this_version_cannot_open_may_be_mended_too(tmp_path: Path) -> None:
    with Sidecar(tmp_path, args=["--await-initialize"]) as process:
        process.send(hello("bad", config=configuration(store="postgresql://u:secret77@h/db")))
        error = checked_error(process.answer("bad")["error"])
        assert (error.code, error.data["errors"][0]["field"]) == (-32602, "store")
        assert "secret77" not in str(error)
        process.send(hello("good", config=configuration()))
        assert "result" in process.answer("good")


def test_without_config_in_initialize_the_file_counts(tmp_path: Path) -> None:
    config = configuration(fromNumber="+15557771111")
    with Sidecar(tmp_path, config, args=["--await-initialize"]) as process:
        process.send(hello("x"))
        assert "result" in process.answer("x")
        assert process.messages[0]["method"] == "sidecar.ready"
        assert process.record(process.dial())["from"] == "+15557771111"


def test_the_given_configuration_overrides_the_file_key_by_key(tmp_path: Path) -> None:
    config = configuration(fromNumber="+15557771111", toNumber="+15550002222")
    with Sidecar(tmp_path, config, args=["--await-initialize"]) as process:
        process.send(hello("x", config={"fromNumber": "+15557773333"}))
        assert "result" in process.answer("x")
        call_id = process.call("voicecall.initiate", {"message": "Hi."})["callId"]
        record = process.record(call_id)
        assert (record["from"], record["to"]) == ("+15557773333", "+15550002222")


def test_a_whole_gateway_configuration_may_be_given(tmp_path: Path) -> None:
    whole = {
        "plugins": {
            "entries": {
                "voice-call-sidecar": {
                    "enabled": True,
                    "config": configuration(fromNumber="+15557774444"),
                }
            }
        },
        "gateway": {"port": 1},
    }
    with Sidecar(tmp_path, args=["--await-initialize"]) as process:
        process.send(hello("x", config=whole))
        assert "result" in process.answer("x")
        assert process.record(process.dial())["from"] == "+15557774444"


def test_the_end_of_input_before_initialize_is_a_clean_end(tmp_path: Path) -> None:
    done = run_once(tmp_path, b"", args=("--stdio", "--await-initialize"))
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    text = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "voicecall.status"}) + "\n"
    done = run_once(tmp_path, text.encode(), args=("--stdio", "--await-initialize"))
    (answer,) = parsed(done.stdout)
    assert done.returncode == 0
    assert answer["id"] == 5
    assert answer["error"]["data"]["kind"] == "shuttingDown"


def test_initialize_and_the_end_of_input_in_one_breath(tmp_path: Path) -> None:
    text = json.dumps(hello("x", config=configuration())) + "\n"
    done = run_once(tmp_path, text.encode(), args=("--stdio", "--await-initialize"))
    messages = parsed(done.stdout)
    assert done.returncode == 0
    assert messages[0]["method"] == "sidecar.ready"
    assert any(message.get("id") == "x" and "result" in message for message in messages)


def test_await_initialize_needs_stdio(tmp_path: Path) -> None:
    done = run_once(tmp_path, b"", args=("--ws", "127.0.0.1:0", "--await-initialize"))
    assert done.returncode == 2


def test_a_store_that_cannot_be_used_after_initialize_ends_with_five(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    config = configuration(store=str(tmp_path / "file" / "calls.db"))
    text = json.dumps(hello("x", config=config)) + "\n"
    done = run_once(tmp_path, text.encode(), args=("--stdio", "--await-initialize"))
    assert done.returncode == 5
    assert b"calls.db" in done.stderr or b"file" in done.stderr


# -- what it makes of the stream -------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A sidecar that has had two calls."""
    with sidecar(tmp_path_factory.mktemp("told")) as process:
        for _ in range(2):
            process.hang_up(process.listening())
        yield process


def seqs(events: list[dict[str, Any]]) -> list[int]:
    return [event["seq"] for event in events]


def last_seq(process: Sidecar) -> int:
    return process.call("events.replay", {"since": 0, "limit": 1})["lastSeq"]


def test_since_gives_everything_after_it_in_order_before_live_events(told: Sidecar) -> None:
    last = last_seq(told)
    with told.websocket() as peer:
        result = peer.initialize(capabilities={"events": {"since": 3}})
        assert result["lastSeq"] == last
        mark = next(n for n, m in enumerate(peer.messages) if "result" in m)
        call_id = told.listening()
        told.hang_up(call_id)
        peer.event("call.ended", call_id)
        got = seqs(peer.events(since=mark))
        assert got == list(range(4, got[-1] + 1))
        assert got[-1] > last


def test_the_same_stream_id_is_no_resync_and_another_is(told: Sidecar) -> None:
    stream = told.ready()["streamId"]
    with told.websocket() as peer:
        events = {"since": 0, "streamId": stream}
        assert peer.initialize(capabilities={"events": events})["resync"] is False
        peer.event("call.initiated")
    with told.websocket() as peer:
        events = {"since": 2, "streamId": str(uuid.uuid4())}
        assert peer.initialize(capabilities={"events": events})["resync"] is True


def test_events_false_means_none(told: Sidecar) -> None:
    with told.websocket() as peer:
        assert peer.initialize(capabilities={"events": False})["resync"] is False
        told.hang_up(told.listening())
        peer.settle()
        assert peer.events() == []


def test_types_and_call_ids_filter(told: Sidecar) -> None:
    first = told.events()[0]["callId"]
    with told.websocket() as peer:
        wish = {"since": 0, "types": ["call.ended", "call.answered"], "callIds": [first]}
        peer.initialize(capabilities={"events": wish})
        peer.event("call.ended", first)
        told.hang_up(told.listening())
        peer.settle()
        assert peer.types() == ["call.answered", "call.ended"]
        assert {event["callId"] for event in peer.events()} == {first}


def test_without_since_come_the_unacknowledged_ends_then_live_events(told: Sidecar) -> None:
    ended = [
        e["seq"]
        for e in told.call("events.replay", {"since": 0, "limit": 1000})["events"]
        if e["type"] == "call.ended"
    ]
    with told.websocket() as peer:
        peer.initialize(capabilities={"events": {}})
        call_id = told.listening()
        peer.event("call.listening", call_id)
        events = peer.events()
        old = [event for event in events if event["callId"] != call_id]
        assert seqs(old) == ended
        assert {event["type"] for event in old} == {"call.ended"}
        assert events[: len(old)] == old
        told.hang_up(call_id)
        peer.event("call.ended", call_id)


def test_without_initialize_a_connection_has_live_events_from_when_it_connected(
    told: Sidecar,
) -> None:
    with told.websocket() as peer:
        call_id = told.listening()
        told.hang_up(call_id)
        peer.event("call.ended", call_id)
        assert {event["callId"] for event in peer.events()} == {call_id}
        assert peer.types()[0] == "call.initiated"


def test_since_beyond_the_end_asks_for_a_resync(told: Sidecar) -> None:
    with told.websocket() as peer:
        result = peer.initialize(capabilities={"events": {"since": 10_000_000}})
        assert result["resync"] is True
