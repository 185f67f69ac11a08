"""The mock webhook: what may be posted, and what it means."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sidecar.call.events import (
    Answered,
    CarrierFault,
    DigitsHeard,
    Heard,
    LegEnded,
    LineLive,
    Ringing,
    SilenceHeard,
)
from sidecar.call.model import EndReason
from sidecar.errors import CarrierError
from sidecar.ports import News
from sidecar.providers.mock.wire import parse_events
from tests.support.calls import OURS, THEIRS

Make = Callable[..., Awaitable[Any]]


def parsed(**event: Any) -> News:
    body = json.dumps({"events": [{"providerCallId": "leg-1"} | event]}).encode()
    (news,) = parse_events(body, 5, OURS)
    return news


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        ({"type": "call.ringing"}, Ringing(5)),
        ({"type": "call.answered"}, Answered(5)),
        ({"type": "call.active"}, LineLive(5)),
        ({"type": "call.speech", "transcript": "Hi."}, Heard(5, "Hi.")),
        (
            {"type": "call.speech", "transcript": "Hi.", "isFinal": True, "confidence": 0.5},
            Heard(5, "Hi.", confidence=0.5),
        ),
        ({"type": "call.silence", "durationMs": 800}, SilenceHeard(5, 800)),
        ({"type": "call.dtmf", "digits": "12"}, DigitsHeard(5, "12")),
        ({"type": "call.ended", "reason": "busy"}, LegEnded(5, EndReason.BUSY)),
        ({"type": "call.ended", "reason": "something else"}, LegEnded(5)),
        ({"type": "call.ended"}, LegEnded(5)),
        ({"type": "call.error", "error": "Odd."}, CarrierFault(5, "Odd.")),
        ({"type": "call.error", "error": "Odd.", "retryable": True}, CarrierFault(5, "Odd.", True)),
        ({"type": "call.initiated"}, None),
    ],
)
def test_each_type_has_its_meaning(event: dict[str, Any], meaning: Any) -> None:
    assert parsed(**event).event == meaning


def test_words_that_are_not_final_are_partial() -> None:
    news = parsed(type="call.speech", transcript="Hel", isFinal=False)
    assert (news.event, news.partial) == (None, "Hel")


def test_the_id_is_the_replay_key() -> None:
    assert parsed(type="call.ringing", id="e1").key == "mock:e1"
    assert parsed(type="call.ringing").key is None


def test_a_direction_describes_a_leg_that_may_be_new() -> None:
    inbound = parsed(type="call.initiated", direction="inbound", **{"from": THEIRS}).leg
    assert inbound is not None
    assert (inbound.from_number, inbound.to_number, inbound.outbound) == (THEIRS, OURS, False)
    outbound = parsed(type="call.initiated", direction="outbound", to=THEIRS).leg
    assert outbound is not None
    assert (outbound.from_number, outbound.to_number, outbound.outbound) == (OURS, THEIRS, True)
    assert parsed(type="call.ringing").leg is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"events": {}}',
        b'{"events": [1]}',
        b'{"events": [{"type": "call.ringing"}]}',
        b'{"events": [{"providerCallId": "x"}]}',
        b'{"events": [{"providerCallId": 7, "type": "call.ringing"}]}',
        b'{"events": [{"providerCallId": "x", "type": 7}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.speech"}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.dtmf", "digits": 5}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.error", "retryable": "yes"}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.ringing", "direction": "up"}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.silence", "durationMs": "long"}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.silence", "durationMs": true}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.silence", "durationMs": NaN}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.silence", "durationMs": 1e999}]}',
        b'{"events": [{"providerCallId": "x", "type": "call.silence", "durationMs": 1'
        + b"0" * 400
        + b"}]}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_such_body_is_refused_as_the_carriers_fault(body: bytes) -> None:
    with pytest.raises(CarrierError):
        parse_events(body, 5, OURS)


def test_unknown_types_are_passed_over() -> None:
    events = [
        {"providerCallId": "x", "type": "horoscope"},
        {"providerCallId": "x", "type": "call.ringing"},
    ]
    (news,) = parse_events(json.dumps({"events": events}).encode(), 5, OURS)
    assert news.event == Ringing(5)


# -- the door -------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_loopback_with_the_token_may_post(phone: Make, peer: str) -> None:
    line = await phone()
    line.carrier.verify(line.posted(peer=peer), 5)


@pytest.mark.parametrize(
    ("peer", "authorization"),
    [
        ("192.0.2.1", None),
        ("not an address", None),
        ("127.0.0.1", ""),
        ("127.0.0.1", "Bearer wrong"),
        ("127.0.0.1", "Bearer \udce4"),
    ],
)
async def test_nobody_else_may(phone: Make, peer: str, authorization: str | None) -> None:
    line = await phone()
    head = {} if authorization is None else {"authorization": authorization}
    with pytest.raises(CarrierError):
        line.carrier.verify(line.posted(peer=peer, **head), 5)


async def test_the_answer_counts_what_was_taken(phone: Make) -> None:
    line = await phone()
    kinds = ("call.ringing", "call.answered", "horoscope")
    request = line.posted(*({"type": kind} for kind in kinds))
    assert json.loads(line.carrier.document(None, request).body) == {"accepted": 2}
    assert line.carrier.replay_key(request) is None


async def test_the_mock_line_is_ready_by_itself(phone: Make) -> None:
    line = await phone()
    (check,) = line.carrier.checks()
    assert check.status == "ok"
