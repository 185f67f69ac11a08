"""Both shapes of a document, old names, and how layers are merged."""

from typing import Any

import pytest

from sidecar.config import Loaded, load_config
from sidecar.errors import ConfigError

E164 = "+15551234567"


def load(document: dict[str, Any], **environ: str) -> Loaded:
    return load_config(given=document, environ={"HOME": "/nonexistent", **environ})


def problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(document)
    return caught.value.problems


def gateway(config: Any, **more: Any) -> dict[str, Any]:
    return {"plugins": {"entries": {"voice-call": {"enabled": True, "config": config}}}, **more}


def test_a_whole_gateway_config_is_read_from_its_entry() -> None:
    document = gateway({"toNumber": E164}, agents={"x": 1}, gateway={"port": 1}, nonsense=1)
    assert load(document).config.to_number == E164


def test_the_sidecars_own_entry_wins() -> None:
    document = gateway({"agentId": "old"})
    document["plugins"]["entries"]["voice-call-sidecar"] = {"config": {"agentId": "new"}}
    assert load(document).config.agent_id == "new"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"plugins": {}},
        {"plugins": {"entries": {"other": {}}}},
        {"messages": {}},
        {"gateway": {}, "agents": {}},
        {"plugins": {"entries": {"voice-call": {}}}},
        {"plugins": {"entries": {"voice-call": {"config": None}}}},
        {"plugins": None},
    ],
)
def test_without_an_entry_the_defaults_hold(document: dict[str, Any]) -> None:
    assert load(document).config == load({}).config


def test_a_disabled_entry_disables_the_sidecar() -> None:
    document = gateway({"enabled": True})
    document["plugins"]["entries"]["voice-call"]["enabled"] = False
    assert load(document).config.enabled is False
    assert load(gateway({"enabled": False})).config.enabled is False


def test_a_wrong_entry_names_itself() -> None:
    assert problems({"plugins": {"entries": {"voice-call": 5}}})[0][0] == (
        "plugins.entries.voice-call"
    )
    assert problems(gateway([]))[0][0] == "plugins.entries.voice-call"
    document = gateway({})
    document["plugins"]["entries"]["voice-call"]["enabled"] = "yes"
    assert problems(document) == [("plugins.entries.voice-call.enabled", "must be true or false")]


def test_a_misspelt_bare_object_is_not_taken_for_a_gateway_config() -> None:
    assert problems({"outbond": {"allowTo": []}})[0][0] == "outbond.allowTo"


@pytest.mark.parametrize("place", ["messages", "top"])
def test_core_speech_settings_lie_below_our_own(place: str) -> None:
    core = {
        "auto": "always",
        "maxTextLength": 5,
        "provider": "elevenlabs",
        "openai": {"speakerVoice": "ash", "model": "m1", "extra": 1},
        "providers": {"elevenlabs": {"voiceId": "v", "seed": 3}, "google": {"apiKey": "x"}},
    }
    more = {"messages": {"tts": core}} if place == "messages" else {"tts": core}
    config = load(gateway({"tts": {"openai": {"voice": "sage", "model": None}}}, **more)).config
    assert config.tts.provider == "elevenlabs"
    assert (config.tts.openai.voice, config.tts.openai.model) == ("sage", "m1")
    assert config.tts.elevenlabs.voice_id == "v"


def test_core_speech_settings_of_a_wrong_type_name_where_they_stand() -> None:
    document = gateway({}, messages={"tts": {"openai": {"speed": "fast"}}})
    assert problems(document) == [("messages.tts.openai.speed", "must be a number")]


def test_our_own_voice_refuses_unknown_members() -> None:
    assert problems({"tts": {"openai": {"vioce": "x"}}}) == [
        ("tts.openai.vioce", "unknown key; did you mean tts.openai.voice?")
    ]
    assert problems({"tts": {"providers": {"goggle": {"apiKey": "x"}}}})[0][0].startswith(
        "tts.providers.goggle"
    )


def test_voices_by_provider_id_mean_the_same() -> None:
    tts = {"providers": {"openai": {"voice": "ash", "speed": 2}}, "openai": {"voice": "sage"}}
    config = load({"tts": tts}).config
    assert (config.tts.openai.voice, config.tts.openai.speed) == ("sage", 2)
    assert load({"tts": {"elevenlabs": {"speakerVoice": "v"}}}).config.tts.elevenlabs.voice_id == (
        "v"
    )
    both = {"tts": {"openai": {"speakerVoice": "ash", "voice": "sage"}}}
    assert load(both).config.tts.openai.voice == "sage"
    assert problems({"tts": {"providers": 5}}) == [("tts.providers", "must be an object")]
    assert problems({"tts": {"providers": {"openai": {"speed": "x"}}}}) == [
        ("tts.providers.openai.speed", "must be a number")
    ]
    assert problems({"tts": 5}) == [("tts", "must be an object")]


@pytest.mark.parametrize(
    "tts",
    [
        {"provider": "edge"},
        {"provider": "microsoft"},
        {"edge": {"voice": "x"}},
        {"providers": {"microsoft": {"speakerVoice": "x"}}},
    ],
)
@pytest.mark.parametrize("core", [True, False])
def test_edge_voices_are_ignored_with_a_warning(tts: dict[str, Any], core: bool) -> None:
    loaded = load({"messages": {"tts": tts}} if core else {"tts": tts})
    assert loaded.config.tts == load({}).config.tts
    (warning,) = loaded.warnings
    assert "ignored for calls" in warning


def test_a_core_voice_we_do_not_have_is_ignored_with_a_warning() -> None:
    loaded = load({"messages": {"tts": {"provider": "google"}}})
    assert loaded.config.tts.provider is None
    assert loaded.warnings[0].startswith("messages.tts.provider: ")
    assert problems({"tts": {"provider": "google"}})[0][0] == "tts.provider"


def test_null_never_overwrites_a_voice() -> None:
    core = {"openai": {"voice": "ash"}}
    for own in (None, {"openai": None}, {"openai": {"voice": None}}, {"provider": None}):
        config = load(gateway({"tts": own}, messages={"tts": core})).config
        assert config.tts.openai.voice == "ash"


@pytest.mark.parametrize(
    ("document", "path", "value", "old"),
    [
        ({"provider": "log"}, "provider", "mock", "provider"),
        ({"twilio": {"from": E164}}, "from_number", E164, "twilio.from"),
        (
            {"streaming": {"sttProvider": "openai-realtime"}},
            *("streaming.provider", "openai", "streaming.sttProvider"),
        ),
        (
            {"streaming": {"sttModel": "whisper-1"}},
            *("streaming.providers.openai.model", "whisper-1", "streaming.sttModel"),
        ),
        (
            {"streaming": {"silenceDurationMs": 5}},
            "streaming.providers.openai.silence_duration_ms",
            *(5, "streaming.silenceDurationMs"),
        ),
        (
            {"streaming": {"vadThreshold": 0.25}},
            *("streaming.providers.openai.vad_threshold", 0.25, "streaming.vadThreshold"),
        ),
        ({"stt": {"provider": "deepgram"}}, "streaming.provider", "deepgram", "stt.provider"),
        ({"stt": {"model": "m"}}, "streaming.providers.openai.model", "m", "stt.model"),
        (
            {"stt": {"provider": "deepgram", "model": "m"}},
            *("streaming.providers.deepgram.model", "m", "stt.model"),
        ),
    ],
)
def test_an_old_name_still_works_and_warns(
    document: dict[str, Any], path: str, value: Any, old: str
) -> None:
    loaded = load(document)
    found: Any = loaded.config
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value
    assert any(warning.startswith(f"{old}: ") for warning in loaded.warnings)


def test_an_old_secret_is_folded_too() -> None:
    loaded = load({"streaming": {"openaiApiKey": "hunter2"}})
    key = loaded.config.streaming.providers.openai.api_key
    assert key is not None
    assert key.get_secret_value() == "hunter2"
    assert "hunter2" not in str(loaded.warnings)


def test_an_old_name_that_is_null_says_nothing() -> None:
    loaded = load({"twilio": {"from": None}, "stt": {"model": None}})
    assert loaded == load({})


def test_todays_name_wins_over_the_old_one_beside_it() -> None:
    other = "+15559876543"
    loaded = load({"fromNumber": E164, "twilio": {"from": other}})
    assert loaded.config.from_number == E164
    assert loaded.warnings


def test_a_wrong_value_under_an_old_name_names_the_old_name() -> None:
    assert problems({"twilio": {"from": "x"}})[0][0] == "twilio.from"
    assert problems({"stt": {"provider": "x"}})[0][0] == "stt.provider"
    assert problems({"stt": {"modle": "x"}})[0][0] == "stt.modle"
    assert problems({"stt": 5}) == [("stt", "must be an object")]
    both = {"streaming": {"providers": 5, "sttModel": "m"}}
    assert problems(both) == [("streaming.providers", "must be an object")]


def test_realtime_is_accepted_with_a_warning() -> None:
    loaded = load({"realtime": {"anything": {"goes": 1}}})
    assert loaded.warnings == ("realtime: accepted, but not used yet",)


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
def test_keys_that_could_poison_a_merge_are_refused(key: str) -> None:
    assert problems({"serve": {key: {"port": 5}}, key: 1}) == [
        (f"serve.{key}", "this key is refused everywhere"),
        (key, "this key is refused everywhere"),
    ]
    assert problems({"realtime": {"list": [{key: 1}]}})[0][0] == f"realtime.list[0].{key}"


def test_a_bottomless_document_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"a": deep}
    assert problems({"realtime": deep})[0] == ("realtime", "is nested deeper than 64 levels")


def test_what_the_client_gave_is_not_changed() -> None:
    given = {"twilio": {"from": E164}, "tts": {"edge": {}}, "stt": {"model": "m"}}
    before = repr(given)
    load(given)
    assert repr(given) == before
