"""What the log says about a refused signature."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import structlog

from sidecar.ingress.trust.diagnosis import LINES_AT_ONCE
from tests.support.street import SIGNATURE, SetClock, Street, body_of, event, sign

pytestmark = pytest.mark.timeout(20)

PUBLIC = "voice.example.test"
BODY = body_of(event("digits", digits="1"))
CONFIGURED = {"publicUrl": f"https://{PUBLIC}/voice/webhook"}
PROXY = {"X-Forwarded-Host": PUBLIC, "X-Forwarded-Proto": "https"}
TRUST: dict[str, Any] = {"webhookSecurity": {"trustForwardingHeaders": True}}


async def line_for(
    tmp_path: Path,
    config: Mapping[str, Any],
    signed: str,
    headers: Mapping[str, str] | None = None,
    path: str = "/voice/webhook?secret=hush",
) -> Mapping[str, Any]:
    """The log line about a request that is signed for `signed` with the query of `path`."""
    async with Street(tmp_path, config) as street:
        url = signed.replace("LOCAL", f"127.0.0.1:{street.port}") + "?" + path.partition("?")[2]
        with structlog.testing.capture_logs() as lines:
            status, _ = await street.post(BODY, path=path, signed_url=url, headers=headers)
    assert status == 401
    found = [line for line in lines if line["event"] == "webhook.bad_signature"]
    assert len(found) == 1
    assert "hush" not in repr(found)
    return found[0]


@pytest.mark.parametrize(
    ("config", "signed", "headers", "causes"),
    [
        ({}, f"https://{PUBLIC}/voice/webhook", PROXY, ["proxy not trusted"]),
        (
            {"webhookSecurity": {**TRUST["webhookSecurity"], "trustedProxyIPs": ["10.0.0.1"]}},
            f"https://{PUBLIC}/voice/webhook",
            PROXY,
            ["proxy not trusted"],
        ),
        (
            {"webhookSecurity": {"allowedHosts": ["other.test"]}},
            f"https://{PUBLIC}/voice/webhook",
            PROXY,
            ["proxy not trusted", "host differs"],
        ),
        (CONFIGURED, f"http://{PUBLIC}/voice/webhook", {}, ["scheme differs"]),
        (CONFIGURED, f"https://{PUBLIC}/voice/webhook/", {}, ["path differs"]),
        (
            {"publicUrl": f"https://{PUBLIC}/other"},
            f"https://{PUBLIC}/voice/webhook",
            {},
            ["path differs"],
        ),
        (
            CONFIGURED,
            "https://new.example.test/voice/webhook",
            {"Host": "new.example.test"},
            ["host differs"],
        ),
        (
            {"publicUrl": f"https://{PUBLIC}:8443/voice/webhook"},
            f"https://{PUBLIC}/voice/webhook",
            {},
            ["port differs"],
        ),
        (
            CONFIGURED,
            f"https://{PUBLIC}:8443/voice/webhook",
            {"Host": f"{PUBLIC}:8443"},
            ["port differs"],
        ),
        (TRUST, f"https://{PUBLIC}/voice/webhook", {"Host": PUBLIC}, ["scheme differs"]),
    ],
)
async def test_the_cause_is_found_by_looking_for_the_url_that_was_signed(
    tmp_path: Path,
    config: Mapping[str, Any],
    signed: str,
    headers: Mapping[str, str],
    causes: list[str],
) -> None:
    line = await line_for(tmp_path, config, signed, headers)
    assert line["causes"][: len(causes)] == causes
    assert "auth token or body differs" not in line["causes"]
    assert line["hint"]


async def test_a_wrong_secret_is_told_from_a_wrong_url(tmp_path: Path) -> None:
    line = await line_for(tmp_path, CONFIGURED, "https://elsewhere.test/x")
    assert line["causes"] == ["auth token or body differs"]
    assert line["verified_form"] == "publicUrl"
    assert line["verified_url"] == f"https://{PUBLIC}/voice/webhook"


async def test_with_no_fitting_url_the_headers_tell_what_is_likely(tmp_path: Path) -> None:
    line = await line_for(
        tmp_path, CONFIGURED, "https://elsewhere.test/x", {"Host": "new.example.test:8443"}
    )
    assert line["causes"] == ["host differs", "port differs", "auth token or body differs"]


@pytest.mark.parametrize(
    ("security", "words"),
    [
        ({}, "webhookSecurity.allowedHosts"),
        ({"trustForwardingHeaders": True, "trustedProxyIPs": ["10.0.0.1"]}, "trustedProxyIPs"),
        ({"allowedHosts": ["other.test"]}, "not in webhookSecurity.allowedHosts"),
    ],
)
async def test_the_hint_names_the_key_to_set(
    tmp_path: Path, security: Mapping[str, Any], words: str
) -> None:
    line = await line_for(
        tmp_path, {"webhookSecurity": security}, f"https://{PUBLIC}/voice/webhook", PROXY
    )
    assert words in line["hint"]


async def test_a_long_body_is_not_verified_over_and_over(street: Street) -> None:
    await street.post(b"x" * 60_000, signature="00")
    assert street.carrier.verified == 1


async def test_strangers_do_not_fill_the_log(tmp_path: Path) -> None:
    clock = SetClock()
    async with Street(tmp_path, clock=clock) as street:
        with structlog.testing.capture_logs() as lines:
            for _ in range(LINES_AT_ONCE + 10):
                await street.request("POST", data=BODY)
            await street.post(BODY, signature="00")
            clock.at_ms += 2_000
            for _ in range(5):
                await street.request("POST", data=BODY)
    names = [line["event"] for line in lines]
    assert names.count("webhook.unsigned") == LINES_AT_ONCE + 2
    assert names.count("webhook.bad_signature") == 1
    assert street.counters.values["webhook.lines_left_out"] == 13


async def test_the_log_holds_no_signature_and_no_number(street: Street) -> None:
    signature = sign(street.url(), b"other")
    with structlog.testing.capture_logs() as lines:
        headers = {SIGNATURE: signature, "X-Caller": "+15551112222"}
        body = body_of(event("incoming", **{"from": "+15553334444"}))
        await street.request("POST", data=body, headers=headers)
    assert lines
    assert signature not in repr(lines)
    assert "+1555" not in repr(lines)
