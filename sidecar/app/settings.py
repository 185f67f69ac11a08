"""From the configuration to what the engine needs of it."""

from sidecar.call.model import Agent, BargeIn, Detection, Limits, Mode, Phrases
from sidecar.call.policy import OutboundPolicy
from sidecar.config import Config, NumberSettings, missing_credentials, store_path
from sidecar.engine.settings import NumberRoute, Settings
from sidecar.errors import ConfigError
from sidecar.providers.mock.line import LineSettings


def must_be_openable(config: Config) -> None:
    """Raises `ConfigError` for what is a right configuration, but not of this version."""
    if "://" in store_path(config):
        raise ConfigError([("store", "PostgreSQL is not supported in this version; name a file")])


def settings_of(config: Config, unsupported: str | None = None) -> Settings:
    """`unsupported` says why this version cannot use the provider."""
    quiet = config.outbound.quiet_hours
    return Settings(
        provider=config.provider,
        enabled=config.enabled,
        missing=missing_credentials(config),
        unsupported=unsupported,
        caller_number=config.caller_number or "",
        default_to=config.to_number,
        default_mode=Mode(config.outbound.default_mode),
        limits=_limits(config),
        phrases=Phrases(
            ack=config.phrases.ack,
            apology=config.phrases.apology,
            goodbye=config.phrases.goodbye,
            hold=config.phrases.hold,
        ),
        pairing_phrase=config.phrases.pairing,
        barge_in=BargeIn(
            enabled=config.barge_in.enabled,
            min_words=config.barge_in.min_words,
            ignore=config.barge_in.ignore,
            protect_greeting=config.barge_in.protect_greeting,
        ),
        agent=Agent(config.agent_id, config.response_model, config.response_system_prompt),
        detection=Detection(config.outbound.machine_detection),
        session_scope=config.session_scope,
        max_calls=config.max_concurrent_calls,
        outbound=OutboundPolicy(
            allow_to=config.outbound.allow_to,
            deny_to=config.outbound.deny_to,
            max_per_hour=config.outbound.max_calls_per_hour,
            max_per_hour_per_number=config.outbound.max_calls_per_hour_per_number,
            quiet_start=quiet.start if quiet else None,
            quiet_end=quiet.end if quiet else None,
            timezone=quiet.timezone if quiet else "UTC",
        ),
        inbound_policy=config.inbound_policy,
        allow_from=frozenset(config.allow_from),
        inbound_greeting=config.inbound_greeting,
        routes={number: _route(entry) for number, entry in config.numbers.items()},
        retention_days=config.store_retention_days,
    )


def _limits(config: Config) -> Limits:
    return Limits(
        ring_ms=config.ring_timeout_ms,
        max_duration_ms=config.max_duration_seconds * 1_000,
        transcript_ms=config.transcript_timeout_ms,
        response_ms=config.response_timeout_ms,
        ack_ms=config.response_ack_ms,
        notify_hangup_ms=config.outbound.notify_hangup_delay_sec * 1_000,
        stale_ms=config.stale_call_reaper_seconds * 1_000,
    )


def _route(entry: NumberSettings) -> NumberRoute:
    voice = entry.tts.model_dump(exclude_unset=True, by_alias=True) if entry.tts else None
    return NumberRoute(
        greeting=entry.inbound_greeting,
        agent=Agent(entry.agent_id, entry.response_model, entry.response_system_prompt),
        response_ms=entry.response_timeout_ms,
        voice=voice,
    )


def line_settings(config: Config) -> LineSettings:
    mock = config.mock
    return LineSettings(
        outcome=mock.outcome,
        ring_ms=mock.ring_ms,
        answer_ms=mock.answer_ms,
        replies=tuple(mock.replies),
        reply_delay_ms=mock.reply_delay_ms,
        words_per_minute=mock.words_per_minute,
        speed=mock.speed,
        hangup_after_replies=mock.hangup_after_replies,
    )
