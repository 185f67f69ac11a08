"""The root of the configuration and the sections that shape calls: the source of truth for every
key, its type, its default and its sentence in the README.

What needs several keys to judge is in `problems`; where values come from is in `load`.
"""

from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator

from sidecar.config.providers import Mock, Plivo, Tailscale, Telnyx, Tunnel, Twilio
from sidecar.config.speech import LegacyStt, Streaming, Tts
from sidecar.config.values import (
    Acknowledgements,
    BindAddress,
    ClockTime,
    Count,
    Names,
    Networks,
    Number,
    Numbers,
    NumbersOrPrefixes,
    Port,
    Positive,
    PublicUrl,
    Section,
    StorePlace,
    TimeZone,
    UrlPath,
    section,
)

T = TypeVar("T")

MOCK_NUMBER = "+15550000000"

ACKNOWLEDGEMENTS = (
    *("mm-hm", "mhm", "mm", "hmm", "uh-huh", "aha", "yes", "yeah", "yep", "ok", "okay", "right"),
    *("sure", "i see", "got it", "go on"),
    *("ja", "genau", "oui", "d'accord", "sí", "vale", "claro", "sì", "va bene", "sim", "hai"),
)


class Serve(Section):
    port: Port = Field(3334, description="Webhook port; `0` picks a free one, see `ready`.")
    bind: BindAddress = Field("127.0.0.1", description="Address the webhook listener binds.")
    path: UrlPath = Field(
        "/voice/webhook", description="Webhook path; a trailing slash is not significant."
    )


class Rpc(Section):
    allowed_origins: Names = Field((), description="Web origins that may open the RPC WebSocket.")
    allowed_hosts: Names = Field((), description="Further `Host` values the RPC WebSocket accepts.")


class WebhookSecurity(Section):
    allowed_hosts: Names = Field(
        (), description="Public hosts that forwarding headers may name; makes them count."
    )
    trust_forwarding_headers: bool = Field(
        False, description="Forwarding headers count even without `allowedHosts`."
    )
    trusted_proxy_ips: Networks = Field(
        (),
        alias="trustedProxyIPs",
        description="Only these peers' forwarding headers count: IP addresses or CIDR ranges.",
    )


class QuietHours(Section):
    start: ClockTime = Field(description="Start of the quiet hours, HH:MM.")
    end: ClockTime = Field(description="End of the quiet hours, HH:MM.")
    timezone: TimeZone = Field(description="IANA time zone, such as `Europe/Paris`.")


class Outbound(Section):
    default_mode: Literal["notify", "conversation"] = Field(
        "notify", description="Mode of a call that names none."
    )
    notify_hangup_delay_sec: Count = Field(
        3, description="Pause between the end of a notify message and the hang-up."
    )
    allow_to: NumbersOrPrefixes = Field(
        (),
        description="Numbers or prefixes (`+44*`) that may be called; empty allows every "
        "`initiate` and no `transfer`.",
    )
    deny_to: NumbersOrPrefixes = Field(
        (), description="Numbers or prefixes that may not be called; wins over `allowTo`."
    )
    max_calls_per_hour: Count = Field(0, description="Outbound calls per hour; `0` = off.")
    max_calls_per_hour_per_number: Count = Field(
        0, description="Outbound calls per hour to one number; `0` = off."
    )
    quiet_hours: QuietHours | None = Field(
        None, description="No outbound calls in these hours unless forced."
    )
    machine_detection: Literal["off", "detect", "leave-message"] = Field(
        "off",
        description="`detect`: hang up on voicemail or fax; `leave-message`: wait for the beep, "
        "say the message, hang up.",
    )


class BargeIn(Section):
    """What the caller must do to stop the bot while it speaks."""

    enabled: bool = Field(True, description="The caller may interrupt.")
    min_speech_ms: Count = Field(200, description="Sustained speech that interrupts.")
    min_words: Count = Field(0, description="Recognised words that must be there too.")
    ignore: Acknowledgements = Field(
        ACKNOWLEDGEMENTS,
        description="Acknowledgements that do not interrupt: a list, or a list per language.",
    )
    protect_greeting: bool = Field(False, description="The greeting cannot be interrupted.")
    false_alarm_resume_ms: Count = Field(
        1_500, description="With no words by then, speech resumes where it was cut."
    )


class Phrases(Section):
    """What the sidecar says on its own account."""

    ack: str = Field("One moment, please.", description="When a reply takes long.")
    apology: str = Field(
        "I am sorry, I cannot answer that right now.", description="When no reply came."
    )
    goodbye: str = Field("Goodbye.", description="Before the sidecar hangs up on its own account.")
    hold: str = Field(
        "Please hold the line for a moment.", description="When the agent has gone away."
    )
    pairing: str = Field(
        "This number is not known here yet. Your pairing code is {code}. Again: {code}. Goodbye.",
        description="What an unknown caller hears; `{code}` is the six-digit code.",
    )

    @field_validator("pairing")
    @classmethod
    def _names_the_code(cls, value: str) -> str:
        if "{code}" not in value:
            raise ValueError("must contain {code}, where the pairing code is said")
        return value


class SilencePrompts(Section):
    """The silence ladder: one text after each silence."""

    after_ms: Positive = Field(description="Silence before each prompt.")
    texts: Names = Field(min_length=1, description="The prompts, in order.")
    then_end: bool = Field(False, description="Hang up when the last one is met with silence.")


class NumberSettings(Section):
    """Settings of one of our numbers, by the number that was dialled."""

    inbound_greeting: str | None = Field(None, description="Greeting on this number.")
    tts: Tts | None = Field(None, description="Voice on this number; deep-merges over `tts`.")
    agent_id: str | None = Field(None, description="Agent of this number.")
    response_model: str | None = Field(None, description="Model of this number.")
    response_system_prompt: str | None = Field(None, description="Prompt of this number.")
    response_timeout_ms: Positive | None = Field(None, description="Reply time of this number.")

    def over(self, config: "Config") -> "NumberSettings":
        """These settings with what is unset filled from the globals."""
        return NumberSettings.model_construct(
            inbound_greeting=_first(self.inbound_greeting, config.inbound_greeting),
            tts=config.tts if self.tts is None else self.tts.over(config.tts),
            agent_id=_first(self.agent_id, config.agent_id),
            response_model=_first(self.response_model, config.response_model),
            response_system_prompt=_first(
                self.response_system_prompt, config.response_system_prompt
            ),
            response_timeout_ms=_first(self.response_timeout_ms, config.response_timeout_ms),
        )


def _first(own: T | None, fallback: T | None) -> T | None:
    return fallback if own is None else own


class SidecarPlace(Section):
    """Where the Gateway's plugin finds or starts a sidecar; the sidecar itself ignores it."""

    mode: Literal["stdio", "attach", "detached"] | None = Field(
        None, description="How the plugin runs the sidecar."
    )
    command: Names | None = Field(None, description="Command that starts it.")
    url: str | None = Field(None, description="WebSocket address to attach to.")
    token_file: str | None = Field(None, description="File with the RPC token.")


class Config(Section):
    """The configuration of the voice-call sidecar."""

    enabled: bool = Field(
        True, description="`false`: verbs answer `disabled`, no listener is opened."
    )
    provider: Literal["twilio", "telnyx", "plivo", "mock"] = Field(
        "mock", description="Telephone company; legacy `log` means `mock`."
    )
    from_number: Number | None = Field(
        None,
        description="Our number, E.164; required unless mock (which uses `+15550000000`). "
        "Env `TWILIO_FROM_NUMBER` (twilio).",
    )
    to_number: Number | None = Field(
        None, description="Default destination of `voicecall.initiate`."
    )
    twilio: Twilio = section("Twilio account.")
    telnyx: Telnyx = section("Telnyx account.")
    plivo: Plivo = section("Plivo account.")
    mock: Mock = section("The simulated line.")
    serve: Serve = section("The webhook listener.")
    public_url: PublicUrl | None = Field(
        None, description="Webhook URL as the carrier sees it; decides even with a tunnel."
    )
    rpc: Rpc = section("The RPC WebSocket.")
    phrases: Phrases = section("What the sidecar says on its own account.")
    realtime: dict[str, Any] | None = Field(None, description="Accepted, not used yet.")
    sidecar: SidecarPlace = section("For the Gateway's plugin; the sidecar ignores it.")
    tunnel: Tunnel = section("A tunnel to the webhook listener.")
    tailscale: Tailscale = section("Tailscale in front of the webhook listener.")
    webhook_security: WebhookSecurity = section("Whom to believe about the public address.")
    skip_signature_verification: bool = Field(
        False,
        description="Local testing only; refused when the listener can be reached from outside.",
    )
    outbound: Outbound = section("Calls we place.")
    inbound_policy: Literal["disabled", "allowlist", "pairing", "open"] = Field(
        "disabled", description="Who may call."
    )
    allow_from: Numbers = Field((), description="Numbers that may call, E.164.")
    inbound_greeting: str | None = Field(None, description="What a caller hears first.")
    numbers: dict[Number, NumberSettings] = Field(
        default_factory=dict, description="Settings by dialled number; unset: the globals."
    )
    session_scope: Literal["per-phone", "per-call", "main"] = Field(
        "per-phone", description="Which session of the agent a call belongs to."
    )
    agent_id: str | None = Field(None, description="The Gateway's agent.")
    response_model: str | None = Field(None, description="Passed with each reply request.")
    response_system_prompt: str | None = Field(None, description="Passed with each reply request.")
    response_timeout_ms: Positive = Field(30_000, description="Time for a reply of the agent.")
    response_ack_ms: Count = Field(
        2_500, description="After this long without a reply `phrases.ack` is said; `0` = off."
    )
    max_concurrent_calls: Positive = Field(1, description="Calls at the same time.")
    max_duration_seconds: Positive = Field(300, description="Longest call, from answer.")
    stale_call_reaper_seconds: Count = Field(
        0, description="Ends any call of this age; `0` = off; more than `maxDurationSeconds`."
    )
    ring_timeout_ms: Positive = Field(30_000, description="How long it may ring.")
    silence_timeout_ms: Positive = Field(800, description="Silence that ends speech.")
    transcript_timeout_ms: Positive = Field(
        180_000, description="How long `continue` waits for the caller."
    )
    streaming: Streaming = section("Media streams and speech-to-text.")
    barge_in: BargeIn = section("What stops the bot while it speaks.")
    silence_prompts: SilencePrompts | None = Field(
        None, description="What is said into silence; unset = off."
    )
    stt: LegacyStt | None = Field(
        None,
        description="Legacy: folded into `streaming.providers`.",
        json_schema_extra={"deprecated": True},
    )
    tts: Tts = section("The voice; deep-merges over the Gateway's `messages.tts`.")
    store: StorePlace | None = Field(
        None,
        repr=False,
        description="Path or `postgresql://` URL; default `$OPENCLAW_STATE_DIR/voice-calls/"
        "calls.db`, else `~/.openclaw/voice-calls/calls.db`. A folder means `calls.db` in it.",
    )
    store_retention_days: Count = Field(
        90, description="Days that ended calls are kept; `0` keeps everything."
    )

    @property
    def caller_number(self) -> str | None:
        """The number calls come from; the mock line has one of its own."""
        if self.from_number is None and self.provider == "mock":
            return MOCK_NUMBER
        return self.from_number

    def for_number(self, dialled: str) -> NumberSettings:
        """The settings of a call to one of our numbers: its own, else the globals. `tts` and
        `response_timeout_ms` are never None in the answer."""
        return self.numbers.get(dialled, NumberSettings()).over(self)
