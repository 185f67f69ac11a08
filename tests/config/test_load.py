"""Where values come from, and which source wins."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as each
from hypothesis import settings
from hypothesis import strategies as st

from sidecar.config import Config, load_config, with_overrides
from sidecar.config.reference import redacted
from sidecar.errors import ConfigError

E164 = "+15551234567"
HIDDEN = "hunter2-secret"


def write(path: Path, document: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_with_nothing_at_all_the_mock_line_runs(tmp_path: Path) -> None:
    loaded = load_config(environ={"HOME": str(tmp_path)})
    assert loaded.config.provider == "mock"
    assert (loaded.warnings, loaded.source) == ((), None)


def test_each_source_wins_over_the_one_below(tmp_path: Path) -> None:
    home = tmp_path / "home"
    default = write(home / ".openclaw" / "openclaw.json", {"agentId": "home"})
    named = write(tmp_path / "named.json", {"agentId": "named"})
    flag = write(tmp_path / "flag.json", {"agentId": "flag", "provider": "twilio"})
    environ = {"HOME": str(home)}
    loaded = load_config(environ=environ)
    assert (loaded.config.agent_id, loaded.source) == ("home", default)
    environ["OPENCLAW_CONFIG_PATH"] = named
    loaded = load_config(environ=environ)
    assert (loaded.config.agent_id, loaded.source) == ("named", named)
    loaded = load_config(flag, environ=environ)
    assert (loaded.config.agent_id, loaded.source) == ("flag", flag)
    environ["TWILIO_FROM_NUMBER"] = E164
    loaded = load_config(flag, given={"agentId": "given"}, environ=environ)
    assert (loaded.config.agent_id, loaded.config.provider) == ("given", "twilio")
    assert loaded.config.from_number == E164
    other = "+15559876543"
    loaded = load_config(flag, given={"fromNumber": other}, environ=environ)
    assert loaded.config.from_number == other
    last = with_overrides(loaded.config, {"fromNumber": E164, "agentId": "last"}, environ)
    assert (last.from_number, last.agent_id, last.provider) == (E164, "last", "twilio")


def test_a_standard_input_document_takes_the_place_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / ".openclaw" / "openclaw.json", {"toNumber": E164})
    loaded = load_config("-", stdin_document="{agentId: 'x'}", environ={"HOME": str(tmp_path)})
    assert (loaded.config.agent_id, loaded.config.to_number) == ("x", None)
    assert loaded.source is None
    with pytest.raises(ConfigError):
        load_config("-", environ={})


def test_layers_merge_key_by_key_and_lists_replace(tmp_path: Path) -> None:
    low = {"serve": {"port": 1, "bind": "::1"}, "allowFrom": [E164], "twilio": {"from": E164}}
    file = write(tmp_path / "c.json", low)
    other = "+15559876543"
    high = {"serve": {"port": 2}, "allowFrom": [other], "fromNumber": other}
    config = load_config(file, given=high, environ={}).config
    assert (config.serve.port, config.serve.bind) == (2, "::1")
    assert config.allow_from == (other,)
    assert config.from_number == other


def test_an_old_name_in_a_higher_layer_wins(tmp_path: Path) -> None:
    other = "+15559876543"
    file = write(tmp_path / "c.json", {"fromNumber": E164})
    config = load_config(file, given={"twilio": {"from": other}}, environ={}).config
    assert config.from_number == other


def test_a_null_in_a_higher_layer_unsets_but_not_a_voice(tmp_path: Path) -> None:
    file = write(tmp_path / "c.json", {"toNumber": E164, "tts": {"openai": {"voice": "ash"}}})
    config = load_config(
        file, given={"toNumber": None, "tts": {"openai": {"voice": None}}}, environ={}
    ).config
    assert config.to_number is None
    assert config.tts.openai.voice == "ash"
    assert load_config(file, given={"tts": None}, environ={}).config.tts.openai.voice == "ash"


def test_the_client_may_give_a_whole_gateway_config(tmp_path: Path) -> None:
    file = write(tmp_path / "c.json", {"tts": {"openai": {"model": "m"}}})
    entry = {"enabled": True, "config": {"agentId": "x"}}
    whole = {
        "plugins": {"entries": {"voice-call": entry}},
        "messages": {"tts": {"openai": {"voice": "ash"}}},
    }
    config = load_config(file, given=whole, environ={}).config
    assert (config.agent_id, config.tts.openai.voice, config.tts.openai.model) == ("x", "ash", "m")


def test_json5_is_read(tmp_path: Path) -> None:
    text = "// the line\n{\n  provider: 'mock', // quoted or not\n  serve: {port: 0x10,},\n}\n"
    assert load_config(write(tmp_path / "c.json5", text), environ={}).config.serve.port == 16
    marked = "\ufeff{agentId: 'x'}"
    assert load_config(stdin_document=marked, environ={}).config.agent_id == "x"
    assert load_config(write(tmp_path / "b", marked), environ={}).config.agent_id == "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON5: syntax error near line 1"),
        (f'{{\n"a": "{HIDDEN}"\n"b"}}', "syntax error near line 3"),
        ("{a: 1} x", "syntax error near line 1"),
        ("[]", "must be an object"),
        ("5", "must be an object"),
        ("null", "must be an object"),
        ("[" * 100_000, "nested too deeply"),
        ("{a:" + "[" * 1_000, "nested too deeply"),
    ],
)
def test_a_text_that_is_no_object_says_so_without_quoting_it(
    tmp_path: Path, text: str, words: str
) -> None:
    file = write(tmp_path / "c.json", text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ={})
    ((field, what),) = caught.value.problems
    assert field == file
    assert words in what
    assert HIDDEN not in str(caught.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.json")
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(gone, environ={})
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(environ={"OPENCLAW_CONFIG_PATH": gone})
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(str(tmp_path), environ={})
    (tmp_path / "latin").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(str(tmp_path / "latin"), environ={})


def test_a_home_path_is_expanded(tmp_path: Path) -> None:
    file = write(tmp_path / "c.json", {"agentId": "x"})
    assert load_config("~/c.json", environ={"HOME": str(tmp_path)}).source == file


def test_the_process_environment_is_used_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENCLAW_CONFIG_PATH", write(tmp_path / "c.json", {"agentId": "env"}))
    config = load_config().config
    assert config.agent_id == "env"
    assert with_overrides(config, {"serve": {"port": 7}}).serve.port == 7


def test_overrides_are_judged_too() -> None:
    config = load_config(environ={"HOME": "/nonexistent"}).config
    with pytest.raises(ConfigError):
        with_overrides(config, {"serve": {"port": "x"}}, {})
    with pytest.raises(ConfigError):
        with_overrides(config, {"streaming": {"streamPath": config.serve.path}}, {})


numbers = st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True)
words = st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=20)
documents = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "provider": st.sampled_from(["twilio", "telnyx", "plivo", "mock"]),
        "fromNumber": numbers,
        "allowFrom": st.lists(numbers, max_size=3),
        "inboundGreeting": words,
        "maxConcurrentCalls": st.integers(1, 1_000),
        "mock": st.fixed_dictionaries(
            {}, optional={"speed": st.floats(0, 100), "replies": st.lists(words, max_size=3)}
        ),
        "twilio": st.fixed_dictionaries({}, optional={"authToken": words, "accountSid": words}),
        "bargeIn": st.fixed_dictionaries({}, optional={"minWords": st.integers(0, 9)}),
        "tts": st.fixed_dictionaries(
            {}, optional={"openai": st.fixed_dictionaries({}, optional={"apiKey": words})}
        ),
        "numbers": st.dictionaries(
            numbers, st.fixed_dictionaries({}, optional={"agentId": words}), max_size=3
        ),
        "outbound": st.fixed_dictionaries(
            {}, optional={"allowTo": st.lists(numbers.map(lambda n: n[:3] + "*"), max_size=2)}
        ),
    },
)


def revealed(value: Any) -> Any:
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: revealed(member) for key, member in value.items()}
    return [revealed(item) for item in value] if isinstance(value, tuple | list) else value


@settings(max_examples=150, deadline=None)
@each(documents)
def test_a_configuration_survives_a_round_trip(document: dict[str, Any]) -> None:
    environ = {"HOME": "/nonexistent"}
    config = load_config(given=document, environ=environ).config
    wire = json.dumps(revealed(config.model_dump(by_alias=True, exclude_none=True)))
    again = load_config(stdin_document=wire, environ=environ).config
    assert again == config
    json.dumps(redacted(again))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
known = st.sampled_from([field.alias or name for name, field in Config.model_fields.items()])


@settings(max_examples=300, deadline=None)
@each(st.dictionaries(known | st.sampled_from(["plugins", "messages", "secrets"]), anything))
def test_any_document_loads_or_names_what_is_wrong(document: dict[str, Any]) -> None:
    problems: list[tuple[str, str]] = [("none", "none")]
    try:
        load_config(given=document, environ={"HOME": "/nonexistent"})
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(what for _, what in problems)
