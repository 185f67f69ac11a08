"""`${NAME}`, secret references, the environment table, and the places under the home folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.config import Config, load_config, state_dir, store_path
from sidecar.errors import ConfigError

E164 = "+15551234567"
HIDDEN = "hunter2-secret"


def load(document: dict[str, Any], **environ: str) -> Config:
    return load_config(given=document, environ={"HOME": "/nonexistent", **environ}).config


def problems(document: dict[str, Any], **environ: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(document, **environ)
    assert HIDDEN not in str(caught.value)
    return caught.value.problems


def token(config: Config) -> str | None:
    secret = config.twilio.auth_token
    return None if secret is None else secret.get_secret_value()


def auth(reference: Any) -> dict[str, Any]:
    return {"twilio": {"authToken": reference}}


# -- ${NAME} --------------------------------------------------------------------------------------


def test_variables_are_replaced_in_any_string() -> None:
    config = load(
        {
            "toNumber": "${TO}",
            "inboundGreeting": "Hello ${WHO}, this is ${WE}.",
            "mock": {"replies": ["${WHO}"]},
            "numbers": {E164: {"agentId": "${WHO}"}},
        },
        TO=E164,
        WHO="Ada",
        WE="us",
    )
    assert config.to_number == E164
    assert config.inbound_greeting == "Hello Ada, this is us."
    assert config.mock.replies == ("Ada",)
    assert config.numbers[E164].agent_id == "Ada"


def test_a_missing_variable_names_the_key_and_the_variable() -> None:
    assert problems(auth("${NOPE}")) == [
        ("twilio.authToken", "the environment variable NOPE is not set")
    ]
    assert problems({"mock": {"replies": ["a", "${A} ${B}"]}}) == [
        ("mock.replies[1]", "the environment variables A, B are not set")
    ]
    assert problems({"allowFrom": ["${NOPE}", "x"]}) == [
        ("allowFrom[0]", "the environment variable NOPE is not set"),
        ("allowFrom[1]", "must be an E.164 number such as +15551234567"),
    ]
    assert problems({"streaming": {"openaiApiKey": "${NOPE}"}})[0][0] == "streaming.openaiApiKey"


def test_a_variable_is_replaced_once_and_an_escaped_one_never() -> None:
    config = load({"inboundGreeting": "${A} $${A} ${not a name} $A"}, A="${B}")
    assert config.inbound_greeting == "${B} ${A} ${not a name} $A"


def test_a_value_from_a_variable_is_judged_like_any_other() -> None:
    assert problems({"fromNumber": "${N}"}, N=HIDDEN)[0][0] == "fromNumber"


def test_what_is_for_the_gateways_plugin_is_left_alone() -> None:
    config = load({"sidecar": {"command": ["${SIDECAR_PY}", "-m"]}})
    assert config.sidecar.command == ("${SIDECAR_PY}", "-m")


def test_an_overridden_variable_need_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(auth("${NOPE}")))
    loaded = load_config(str(file), given=auth("x"), environ={})
    assert token(loaded.config) == "x"


# -- secret references ----------------------------------------------------------------------------


def test_a_secret_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{HIDDEN}\n")
    assert token(load(auth({"source": "env", "id": "T"}), T=HIDDEN)) == HIDDEN
    assert token(load(auth({"source": "env", "provider": "x", "id": "T"}), T=HIDDEN)) == HIDDEN
    assert token(load(auth({"source": "path", "id": str(file)}))) == HIDDEN
    assert token(load(auth({"source": "path", "id": "~/token"}), HOME=str(tmp_path))) == HIDDEN


def test_every_secret_key_takes_a_reference() -> None:
    reference = {"source": "env", "id": "T"}
    config = load(
        {
            "tts": {"openai": {"apiKey": reference}},
            "numbers": {E164: {"tts": {"elevenlabs": {"apiKey": reference}}}},
            "streaming": {"openaiApiKey": reference},
            "tunnel": {"ngrokAuthToken": reference},
        },
        T=HIDDEN,
    )
    voice = config.numbers[E164].tts
    assert voice is not None
    found = (
        *(config.tts.openai.api_key, voice.elevenlabs.api_key, config.tunnel.ngrok_auth_token),
        config.streaming.providers.openai.api_key,
    )
    assert [secret and secret.get_secret_value() for secret in found] == [HIDDEN] * 4


def test_a_key_that_is_no_secret_takes_no_reference() -> None:
    assert problems({"toNumber": {"source": "env", "id": "T"}}, T=E164) == [
        ("toNumber", "must be a string")
    ]


@pytest.mark.parametrize(
    ("reference", "path", "words"),
    [
        ({"source": "env", "id": "NOPE"}, "", "environment variable NOPE is not set"),
        ({"source": "env"}, ".id", "a secret is a string or an object"),
        ({"id": "X"}, ".source", "a secret is a string or an object"),
        ({}, ".source", "a secret is a string or an object"),
        ({"source": "env", "id": 5}, ".id", "a secret is a string or an object"),
        ({"source": "env", "id": "X", "extra": HIDDEN}, ".extra", "unknown key"),
        ({"source": "vault", "id": "X"}, ".source", "must be one of"),
        ({"source": "env", "id": "X", "provider": 5}, ".provider", "must be a string"),
        ({"source": "exec", "provider": "p", "id": "X"}, "", "resolved by the Gateway"),
        ({"source": "store", "provider": "p", "id": "X"}, "", "resolved by the Gateway"),
        ({"source": "file", "provider": "p", "id": "/X"}, "", "needs secrets.providers.p"),
        ({"source": "path", "id": "/nonexistent/x"}, "", "does not exist"),
        ({"source": "path", "id": "${NOPE}/x"}, "", "NOPE is not set"),
        ({"source": "path", "id": "/"}, "", "is a folder"),
        ({"source": "path", "id": "/dev/zero"}, "", "larger than 1 MiB"),
        ({"source": "path", "id": "a\0b"}, "", "cannot be read"),
        ({"source": "path", "id": f"/nonexistent/{HIDDEN}"}, "", "does not exist"),
        ({"source": "env", "id": HIDDEN}, ".id", "must be the name"),
    ],
)
def test_a_reference_that_cannot_be_resolved_says_why(
    reference: dict[str, Any], path: str, words: str
) -> None:
    ((field, what),) = problems(auth(reference))
    assert field == f"twilio.authToken{path}"
    assert words in what


def test_a_reference_replaces_a_reference_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(auth({"source": "exec", "provider": "p", "id": "X"})))
    given = auth({"source": "env", "id": "T"})
    assert token(load_config(str(file), given=given, environ={"T": "x"}).config) == "x"


def gateway(reference: Any, provider: Any) -> dict[str, Any]:
    entry = {"config": auth(reference)}
    return {
        "plugins": {"entries": {"voice-call": entry}},
        "secrets": {"providers": {"default": provider}},
    }


def test_a_gateway_file_reference_is_a_json_pointer(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"a/b": {"~c": [{"token": HIDDEN}]}, "n": 5}))
    provider = {"source": "file", "path": str(file)}
    reference = {"source": "file", "id": "/a~1b/~0c/0/token"}
    assert token(load(gateway(reference, provider))) == HIDDEN
    for pointer in ("/n", "/x", "a", "/a~1b/~0c/1/token", "/a~1b/~0c/x", "/n/x"):
        ((field, what),) = problems(gateway({"source": "file", "id": pointer}, provider))
        assert field == "twilio.authToken"
        assert "names no string" in what


def test_a_gateway_file_may_hold_a_single_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{HIDDEN}\n")
    provider = {"source": "file", "path": "${DIR}/secret", "mode": "singleValue"}
    config = load(gateway({"source": "file", "id": "value"}, provider), DIR=str(tmp_path))
    assert token(config) == HIDDEN
    ((_, what),) = problems(
        gateway({"source": "file", "id": "/x"}, {"source": "file", "path": str(file)})
    )
    assert "not valid JSON" in what


@pytest.mark.parametrize("provider", [5, {"source": "env"}, {"source": "file"}, None])
def test_a_gateway_file_provider_must_be_one(provider: Any) -> None:
    ((_, what),) = problems(gateway({"source": "file", "id": "/x"}, provider))
    assert "secrets.providers.default" in what


# -- the environment table ------------------------------------------------------------------------

TABLE = [
    ("TWILIO_ACCOUNT_SID", "twilio.account_sid"),
    ("TWILIO_AUTH_TOKEN", "twilio.auth_token"),
    ("TELNYX_API_KEY", "telnyx.api_key"),
    ("TELNYX_CONNECTION_ID", "telnyx.connection_id"),
    ("TELNYX_PUBLIC_KEY", "telnyx.public_key"),
    ("PLIVO_AUTH_ID", "plivo.auth_id"),
    ("PLIVO_AUTH_TOKEN", "plivo.auth_token"),
    ("NGROK_AUTHTOKEN", "tunnel.ngrok_auth_token"),
    ("NGROK_DOMAIN", "tunnel.ngrok_domain"),
    ("OPENAI_API_KEY", "streaming.providers.openai.api_key"),
    ("OPENAI_API_KEY", "tts.openai.api_key"),
    ("DEEPGRAM_API_KEY", "streaming.providers.deepgram.api_key"),
    ("ELEVENLABS_API_KEY", "streaming.providers.elevenlabs.api_key"),
    ("ELEVENLABS_API_KEY", "tts.elevenlabs.api_key"),
    ("XI_API_KEY", "tts.elevenlabs.api_key"),
]


def plain(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config.get_secret_value() if hasattr(config, "get_secret_value") else config


@pytest.mark.parametrize(("variable", "path"), TABLE)
def test_a_variable_fills_only_what_is_unset(variable: str, path: str) -> None:
    assert plain(load({}, **{variable: "from.env"}), path) == "from.env"
    assert plain(load({}, **{variable: ""}), path) is None
    document: Any = "from.file"
    for name in reversed(path.split(".")):
        head, *rest = name.split("_")
        document = {head + "".join(part.title() for part in rest): document}
    assert plain(load(document, **{variable: "from.env"}), path) == "from.file"


def test_an_empty_credential_counts_as_unset() -> None:
    assert token(load(auth(""), TWILIO_AUTH_TOKEN="x")) == "x"
    assert token(load(auth(None), TWILIO_AUTH_TOKEN="x")) == "x"


def test_the_elevenlabs_name_comes_before_the_old_one() -> None:
    config = load({}, ELEVENLABS_API_KEY="new", XI_API_KEY="old")
    assert plain(config, "tts.elevenlabs.api_key") == "new"
    assert plain(load({}, XI_API_KEY="old"), "streaming.providers.elevenlabs.api_key") is None


def test_the_from_number_of_the_environment_is_twilios() -> None:
    assert load({"provider": "twilio"}, TWILIO_FROM_NUMBER=E164).from_number == E164
    assert load({"provider": "telnyx"}, TWILIO_FROM_NUMBER=E164).from_number is None
    assert load({}, TWILIO_FROM_NUMBER=E164).from_number is None


def test_a_wrong_value_of_the_environment_names_the_variable() -> None:
    ((field, what),) = problems({"provider": "twilio"}, TWILIO_FROM_NUMBER=HIDDEN)
    assert field == "fromNumber"
    assert what.endswith("(it came from the environment variable TWILIO_FROM_NUMBER)")


def test_a_wrong_section_is_reported_although_the_environment_would_fill_it() -> None:
    assert problems({"twilio": 5}, TWILIO_AUTH_TOKEN=HIDDEN) == [("twilio", "must be an object")]


# -- places ---------------------------------------------------------------------------------------


def test_the_state_folder_is_named_or_under_home() -> None:
    assert state_dir({"HOME": "/h"}) == Path("/h/.openclaw")
    assert state_dir({"HOME": "/h", "OPENCLAW_STATE_DIR": "/s"}) == Path("/s")
    assert state_dir({"HOME": "/h", "OPENCLAW_STATE_DIR": "~/s"}) == Path("/h/s")
    assert state_dir({"HOME": "/h", "OPENCLAW_STATE_DIR": ""}) == Path("/h/.openclaw")
    assert state_dir().name


def test_the_store_is_found(tmp_path: Path) -> None:
    home = {"HOME": "/h"}
    assert store_path(load({}), home) == "/h/.openclaw/voice-calls/calls.db"
    named = {**home, "OPENCLAW_STATE_DIR": "/s"}
    assert store_path(load({}), named) == "/s/voice-calls/calls.db"
    assert store_path(load({"store": "/x/y.db"}), named) == "/x/y.db"
    assert store_path(load({"store": str(tmp_path)}), home) == str(tmp_path / "calls.db")
    assert store_path(load({"store": "/new/"}), home) == "/new/calls.db"
    assert store_path(load({"store": "~/c.db"}), home) == "/h/c.db"
    assert store_path(load({"store": "c.db"}), home) == str(Path("c.db").absolute())
    url = "postgresql://u:p@h/db"
    assert store_path(load({"store": url}), home) == url
    assert store_path(load({"store": "/x"})) == "/x"
