"""The one exception to verification: ngrok's free tier, for calls that are known."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog

from sidecar.errors import CarrierError, Problem
from sidecar.ports import HttpRequest, News
from tests.support.street import SIGNATURE, SignedCarrier, Street

pytestmark = pytest.mark.timeout(20)

ACCOUNT = "AC00000000000000000000000000000001"
KEY = "allowNgrokFreeTierLoopbackBypass"
CONFIG: dict[str, Any] = {
    "provider": "twilio",
    "fromNumber": "+15550000000",
    "twilio": {"accountSid": ACCOUNT, "authToken": "token"},
    "tunnel": {"provider": "ngrok", KEY: True},
}
NGROK = {"X-Forwarded-Host": "abc-1-2-3.ngrok-free.app"}
FORM = {"AccountSid": ACCOUNT, "CallSid": "leg-1", "CallStatus": "ringing"}


class FormCarrier(SignedCarrier):
    """Called twilio; what it takes from a form is nothing new about a call."""

    name = "twilio"

    def parse(self, request: HttpRequest, now_ms: int) -> list[News]:
        if request.body.startswith(b"{"):
            return list(super().parse(request, now_ms))
        return [News(None, provider_call_id="leg-1")]


async def outcome(
    tmp_path: Path,
    *,
    config: Mapping[str, Any] | None = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    carrier: SignedCarrier | None = None,
) -> tuple[int, bool]:
    """The answer to a form with a wrong signature, and whether the exception was logged."""
    carrier = carrier or FormCarrier()
    async with Street(tmp_path, config or CONFIG, carrier=carrier) as street:
        await street.post(b'{"events": [{"type": "incoming", "leg": "leg-1"}]}')
        sent = {SIGNATURE: "00", **(NGROK if headers is None else headers)}
        with structlog.testing.capture_logs() as lines:
            status, _, _ = await street.request(
                "POST", data=urlencode(form or FORM).encode(), headers=sent
            )
    return status, any(line["event"] == "webhook.bypassed" for line in lines)


def without(key: str, **members: Any) -> dict[str, Any]:
    return {**CONFIG, key: {**CONFIG.get(key, {}), **members}}


@pytest.mark.parametrize("tier", ["ngrok-free.app", "ngrok-free.dev", "ngrok.io"])
async def test_a_known_call_through_ngroks_free_tier_is_let_through_and_logged(
    tmp_path: Path, tier: str
) -> None:
    headers = {"X-Forwarded-Host": f"abc.{tier}"}
    assert await outcome(tmp_path, headers=headers) == (200, True)


@pytest.mark.parametrize(
    "config",
    [
        without("tunnel", **{KEY: False}),
        without("tunnel", provider="none"),
        without("tunnel", provider="tailscale-funnel"),
        without("serve", bind="0.0.0.0"),
        without("twilio", accountSid=None),
        {**CONFIG, "provider": "mock"},
    ],
)
async def test_every_condition_of_the_configuration_must_hold(
    tmp_path: Path, config: Mapping[str, Any]
) -> None:
    assert await outcome(tmp_path, config=config) == (401, False)


@pytest.mark.parametrize(
    "form",
    [
        {**FORM, "AccountSid": "AC00000000000000000000000000000002"},
        {"CallSid": "leg-1"},
        {**FORM, "CallSid": "leg-unknown"},
        {"AccountSid": ACCOUNT},
    ],
)
async def test_only_our_account_and_known_calls_are_let_through(
    tmp_path: Path, form: Mapping[str, str]
) -> None:
    assert await outcome(tmp_path, form=form) == (401, False)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-Host": "voice.example.test"},
        {"X-Forwarded-Host": "ngrok-free.app.evil.test"},
        {"X-Forwarded-Host": "evil-ngrok-free.app"},
        {**NGROK, "X-Original-Host": "evil.test"},
        {**NGROK, SIGNATURE: ""},
    ],
)
async def test_only_requests_through_ngrok_with_a_signature_are_let_through(
    tmp_path: Path, headers: Mapping[str, str]
) -> None:
    assert await outcome(tmp_path, headers=headers) == (401, False)


async def test_other_carriers_are_never_let_through(tmp_path: Path) -> None:
    assert await outcome(tmp_path, carrier=SignedCarrier()) == (401, False)


async def test_only_carrier_errors_count_as_a_wrong_signature(tmp_path: Path) -> None:
    class Strict(FormCarrier):
        def verify(self, request: HttpRequest, now_ms: int) -> None:
            if request.body.startswith(b"{"):
                return
            raise CarrierError(Problem("carrierRejected", "Never."))

    assert await outcome(tmp_path, carrier=Strict()) == (200, True)
