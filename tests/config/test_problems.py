"""What can be wrong: suggestions, rules across keys, everything at once, what is lacking."""

from typing import Any

import pytest

from sidecar.config import load_config, missing_credentials
from sidecar.errors import ConfigError

E164 = "+15551234567"
HIDDEN = "hunter2-secret"


def problems(document: dict[str, Any], **environ: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load_config(given=document, environ={"HOME": "/nonexistent", **environ})
    return caught.value.problems


def warnings(document: dict[str, Any], **environ: str) -> tuple[str, ...]:
    return load_config(given=document, environ={"HOME": "/nonexistent", **environ}).warnings


@pytest.mark.parametrize(
    ("document", "path", "suggestion"),
    [
        ({"outbond": {"allowTo": [E164]}}, "outbond.allowTo", "outbound.allowTo"),
        ({"outbound": {"alowTo": []}}, "outbound.alowTo", "outbound.allowTo"),
        ({"providr": "mock"}, "providr", "provider"),
        ({"from_number": E164}, "from_number", "fromNumber"),
        ({"from": E164}, "from", "fromNumber"),
        ({"allowTo": []}, "allowTo", "outbound.allowTo"),
        ({"serve": {"Port": 1}}, "serve.Port", "serve.port"),
        ({"twilio": {"accountSID": "x"}}, "twilio.accountSID", "twilio.accountSid"),
        (
            {"streaming": {"provders": {"openai": {"apiKey": HIDDEN}}}},
            *("streaming.provders.openai.apiKey", "streaming.providers.openai.apiKey"),
        ),
        (
            {"numbers": {E164: {"inboundGreting": "x"}}},
            *(f"numbers.{E164}.inboundGreting", f"numbers.{E164}.inboundGreeting"),
        ),
        ({"bargein": {"enabled": True}}, "bargein.enabled", "bargeIn.enabled"),
        ({"outbond": {}}, "outbond", None),
        ({"xyzzy": HIDDEN}, "xyzzy", None),
        ({"xyzzy": {"plugh": {"q": HIDDEN}}}, "xyzzy", None),
        ({"webhookSecurity": {"trustedProxyIps": []}}, "webhookSecurity.trustedProxyIps", None),
    ],
)
def test_an_unknown_key_names_its_path_and_the_nearest_known_one(
    document: dict[str, Any], path: str, suggestion: str | None
) -> None:
    ((field, what),) = problems(document)
    assert field == path
    assert what.startswith("unknown key")
    if suggestion is not None:
        assert what == f"unknown key; did you mean {suggestion}?"
    assert HIDDEN not in what


def test_old_names_are_never_suggested() -> None:
    ((_, what),) = problems({"streaming": {"sttProvidr": "x"}})
    assert "sttProvider" not in what


def test_every_problem_is_reported_at_once() -> None:
    found = problems(
        {
            "provider": "nope",
            "serve": {"port": "5", "pth": "/x"},
            "fromNumber": "123",
            "twilio": {"authToken": "${NOPE}", "baseUrl": "http://example.com"},
            "outbound": {"allowTo": [E164, "x"], "quietHours": {"start": "25:00"}},
            "skipSignatureVerification": True,
            "publicUrl": "https://a.example",
            "streaming": {"streamPath": "/voice/webhook"},
            "numbers": {"1": {}, E164: {"tts": {"openai": {"speed": "x"}}}},
            "prototype": 1,
        }
    )
    assert {field for field, _ in found} == {
        *("provider", "serve.port", "serve.pth", "fromNumber", "twilio.authToken"),
        *("twilio.baseUrl", "outbound.allowTo[1]", "outbound.quietHours.start"),
        *("outbound.quietHours.end", "outbound.quietHours.timezone"),
        *("skipSignatureVerification", "streaming.streamPath", "numbers.1"),
        *(f"numbers.{E164}.tts.openai.speed", "prototype"),
    }


def test_the_error_carries_its_problems_for_the_wire() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(given={"enabled": 1, "provider": 2}, environ={})
    problem = caught.value.problem
    assert problem.kind == "invalidParams"
    assert problem.data["errors"] == [
        {"field": "enabled", "problem": "must be true or false"},
        {"field": "provider", "problem": "must be one of 'twilio', 'telnyx', 'plivo' or 'mock'"},
    ]


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"serve": {"path": "/x"}, "streaming": {"streamPath": "/x/"}}, "streaming.streamPath"),
        ({"serve": {"path": "/healthz"}}, "serve.path"),
        ({"streaming": {"streamPath": "/healthz/"}}, "streaming.streamPath"),
        ({"tailscale": {"mode": "funnel", "port": 444}}, "tailscale.port"),
        (
            {"tunnel": {"provider": "tailscale-funnel"}, "tailscale": {"port": 80}},
            "tailscale.port",
        ),
        (
            {"outbound": {"quietHours": {"start": "08:00", "end": "08:00", "timezone": "UTC"}}},
            "outbound.quietHours.end",
        ),
    ],
)
def test_keys_that_are_wrong_together_are_refused(document: dict[str, Any], field: str) -> None:
    assert [name for name, _ in problems(document)] == [field]


@pytest.mark.parametrize("port", [443, 8443, 10000])
def test_a_funnel_has_three_ports(port: int) -> None:
    assert warnings({"tailscale": {"mode": "funnel", "port": port}}) == ()
    assert warnings({"tailscale": {"mode": "serve", "port": 444}}) == ()


REACHED: list[tuple[dict[str, Any], str]] = [
    ({"serve": {"bind": "0.0.0.0"}}, "serve.bind"),
    ({"serve": {"bind": "example.com"}}, "serve.bind"),
    ({"serve": {"bind": "::"}}, "serve.bind"),
    ({"publicUrl": "http://127.0.0.1:1/x"}, "publicUrl"),
    ({"tunnel": {"provider": "ngrok"}}, "tunnel.provider"),
    ({"tailscale": {"mode": "serve"}}, "tailscale.mode"),
]


@pytest.mark.parametrize(("document", "why"), REACHED)
def test_unverified_webhooks_from_outside_are_refused(document: dict[str, Any], why: str) -> None:
    skipping = {**document, "skipSignatureVerification": True}
    ((field, what),) = problems(skipping)
    assert field == "skipSignatureVerification"
    assert why in what
    assert problems(skipping, VOICECALL_UNSAFE_SKIP_VERIFICATION="yes")
    (warning,) = warnings(skipping, VOICECALL_UNSAFE_SKIP_VERIFICATION="1")
    assert "can be reached" in warning
    assert warnings(document) == ()


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "::ffff:127.0.0.1"])
def test_unverified_webhooks_from_this_machine_warn(bind: str) -> None:
    (warning,) = warnings({"skipSignatureVerification": True, "serve": {"bind": bind}})
    assert warning.startswith("skipSignatureVerification: ")


@pytest.mark.parametrize(
    ("document", "missing"),
    [
        ({}, ()),
        ({"provider": "twilio"}, ("twilio.accountSid", "twilio.authToken", "fromNumber")),
        (
            {"provider": "twilio", "twilio": {"accountSid": "", "authToken": ""}},
            ("twilio.accountSid", "twilio.authToken", "fromNumber"),
        ),
        (
            {
                "provider": "twilio",
                "twilio": {"accountSid": "a", "authToken": "b", "apiKeySid": "c"},
                "fromNumber": E164,
            },
            ("twilio.apiKeySecret",),
        ),
        (
            {"provider": "telnyx"},
            ("telnyx.apiKey", "telnyx.connectionId", "telnyx.publicKey", "fromNumber"),
        ),
        (
            {"provider": "telnyx", "skipSignatureVerification": True},
            ("telnyx.apiKey", "telnyx.connectionId", "fromNumber"),
        ),
        ({"provider": "plivo"}, ("plivo.authId", "plivo.authToken", "fromNumber")),
        (
            {
                "provider": "plivo",
                "plivo": {"authId": "a", "authToken": "b"},
                "fromNumber": E164,
            },
            (),
        ),
    ],
)
def test_lacking_credentials_are_listed_and_do_not_stop_the_start(
    document: dict[str, Any], missing: tuple[str, ...]
) -> None:
    config = load_config(given=document, environ={"HOME": "/nonexistent"}).config
    assert missing_credentials(config) == missing
