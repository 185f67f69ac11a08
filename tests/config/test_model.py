"""Every key of the contract: its default, a value it takes, values it refuses."""

from typing import Any

import pytest

from sidecar.config import Config, load_config
from sidecar.config.reference import reference_rows
from sidecar.errors import ConfigError

E164 = "+15551234567"
BAD_INT: tuple[Any, ...] = (True, "5", 5.5, [], {})
BAD_COUNT = (*BAD_INT, -1)
BAD_POSITIVE = (*BAD_COUNT, 0)
BAD_BOOL: tuple[Any, ...] = (1, 0, "true", [])
BAD_TEXT: tuple[Any, ...] = (5, True, [], {})
BAD_CHOICE: tuple[Any, ...] = ("nonsense", 5, True)
BAD_LIST: tuple[Any, ...] = ("x", {"a": 1}, 5, [5])
BAD_NUMBER = (
    *BAD_TEXT,
    *("", "15551234567", "+0555", "+1 555 123", "+1555123456\n", "+1" * 20, "+١٢٣"),
)
BAD_PATH = (*BAD_TEXT, "", "voice", "/a b", "/a?b", "/a#b", "/{a}")
BAD_BASE = (
    *BAD_TEXT,
    *(
        "",
        "api.example.com",
        "ftp://x",
        "http://api.example.com",
        "https://",
        "https://u:p@x.example",
    ),
    *("https://x.example?a=1", "https://x.example:99999", "https://[::1", "https://x .example"),
)
BAD_COMMAND = (*BAD_LIST, [], [""])
BAD_SHARE: tuple[Any, ...] = ("0.5", True, -0.1, 1.1, float("nan"), float("inf"))

# key, python attribute path, default, accepted, refused
KEYS: list[tuple[str, str, Any, Any, tuple[Any, ...]]] = [
    ("enabled", "enabled", True, False, BAD_BOOL),
    ("provider", "provider", "mock", "telnyx", BAD_CHOICE),
    ("fromNumber", "from_number", None, E164, BAD_NUMBER),
    ("toNumber", "to_number", None, E164, BAD_NUMBER),
    ("twilio.accountSid", "twilio.account_sid", None, "AC1", BAD_TEXT),
    ("twilio.apiKeySid", "twilio.api_key_sid", None, "SK1", BAD_TEXT),
    ("twilio.region", "twilio.region", "us1", "ie1", (*BAD_TEXT, "evil.example/")),
    ("twilio.edge", "twilio.edge", None, "dublin", (*BAD_TEXT, "a.b")),
    ("twilio.baseUrl", "twilio.base_url", None, "https://proxy.example", BAD_BASE),
    ("telnyx.connectionId", "telnyx.connection_id", None, "c1", BAD_TEXT),
    ("telnyx.publicKey", "telnyx.public_key", None, "k1", BAD_TEXT),
    ("telnyx.baseUrl", "telnyx.base_url", "https://api.telnyx.com", "http://[::1]:80", BAD_BASE),
    ("plivo.authId", "plivo.auth_id", None, "MA1", BAD_TEXT),
    ("plivo.acceptV2Signatures", "plivo.accept_v2_signatures", False, True, BAD_BOOL),
    ("plivo.baseUrl", "plivo.base_url", "https://api.plivo.com", "http://localhost:1", BAD_BASE),
    ("mock.outcome", "mock.outcome", "answer", "busy", BAD_CHOICE),
    ("mock.ringMs", "mock.ring_ms", 300, 0, BAD_COUNT),
    ("mock.answerMs", "mock.answer_ms", 700, 0, BAD_COUNT),
    ("mock.replies", "mock.replies", (), ["hello", ""], BAD_LIST),
    ("mock.replyDelayMs", "mock.reply_delay_ms", 400, 1, BAD_COUNT),
    ("mock.wordsPerMinute", "mock.words_per_minute", 180, 1, BAD_POSITIVE),
    ("mock.speed", "mock.speed", 1.0, 0, ("1", True, -1, float("nan"), float("inf"))),
    ("mock.hangupAfterReplies", "mock.hangup_after_replies", False, True, BAD_BOOL),
    ("serve.port", "serve.port", 3334, 0, (*BAD_COUNT, 65_536)),
    ("serve.bind", "serve.bind", "127.0.0.1", "::1", (*BAD_TEXT, "", "a b", "http://x")),
    ("serve.path", "serve.path", "/voice/webhook", "/hook", BAD_PATH),
    ("publicUrl", "public_url", None, "https://x.example/p", (*BAD_TEXT, "x.example", "wss://x")),
    ("rpc.allowedOrigins", "rpc.allowed_origins", (), ["https://x"], (*BAD_LIST, [""])),
    ("rpc.allowedHosts", "rpc.allowed_hosts", (), ["x:1"], (*BAD_LIST, [""])),
    ("phrases.ack", "phrases.ack", "One moment, please.", "Hm.", BAD_TEXT),
    ("phrases.goodbye", "phrases.goodbye", "Goodbye.", "Bye.", BAD_TEXT),
    ("realtime", "realtime", None, {"a": 1}, (5, "x", [])),
    ("sidecar.mode", "sidecar.mode", None, "attach", BAD_CHOICE),
    ("sidecar.command", "sidecar.command", None, ["a", "b"], BAD_LIST),
    ("sidecar.url", "sidecar.url", None, "ws://127.0.0.1:1", BAD_TEXT),
    ("sidecar.tokenFile", "sidecar.token_file", None, "/t", BAD_TEXT),
    ("tunnel.provider", "tunnel.provider", "none", "ngrok", BAD_CHOICE),
    ("tunnel.ngrokDomain", "tunnel.ngrok_domain", None, "a.ngrok.app", (*BAD_TEXT, "https://a.b")),
    (
        "tunnel.allowNgrokFreeTierLoopbackBypass",
        "tunnel.allow_ngrok_free_tier_loopback_bypass",
        *(False, True, BAD_BOOL),
    ),
    ("tailscale.mode", "tailscale.mode", "off", "serve", BAD_CHOICE),
    ("tailscale.path", "tailscale.path", "/voice/webhook", "/x", BAD_PATH),
    ("tailscale.port", "tailscale.port", 443, 8443, (*BAD_POSITIVE, 65_536)),
    ("webhookSecurity.allowedHosts", "webhook_security.allowed_hosts", (), ["a.b"], BAD_LIST),
    (
        "webhookSecurity.trustForwardingHeaders",
        "webhook_security.trust_forwarding_headers",
        *(False, True, BAD_BOOL),
    ),
    (
        "webhookSecurity.trustedProxyIPs",
        "webhook_security.trusted_proxy_ips",
        *((), ["10.0.0.0/8", "::1"], (*BAD_LIST, ["10.0.0.0/33"], ["host"])),
    ),
    ("outbound.defaultMode", "outbound.default_mode", "notify", "conversation", BAD_CHOICE),
    ("outbound.notifyHangupDelaySec", "outbound.notify_hangup_delay_sec", 3, 0, BAD_COUNT),
    ("outbound.allowTo", "outbound.allow_to", (), [E164, "+44*"], (*BAD_LIST, ["*"], ["+4*4"])),
    ("outbound.denyTo", "outbound.deny_to", (), ["+*"], (*BAD_LIST, ["44*"])),
    ("outbound.maxCallsPerHour", "outbound.max_calls_per_hour", 0, 5, BAD_COUNT),
    (
        "outbound.maxCallsPerHourPerNumber",
        "outbound.max_calls_per_hour_per_number",
        *(0, 5, BAD_COUNT),
    ),
    (
        *("outbound.machineDetection", "outbound.machine_detection"),
        *("off", "leave-message", BAD_CHOICE),
    ),
    ("inboundPolicy", "inbound_policy", "disabled", "pairing", BAD_CHOICE),
    ("allowFrom", "allow_from", (), [E164], (*BAD_LIST, ["+44*"])),
    ("inboundGreeting", "inbound_greeting", None, "Hello", BAD_TEXT),
    ("sessionScope", "session_scope", "per-phone", "main", BAD_CHOICE),
    ("agentId", "agent_id", None, "a", BAD_TEXT),
    ("responseModel", "response_model", None, "m", BAD_TEXT),
    ("responseSystemPrompt", "response_system_prompt", None, "p", BAD_TEXT),
    ("responseTimeoutMs", "response_timeout_ms", 30_000, 1, BAD_POSITIVE),
    ("responseAckMs", "response_ack_ms", 2_500, 0, BAD_COUNT),
    ("maxConcurrentCalls", "max_concurrent_calls", 1, 9, BAD_POSITIVE),
    ("maxDurationSeconds", "max_duration_seconds", 300, 9, BAD_POSITIVE),
    ("staleCallReaperSeconds", "stale_call_reaper_seconds", 0, 9, BAD_COUNT),
    ("ringTimeoutMs", "ring_timeout_ms", 30_000, 9, BAD_POSITIVE),
    ("silenceTimeoutMs", "silence_timeout_ms", 800, 9, BAD_POSITIVE),
    ("transcriptTimeoutMs", "transcript_timeout_ms", 180_000, 9, BAD_POSITIVE),
    ("streaming.enabled", "streaming.enabled", False, True, BAD_BOOL),
    ("streaming.streamPath", "streaming.stream_path", "/voice/stream", "/s", BAD_PATH),
    ("streaming.provider", "streaming.provider", None, "deepgram", BAD_CHOICE),
    (
        "streaming.providers.openai.model",
        "streaming.providers.openai.model",
        *("gpt-4o-transcribe", "x", (*BAD_TEXT, "")),
    ),
    (
        "streaming.providers.openai.silenceDurationMs",
        "streaming.providers.openai.silence_duration_ms",
        *(800, 1, BAD_POSITIVE),
    ),
    (
        "streaming.providers.openai.vadThreshold",
        "streaming.providers.openai.vad_threshold",
        *(0.5, 1, BAD_SHARE),
    ),
    (
        "streaming.providers.openai.language",
        "streaming.providers.openai.language",
        *(None, "en", BAD_TEXT),
    ),
    (
        "streaming.providers.deepgram.endpointingMs",
        "streaming.providers.deepgram.endpointing_ms",
        *(None, 9, BAD_POSITIVE),
    ),
    (
        "streaming.providers.elevenlabs.baseUrl",
        "streaming.providers.elevenlabs.base_url",
        *("https://api.elevenlabs.io/v1", "http://127.0.0.1:9/v1", BAD_BASE),
    ),
    (
        "streaming.providers.command.command",
        "streaming.providers.command.command",
        *(None, ["a", "-b"], BAD_COMMAND),
    ),
    (
        "streaming.providers.command.sampleRate",
        "streaming.providers.command.sample_rate",
        *(16_000, 8_000, (*BAD_INT, 0, 96_000)),
    ),
    ("streaming.preStartTimeoutMs", "streaming.pre_start_timeout_ms", 5_000, 9, BAD_POSITIVE),
    ("streaming.maxPendingConnections", "streaming.max_pending_connections", 32, 9, BAD_POSITIVE),
    (
        "streaming.maxPendingConnectionsPerIp",
        "streaming.max_pending_connections_per_ip",
        *(4, 9, BAD_POSITIVE),
    ),
    ("streaming.maxConnections", "streaming.max_connections", 128, 9, BAD_POSITIVE),
    ("bargeIn.enabled", "barge_in.enabled", True, False, BAD_BOOL),
    ("bargeIn.minSpeechMs", "barge_in.min_speech_ms", 200, 9, BAD_COUNT),
    ("bargeIn.minWords", "barge_in.min_words", 0, 9, BAD_COUNT),
    ("bargeIn.protectGreeting", "barge_in.protect_greeting", False, True, BAD_BOOL),
    ("bargeIn.falseAlarmResumeMs", "barge_in.false_alarm_resume_ms", 1_500, 9, BAD_COUNT),
    ("tts.provider", "tts.provider", None, "elevenlabs", BAD_CHOICE),
    ("tts.openai.speed", "tts.openai.speed", 1.0, 2, ("1", 0.1, 5, True)),
    ("tts.openai.instructions", "tts.openai.instructions", None, "Calm.", BAD_TEXT),
    ("tts.elevenlabs.voiceId", "tts.elevenlabs.voice_id", "pMsXgVXv3BLzUgSXRplE", "v", BAD_TEXT),
    (
        "tts.elevenlabs.voiceSettings.stability",
        "tts.elevenlabs.voice_settings.stability",
        *(None, 0.5, BAD_SHARE),
    ),
    ("tts.command.command", "tts.command.command", None, ["say"], BAD_COMMAND),
    ("tts.command.sampleRate", "tts.command.sample_rate", None, 24_000, (*BAD_INT, 1)),
    ("store", "store", None, "postgresql://h/db", (*BAD_TEXT, "", "mysql://h/db")),
    ("storeRetentionDays", "store_retention_days", 90, 0, BAD_COUNT),
]
SECRETS = [row.key for row in reference_rows() if row.type == "secret"]


def nested(key: str, value: Any) -> dict[str, Any]:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


def load(document: dict[str, Any], **environ: str) -> Config:
    return load_config(given=document, environ={"HOME": "/nonexistent", **environ}).config


def attribute(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


@pytest.mark.parametrize(("key", "path", "default", "good", "bad"), KEYS, ids=[k[0] for k in KEYS])
def test_a_key_has_its_default_takes_what_fits_and_refuses_the_rest(
    key: str, path: str, default: Any, good: Any, bad: tuple[Any, ...]
) -> None:
    assert attribute(load({}), path) == default
    taken = attribute(load(nested(key, good)), path)
    assert taken == (tuple(good) if isinstance(good, list) else good)
    for value in bad:
        with pytest.raises(ConfigError) as caught:
            load(nested(key, value))
        assert len(caught.value.problems) >= 1
        assert all(field.startswith(key) for field, _ in caught.value.problems), value


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_takes_a_string_and_never_shows_it(key: str) -> None:
    config = load(nested(key, "hunter2-secret"))
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config.model_dump(mode="json"))
    for value in (5, True, ["hunter2-secret"]):
        with pytest.raises(ConfigError) as caught:
            load(nested(key, value))
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", [key for key, *_ in KEYS])
def test_null_means_unset(key: str) -> None:
    assert load(nested(key, None)) == load({})


def test_slashes_at_the_end_of_paths_are_not_significant() -> None:
    config = load({"serve": {"path": "/a/b/"}, "streaming": {"streamPath": "/s//"}})
    assert config.serve.path == "/a/b"
    assert config.streaming.stream_path == "/s"
    assert load({"serve": {"path": "/"}}).serve.path == "/"


@pytest.mark.parametrize(
    "url", ["https://u:p@x.example/", "https://x.example/#a", "https://", "https://x:0/", "http:x"]
)
def test_a_public_url_has_a_host_and_no_secrets(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"publicUrl": url})
    assert caught.value.problems[0][0] == "publicUrl"


def test_a_query_of_the_public_url_is_ignored_with_a_warning() -> None:
    loaded = load_config(given={"publicUrl": "https://x.example/a?b=1"}, environ={})
    assert loaded.warnings == ("publicUrl: its query is ignored; requests bring their own",)


def test_a_base_url_loses_its_last_slash() -> None:
    assert load({"twilio": {"baseUrl": "https://a.b/"}}).twilio.base_url == "https://a.b"


def test_quiet_hours_need_all_three_parts() -> None:
    hours = {"start": "21:00", "end": "08:00", "timezone": "Europe/Paris"}
    quiet = load({"outbound": {"quietHours": hours}}).outbound.quiet_hours
    assert quiet is not None
    assert (quiet.start, quiet.end, quiet.timezone) == ("21:00", "08:00", "Europe/Paris")
    for name in hours:
        rest = {key: value for key, value in hours.items() if key != name}
        with pytest.raises(ConfigError) as caught:
            load({"outbound": {"quietHours": rest}})
        assert caught.value.problems == [(f"outbound.quietHours.{name}", "is required")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("start", value) for value in ("24:00", "9:00", "21:60", "21", "", 21)),
        *(("timezone", value) for value in ("Mars/Base", "../etc", "", "Europe", "/etc/passwd")),
    ],
)
def test_quiet_hours_refuse_what_is_no_time_or_zone(name: str, value: Any) -> None:
    hours = {"start": "21:00", "end": "08:00", "timezone": "Europe/Paris", name: value}
    with pytest.raises(ConfigError) as caught:
        load({"outbound": {"quietHours": hours}})
    assert caught.value.problems[0][0] == f"outbound.quietHours.{name}"


def test_silence_prompts_are_off_by_default_and_need_texts() -> None:
    assert load({}).silence_prompts is None
    ladder = load({"silencePrompts": {"afterMs": 5000, "texts": ["Still there?"]}}).silence_prompts
    assert ladder is not None
    assert (ladder.after_ms, ladder.texts, ladder.then_end) == (5000, ("Still there?",), False)
    with pytest.raises(ConfigError):
        load({"silencePrompts": {"afterMs": 5000, "texts": []}})


def test_acknowledgements_are_a_list_or_one_per_language() -> None:
    assert "mm-hm" in load({}).barge_in.ignore
    assert load({"bargeIn": {"ignore": ["ok"]}}).barge_in.ignore == ("ok",)
    assert load({"bargeIn": {"ignore": {"en": ["ok"], "de": ["ja"]}}}).barge_in.ignore == (
        "ok",
        "ja",
    )
    for bad in (5, "ok", [5], {"en": "ok"}, {"en": [5]}):
        with pytest.raises(ConfigError):
            load({"bargeIn": {"ignore": bad}})


def test_the_pairing_phrase_must_say_the_code() -> None:
    assert "{code}" in load({}).phrases.pairing
    with pytest.raises(ConfigError) as caught:
        load({"phrases": {"pairing": "Go away."}})
    assert caught.value.problems[0][0] == "phrases.pairing"


def test_the_mock_line_has_a_number_of_its_own() -> None:
    assert load({}).caller_number == "+15550000000"
    assert load({"provider": "twilio"}).caller_number is None
    assert load({"fromNumber": E164}).caller_number == E164


def test_a_number_has_its_own_settings_over_the_globals() -> None:
    config = load(
        {
            "inboundGreeting": "Hello",
            "agentId": "main",
            "tts": {"provider": "openai", "openai": {"voice": "ash", "apiKey": "k"}},
            "numbers": {
                E164: {
                    "inboundGreeting": "Hi",
                    "responseTimeoutMs": 5,
                    "tts": {"openai": {"speed": 2, "voice": None}},
                }
            },
        }
    )
    line = config.for_number(E164)
    assert (line.inbound_greeting, line.agent_id, line.response_timeout_ms) == ("Hi", "main", 5)
    assert line.tts is not None
    assert (line.tts.provider, line.tts.openai.voice, line.tts.openai.speed) == ("openai", "ash", 2)
    assert line.tts.order == ("openai",)
    other = config.for_number("+15550001111")
    assert (other.inbound_greeting, other.response_timeout_ms) == ("Hello", 30_000)
    assert other.tts == config.tts


@pytest.mark.parametrize("key", ["15551234567", "+1*", "abc", ""])
def test_a_number_entry_must_be_named_by_a_number(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"numbers": {key: {}}})
    assert caught.value.problems == [
        (f"numbers.{key}", "must be an E.164 number such as +15551234567")
    ]


def test_services_come_in_order_with_the_chosen_one_first() -> None:
    config = load(
        {
            "tts": {"provider": "command", "command": {"command": ["say"]}},
            "streaming": {"provider": "elevenlabs"},
        },
        OPENAI_API_KEY="a",
        ELEVENLABS_API_KEY="b",
    )
    assert config.tts.order == ("command", "openai", "elevenlabs")
    assert config.streaming.order == ("elevenlabs", "openai")
    assert load({"streaming": {"provider": "deepgram"}}).streaming.order == ()


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError):
        load({}).serve.port = 5  # type: ignore[misc]
