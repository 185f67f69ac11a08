"""The README's rows, the exported schema, and the view without secrets."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from sidecar.config import Config, load_config
from sidecar.config.reference import Row, redacted, reference_rows

HIDDEN = "hunter2-secret"


def test_every_key_has_a_row_with_a_sentence() -> None:
    rows = {row.key: row for row in reference_rows()}
    assert all(row.note for row in rows.values())
    assert rows["serve.port"] == Row(
        "serve.port",
        "int ≥ 0, ≤ 65535",
        "3334",
        "Webhook port; `0` picks a free one, see `ready`.",
    )
    assert rows["twilio.authToken"].type == "secret"
    assert rows["outbound.allowTo"].type == "list of str"
    assert rows["inboundPolicy"].type == "`disabled` | `allowlist` | `pairing` | `open`"
    assert rows["numbers.*.tts"].type == "object, as `tts`"
    assert rows["toNumber"].default == ""
    for key in ("outbound.quietHours.timezone", "numbers.*.agentId", "silencePrompts.texts"):
        assert key in rows


def schema() -> dict[str, Any]:
    return Config.model_json_schema(by_alias=True)


def test_the_schema_has_no_null_branches() -> None:
    Draft202012Validator.check_schema(schema())
    assert "null" not in json.dumps(schema())


def test_the_schema_takes_what_the_sidecar_takes() -> None:
    validator = Draft202012Validator(schema())
    for good in (
        {},
        {"twilio": {"authToken": "x", "from": "+15551234567"}},
        {"twilio": {"authToken": {"source": "env", "id": "X"}}},
        {"bargeIn": {"ignore": {"en": ["ok"]}}, "numbers": {"+15551234567": {"agentId": "a"}}},
        {"outbound": {"quietHours": {"start": "21:00", "end": "08:00", "timezone": "UTC"}}},
    ):
        assert validator.is_valid(good), good
    for bad in (
        {"serve": {"port": "5"}},
        {"twilio": {"authToken": 5}},
        {"outbond": {}},
        {"toNumber": None},
        {"twilio": {"authToken": {"source": "env"}}},
    ):
        assert not validator.is_valid(bad), bad


def test_a_diagnostic_view_holds_no_secret() -> None:
    given = {
        "twilio": {"authToken": HIDDEN, "accountSid": "AC1"},
        "store": f"postgresql://user:{HIDDEN}@host/db",
        "mock": {"replies": ["hello"]},
        "numbers": {"+15551234567": {"tts": {"openai": {"apiKey": HIDDEN}}}},
    }
    config = load_config(given=given, environ={"HOME": "/nonexistent"}).config
    view = redacted(config)
    assert HIDDEN not in json.dumps(view)
    assert HIDDEN not in repr(config)
    assert view["twilio"]["authToken"] == "***"
    assert view["twilio"]["accountSid"] == "AC1"
    assert view["store"] == "postgresql://***@host/db"
    assert view["mock"]["replies"] == ["hello"]
    assert view["numbers"]["+15551234567"]["tts"]["openai"]["apiKey"] == "***"
