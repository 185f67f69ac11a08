"""The JSON-RPC 2.0 specification's examples and the edge cases of the contract, on both doors."""

import json
import time
from typing import Any

import pytest

from tests.process.harness import Sidecar, WebSocketPeer
from tests.process.peer import Peer, checked_error

PING = {"jsonrpc": "2.0", "id": 1, "method": "sidecar.ping"}
MIB = 1024 * 1024


def exchange(peer: Peer, text: str, count: int = 1) -> list[Any]:
    """What comes back for one text: `count` messages, and nothing more before later answers."""
    since = peer.mark
    peer.send_text(text)

    def came() -> list[Any]:
        return [
            message
            for message in peer.messages[since:]
            if isinstance(message, list) or ("method" not in message and message not in fences)
        ]

    fences: list[Any] = []
    peer.inbox.wait(lambda _: len(came()) >= count, since) if count else None
    for name in ("a", "b"):
        id = peer.request("voicecall.status", {"callId": "none"}, id=f"fence-{since}{name}")
        fences.append(peer.answer(id))
    assert len(came()) == count, came()
    return came()


def refused(peer: Peer, text: str, code: int, id: Any = None) -> None:
    (message,) = exchange(peer, text)
    assert set(message) == {"jsonrpc", "id", "error"}
    assert message["id"] == id
    assert type(message["id"]) is type(id)
    assert checked_error(message["error"]).code == code


def test_a_call_with_params_by_name(door: Peer) -> None:
    (message,) = exchange(
        door,
        '{"jsonrpc": "2.0", "method": "voicecall.status", "params": {"callId": "no"}, "id": 3}',
    )
    assert message == {"jsonrpc": "2.0", "result": {"found": False}, "id": 3}


def test_a_notification_gets_no_answer(door: Peer) -> None:
    exchange(door, '{"jsonrpc": "2.0", "method": "voicecall.status"}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "foobar"}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "voicecall.speak", "params": {"callId": 1}}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "$/unknown", "params": {"a": 1}}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 77}}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "$/cancelRequest"}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "$/cancelRequest", "params": [1]}', 0)
    exchange(door, '{"jsonrpc": "2.0", "method": "agent.delta", "params": "x"}', 0)


def test_a_method_that_does_not_exist(door: Peer) -> None:
    refused(door, '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', -32601, "1")


def test_invalid_json(door: Peer) -> None:
    refused(door, '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', -32700)
    refused(door, "nonsense", -32700)
    refused(door, "", -32700) if isinstance(door, WebSocketPeer) else None


def test_an_invalid_request_object(door: Peer) -> None:
    refused(door, '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', -32600)


def test_a_batch_of_invalid_json(door: Peer) -> None:
    text = (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        '{"jsonrpc": "2.0", "method"]'
    )
    refused(door, text, -32700)


def test_an_empty_batch(door: Peer) -> None:
    refused(door, "[]", -32600)


@pytest.mark.parametrize("text", ["[1]", "[1,2,3]"])
def test_an_invalid_but_not_empty_batch(door: Peer, text: str) -> None:
    (batch,) = exchange(door, text)
    assert len(batch) == len(json.loads(text))
    for message in batch:
        assert message["id"] is None
        assert checked_error(message["error"]).code == -32600


def test_a_mixed_batch(door: Peer) -> None:
    (batch,) = exchange(
        door,
        """[
        {"jsonrpc": "2.0", "method": "voicecall.status", "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "sidecar.ping", "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "voicecall.speak", "params": ["x"], "id": "7"},
        {"jsonrpc": "2.0", "result": 19, "id": "8"},
        {"jsonrpc": "2.0", "method": "voicecall.setup", "id": "9"}
        ]""".replace("\n", " "),
    )
    by_id = {message["id"]: message for message in batch}
    assert len(batch) == 6
    assert by_id["1"]["result"] == {"calls": []}
    assert by_id["2"]["result"]["pong"] is True
    assert by_id[None]["error"]["code"] == -32600
    assert by_id["5"]["error"]["code"] == -32601
    assert by_id["7"]["error"]["code"] == -32602
    assert by_id["9"]["result"]["ok"] is True


def test_a_batch_of_notifications_gets_nothing(door: Peer) -> None:
    exchange(
        door,
        '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
        '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
        0,
    )


def test_a_batch_of_one_is_answered_with_a_list(door: Peer) -> None:
    (batch,) = exchange(door, '[{"jsonrpc": "2.0", "id": 5, "method": "voicecall.status"}]')
    assert batch == [{"jsonrpc": "2.0", "id": 5, "result": {"calls": []}}]


def test_a_hundred_elements_are_a_batch_and_one_more_is_one_invalid_request(door: Peer) -> None:
    element = {"jsonrpc": "2.0", "method": "sidecar.ping"}
    hundred = [{**element, "id": n} for n in range(100)]
    (batch,) = exchange(door, json.dumps(hundred))
    assert sorted(message["id"] for message in batch) == list(range(100))
    refused(door, json.dumps([*hundred, {**element, "id": 100}]), -32600)


def test_one_id_twice_in_a_batch(door: Peer) -> None:
    element = {"jsonrpc": "2.0", "method": "voicecall.status", "id": 4}
    (batch,) = exchange(door, json.dumps([element, element]))
    codes = [(m["id"], m.get("error", {}).get("code")) for m in batch]
    assert sorted(codes, key=str) == sorted([(4, None), (None, -32600)], key=str)


@pytest.mark.parametrize("text", ["1", '"a"', "true", "null", "1.5"])
def test_a_scalar_is_an_invalid_request(door: Peer, text: str) -> None:
    refused(door, text, -32600)


@pytest.mark.parametrize("id", ["text", "", "ü", 0, -7, 2**53, 2**70, None, "1", 1])
def test_ids_of_the_kinds_that_may_be(door: Peer, id: Any) -> None:
    (message,) = exchange(door, json.dumps({**PING, "id": id}))
    assert message["id"] == id
    assert type(message["id"]) is type(id)
    assert message["result"]["pong"] is True


@pytest.mark.parametrize("id", [1.5, 1.0, True, False, [], [1], {}, {"a": 1}])
def test_ids_of_the_kinds_that_may_not_be(door: Peer, id: Any) -> None:
    refused(door, json.dumps({**PING, "id": id}), -32600)


@pytest.mark.parametrize(
    "members",
    [
        {"jsonrpc": "1.0"},
        {"jsonrpc": 2},
        {"jsonrpc": None},
        {"method": None},
        {"method": ["a"]},
        {"params": "text"},
        {"params": 1},
        {"params": True},
    ],
)
def test_a_broken_envelope_keeps_its_readable_id(door: Peer, members: dict[str, Any]) -> None:
    refused(door, json.dumps({**PING, "id": 9, **members}), -32600, 9)


def test_a_missing_version_is_an_invalid_request(door: Peer) -> None:
    refused(door, '{"id": 2, "method": "sidecar.ping"}', -32600, 2)


def test_params_null_is_absent_and_other_members_are_ignored(door: Peer) -> None:
    (message,) = exchange(
        door,
        '{"jsonrpc": "2.0", "id": 1, "method": "voicecall.status", "params": null, "x": [1]}',
    )
    assert message["result"] == {"calls": []}


def test_params_as_an_array_are_invalid_params(door: Peer) -> None:
    for method in ("voicecall.status", "sidecar.ping", "events.replay"):
        refused(
            door,
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [1]}),
            -32602,
            1,
        )


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_are_finite(door: Peer, number: str) -> None:
    text = '{"jsonrpc": "2.0", "id": 1, "method": "sidecar.ping", "params": {"x": %s}}'
    refused(door, text % number, -32700)


def test_duplicate_keys_last_wins(door: Peer) -> None:
    (message,) = exchange(door, '{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "sidecar.ping"}')
    assert message["id"] == 2


def test_nesting(door: Peer) -> None:
    def deep(levels: int) -> str:
        # The envelope and params are two levels of it.
        lists = "[" * (levels - 2) + "]" * (levels - 2)
        head = '{"jsonrpc": "2.0", "id": 1, "method": "sidecar.ping", "params": {"a": '
        return head + lists + "}}"

    refused(door, deep(64), -32602, 1)
    refused(door, deep(65), -32700)
    refused(door, "[" * 100_000, -32700)


def test_responses_to_nothing_are_ignored(door: Peer) -> None:
    exchange(door, '{"jsonrpc": "2.0", "id": 1, "result": {}}', 0)
    exchange(door, '{"jsonrpc": "2.0", "id": "s99", "error": {"code": 1, "message": "x"}}', 0)
    exchange(door, '{"id": 1, "result": {}}', 0)
    exchange(door, '{"jsonrpc": "2.0", "result": null}', 0)


def test_an_id_in_flight_may_not_be_used_again_but_null_may(door: Peer) -> None:
    call_id = door.listening()
    wait = {"jsonrpc": "2.0", "method": "voicecall.continue"}
    params = {"callId": call_id, "message": "And?"}
    door.send({**wait, "id": "same", "params": params})
    refused(door, json.dumps({**PING, "id": "same"}), -32600)
    refused(door, json.dumps({**PING, "method": "voicecall.status", "id": "same"}), -32600)
    door.notify("$/cancelRequest", {"id": "same"})
    assert door.answer("same")["error"]["code"] == -32800
    door.send({**PING, "id": "same2"})
    assert door.result("same2")["pong"] is True
    door.hang_up(call_id)


def test_an_id_may_be_used_again_after_its_answer(door: Peer) -> None:
    for _ in range(3):
        (message,) = exchange(door, json.dumps({**PING, "method": "voicecall.status", "id": 1}))
        assert message["result"] == {"calls": []}


def test_a_text_id_and_a_number_id_are_two_ids(door: Peer) -> None:
    call_id = door.listening()
    params = {"callId": call_id, "message": "And?"}
    door.request("voicecall.continue", params, id=4711)
    door.request("voicecall.status", {"callId": "no"}, id="4711")
    assert door.result("4711") == {"found": False}
    door.notify("$/cancelRequest", {"id": "4711"})
    door.settle()
    door.notify("$/cancelRequest", {"id": 4711})
    assert door.answer(4711)["error"]["code"] == -32800
    door.hang_up(call_id)


def test_a_cancel_in_the_same_chunk_is_not_lost(line: Sidecar) -> None:
    call_id = line.listening()
    params = {"callId": call_id, "message": "And?"}
    request = {"jsonrpc": "2.0", "id": "c1", "method": "voicecall.continue", "params": params}
    cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "c1"}}
    line.send_text(json.dumps(request) + "\n" + json.dumps(cancel))
    error = checked_error(line.answer("c1")["error"])
    assert (error.code, error.kind) == (-32800, "cancelled")
    # The call goes on, and somebody else may wait on it.
    since = line.mark
    line.request("voicecall.continue", params, id="c2")
    line.event("call.listening", call_id, since)
    line.webhook({"type": "call.speech", "callId": call_id, "transcript": "Yes.", "isFinal": True})
    assert line.result("c2") == {"success": True, "transcript": "Yes."}
    line.hang_up(call_id)


def test_a_cancel_in_the_same_batch(door: Peer) -> None:
    call_id = door.listening()
    batch = [
        {
            "jsonrpc": "2.0",
            "id": "b1",
            "method": "voicecall.continue",
            "params": {"callId": call_id, "message": "And?"},
        },
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "b1"}},
        {"jsonrpc": "2.0", "id": "b2", "method": "voicecall.status", "params": {"callId": "no"}},
    ]
    (answers,) = exchange(door, json.dumps(batch))
    assert {m["id"] for m in answers} == {"b1", "b2"}
    assert next(m for m in answers if m["id"] == "b1")["error"]["code"] == -32800
    assert next(m for m in answers if m["id"] == "b2")["result"] == {"found": False}
    door.hang_up(call_id)


def test_verbs_that_have_committed_cannot_be_cancelled(line: Sidecar) -> None:
    wish = {"to": "+15550001234", "message": "Hi.", "mode": "conversation"}
    request = {"jsonrpc": "2.0", "id": "d1", "method": "voicecall.initiate", "params": wish}
    line.send(request)
    call_id = line.result("d1")["callId"]
    line.notify("$/cancelRequest", {"id": "d1"})
    line.event("call.listening", call_id)
    line.hang_up(call_id)


def test_one_mebibyte_is_a_line_and_more_is_an_invalid_request(line: Sidecar) -> None:
    def of_size(size: int) -> str:
        head, tail = '{"jsonrpc":"2.0","id":"big","method":"voicecall.status","x":"', '"}'
        return head + "a" * (size - len(head) - len(tail)) + tail

    (message,) = exchange(line, of_size(MIB))
    assert message["id"] == "big"
    assert message["result"] == {"calls": []}
    (message,) = exchange(line, of_size(MIB) + "\r")
    assert message["result"] == {"calls": []}
    refused(line, of_size(MIB + 1), -32600)
    refused(line, of_size(5 * MIB), -32600)
    refused(line, "a" * (3 * MIB), -32600)


def test_not_utf8_is_a_parse_error(line: Sidecar) -> None:
    since = line.mark
    line.send_bytes(b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n')
    line.inbox.wait(lambda m: m.get("error", {}).get("code") == -32700, since)


def test_a_slow_verb_delays_neither_others_nor_events(door: Peer) -> None:
    call_id = door.listening()
    door.request("voicecall.continue", {"callId": call_id, "message": "And?"}, id="slow")
    begun = time.monotonic()
    assert door.call("voicecall.status")["calls"][0]["callId"] == call_id
    other = door.dial(to="+15550005678")
    door.event("call.listening", other)
    assert time.monotonic() - begun < 3
    door.hang_up(other)
    door.hang_up(call_id)
    error = checked_error(door.answer("slow")["error"])
    assert (error.code, error.kind, error.data["reason"]) == (-32002, "callEnded", "hangup-bot")


def test_every_method_is_discovered_and_named(door: Peer) -> None:
    document = door.call("rpc.discover")
    assert document["openrpc"] == "1.2.6"
    names = {method["name"] for method in document["methods"]}
    verbs = "initiate start continue continue.start continue.result speak dtmf end transfer status"
    verbs += " history latency setup pairing.approve tool"
    assert {f"voicecall.{verb}" for verb in verbs.split()} <= names
    assert {"events.replay", "events.ack", "events.subscribe", "sidecar.stats"} <= names
    assert {"initialize", "sidecar.ping", "sidecar.shutdown"} <= names


def test_stats_are_counters_and_gauges(door: Peer) -> None:
    stats = door.call("sidecar.stats")
    assert set(stats) == {"counters", "gauges"}
    assert all(isinstance(value, int) for part in stats.values() for value in part.values())


def test_unknown_params_are_invalid_params_and_named(door: Peer) -> None:
    for method, params in (
        ("voicecall.status", {"callid": "x"}),
        ("voicecall.initiate", {"to": "+15550001234", "message": "a", "forse": True}),
        ("sidecar.ping", {"x": 1}),
        ("events.subscribe", {"type": ["call.ended"]}),
        ("events.ack", {"seq": 0, "x": 1}),
        ("voicecall.setup", {"x": 1}),
        ("rpc.discover", {"x": 1}),
        ("sidecar.shutdown", {"x": 1}),
    ):
        error = door.fails(method, params)
        assert (error.code, error.kind) == (-32602, "invalidParams"), method
        unknown = [name for name in params if name not in ("to", "message", "seq")]
        assert [entry["field"] for entry in error.data["errors"]] == unknown
        assert error.data["retryable"] is False
