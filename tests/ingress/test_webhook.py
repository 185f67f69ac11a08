"""One webhook from its headers to its answer."""

import asyncio
import json
from pathlib import Path

import pytest
import structlog

from sidecar.errors import CarrierError, Problem, StoreError
from sidecar.ports import JournalEvent, Write
from sidecar.store.sqlite import SqliteStore
from tests.support.street import SIGNATURE, SetClock, SignedCarrier, Street, body_of, event, sign

pytestmark = pytest.mark.timeout(20)

INCOMING = body_of(event("incoming", id="e1"))
DAY_MS = 24 * 3_600_000


async def test_a_wrong_signature_is_401_and_changes_nothing(street: Street) -> None:
    status, _ = await street.post(INCOMING, signature="00")
    assert status == 401
    assert await street.types() == []


async def test_every_cause_of_refusal_gets_the_same_answer(street: Street) -> None:
    right = sign(street.url(), INCOMING)
    answers = set()
    for headers in (
        {},
        {SIGNATURE: ""},
        {SIGNATURE: "00"},
        {SIGNATURE: right[:-1] + ("0" if right[-1] != "0" else "1")},
        {SIGNATURE: sign(street.url("/voice/webhook?x=1"), INCOMING)},
        {"x-line-nonce": "1"},
    ):
        status, text, answered = await street.request("POST", data=INCOMING, headers=headers)
        kept = {name: answered[name] for name in answered if name not in ("Date", "Connection")}
        answers.add((status, text, json.dumps(kept)))
    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_one_complete_alternative_of_signature_headers_is_enough(street: Street) -> None:
    headers = {"X-Line-Signature-V2": "a", "X-Line-Nonce": "b"}
    await street.request("POST", data=INCOMING, headers=headers)
    assert street.carrier.verified > 0


async def test_a_carrier_without_signature_headers_is_asked_anyway(tmp_path: Path) -> None:
    carrier = SignedCarrier()
    carrier.signature_headers = ()
    async with Street(tmp_path, carrier=carrier) as street:
        status, _, _ = await street.request("POST", data=INCOMING)
        assert status == 401
        assert carrier.verified > 0


async def test_verification_can_be_skipped_for_local_testing(tmp_path: Path) -> None:
    async with Street(tmp_path, {"skipSignatureVerification": True}) as street:
        status, _, _ = await street.request("POST", data=INCOMING)
        assert status == 200
        assert street.carrier.verified == 0


async def test_a_malformed_signed_body_is_400_logged_once_and_changes_nothing(
    street: Street,
) -> None:
    with structlog.testing.capture_logs() as lines:
        answers = [await street.post(b"{nonsense") for _ in range(3)]
    assert answers == [(400, '{"error":"malformedRequest"}')] * 3
    assert [line["event"] for line in lines].count("webhook.malformed") == 1
    assert await street.types() == []


async def test_a_key_that_cannot_be_read_is_a_malformed_request(street: Street) -> None:
    def unreadable(*args: object) -> str:
        raise CarrierError(Problem("carrierRejected", "There is no id."))

    street.carrier.replay_key = unreadable  # type: ignore[method-assign, assignment]
    assert (await street.post(INCOMING))[0] == 400


async def test_events_of_an_unknown_type_are_acknowledged_and_counted(street: Street) -> None:
    status, _ = await street.post(body_of(event("horoscope")))
    assert status == 204
    assert street.counters.values["webhook.no_news"] == 1


async def test_what_the_answer_renders_is_not_done_a_second_time(street: Street) -> None:
    await street.post(INCOMING)
    async with asyncio.timeout(5):
        await street.engine.settle(1_000)
    assert street.carrier.performed == []


async def test_several_events_of_one_request_are_taken_in_order(street: Street) -> None:
    await street.post(body_of(event("incoming"), event("answered"), event("digits", digits="7")))
    types = await street.types()
    assert types.index("call.answered") < types.index("call.dtmf")


async def test_a_refused_call_is_turned_away_in_the_answer(tmp_path: Path) -> None:
    async with Street(tmp_path, policy="disabled") as street:
        status, text = await street.post(INCOMING)
        assert (status, text) == (200, "<Reject reason='disabled' say=''/>")
        assert await street.types() == ["call.rejected"]


async def test_a_webhook_of_an_ended_call_gets_its_document_and_has_no_effect(
    street: Street,
) -> None:
    await street.post(INCOMING)
    await street.post(body_of(event("ended")))
    before = await street.types()
    status, text = await street.post(body_of(event("incoming", id="e9")))
    assert status == 200
    assert "state='ended'" in text
    assert await street.types() == before


# -- replay ---------------------------------------------------------------------------------------


async def test_a_repeated_request_gets_the_first_answer_and_does_nothing(street: Street) -> None:
    first = await street.post(INCOMING)
    again = [await street.post(INCOMING) for _ in range(3)]
    assert again == [first] * 3
    assert street.carrier.documents == 1
    assert await street.types() == ["call.initiated", "call.ringing"]


async def test_the_same_events_signed_anew_are_no_repetition_of_the_request(
    street: Street,
) -> None:
    first = await street.post(INCOMING, path="/voice/webhook?n=1")
    second = await street.post(INCOMING, path="/voice/webhook?n=2")
    assert first != second
    assert await street.types() == ["call.initiated", "call.ringing"]


@pytest.mark.parametrize("connections", [4, 100])
async def test_a_hundred_repetitions_at_once_have_one_effect(
    street: Street, connections: int
) -> None:
    await street.post(INCOMING)
    body = body_of(event("digits", digits="5"))
    signature = sign(street.url(), body)
    line = f"POST /voice/webhook HTTP/1.1\r\nHost: 127.0.0.1:{street.port}\r\n"
    head = f"{line}{SIGNATURE}: {signature}\r\nContent-Length: {len(body)}\r\n"
    each = 100 // connections
    last = head + "Connection: close\r\n\r\n"
    data = (head.encode() + b"\r\n" + body) * (each - 1) + last.encode() + body
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*(street.raw(data) for _ in range(connections)))
    bodies = [part.split(b"\r\n\r\n")[1] for part in _responses(b"".join(answers))]
    assert len(bodies) == 100
    assert len(set(bodies)) == 1
    assert (await street.types()).count("call.dtmf") == 1
    assert street.carrier.documents == 2


async def test_a_repetition_after_a_restart_gets_the_first_answer(tmp_path: Path) -> None:
    async with Street(tmp_path) as street:
        url = street.url()
        first = await street.post(INCOMING, signed_url=url)
    config = {"publicUrl": url}
    async with Street(tmp_path, config) as street:
        assert await street.post(INCOMING, signed_url=url) == first
        assert street.carrier.documents == 0
        assert await street.post(INCOMING, signed_url=url) == first
        assert await street.types() == ["call.initiated", "call.ringing"]


async def test_keys_are_kept_for_a_day(tmp_path: Path) -> None:
    clock = SetClock()
    async with Street(tmp_path, clock=clock) as street:
        await street.post(INCOMING)
        clock.at_ms += DAY_MS - 1
        await street.post(INCOMING)
        assert street.carrier.documents == 1
        clock.at_ms += 1
        await street.post(INCOMING)
        assert street.carrier.documents == 2
        assert (await street.types()).count("call.initiated") == 1


async def test_memory_is_bounded_and_older_answers_come_from_the_store(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.ingress.replay.MEMORY_MAX", 2)
    first = await street.post(INCOMING)
    for number in range(5):
        await street.post(INCOMING, path=f"/voice/webhook?n={number}")
    documents = street.carrier.documents
    assert await street.post(INCOMING) == first
    assert street.carrier.documents == documents


async def test_an_answer_that_cannot_be_read_back_is_no_crash(tmp_path: Path) -> None:
    class Garbled(SqliteStore):
        async def commit(self, write: Write) -> tuple[JournalEvent, ...]:
            seen = [
                type(key)(key.key, key.until_ms, "garbled" if key.answer else "")
                for key in write.seen
            ]
            return tuple(await super().commit(Write(write.call, write.events, seen)))

    path = str(tmp_path / "calls.db")
    async with Street(tmp_path, store=Garbled(path)) as street:
        url = street.url()
        await street.post(INCOMING, signed_url=url)
    async with Street(tmp_path, {"publicUrl": url}) as street:
        assert (await street.post(INCOMING, signed_url=url))[0] == 503


async def test_an_announced_tunnel_is_what_signatures_are_checked_against(street: Street) -> None:
    street.listener.set_public_url("https://x.ngrok-free.app")
    url = "https://x.ngrok-free.app/voice/webhook"
    assert (await street.post(INCOMING))[0] == 401
    assert (await street.post(INCOMING, signed_url=url))[0] == 200
    street.listener.set_public_url(None)
    assert (await street.post(INCOMING))[0] == 200


# -- the store is away ----------------------------------------------------------------------------


class Unsteady(SqliteStore):
    """A store that can be made to refuse writes."""

    away = False

    async def commit(self, write: Write) -> tuple[JournalEvent, ...]:
        if self.away:
            raise StoreError(Problem("storeUnavailable", "The disk is full.", retryable=True))
        return tuple(await super().commit(write))


async def test_without_a_store_the_carrier_is_asked_to_come_again(tmp_path: Path) -> None:
    store = Unsteady(str(tmp_path / "calls.db"))
    async with Street(tmp_path, store=store) as street:
        await street.post(INCOMING)
        digits = body_of(event("digits", digits="5", id="d1"))
        store.away = True
        assert (await street.post(digits))[0] == 503
        store.away = False
        async with asyncio.timeout(5):
            await street.engine._ledger.retry()
        assert (await street.post(digits))[0] == 200
        assert (await street.types()).count("call.dtmf") == 1


def _responses(data: bytes) -> list[bytes]:
    parts = data.split(b"HTTP/1.1 ")
    assert parts[0] == b""
    assert all(part.startswith(b"200 ") for part in parts[1:])
    return parts[1:]
