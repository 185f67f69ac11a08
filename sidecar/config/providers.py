"""The sections of the carriers, of the mock line, and of the ways to a public address.

Speech services are in `speech`; rules that span several keys are in `problems`.
"""

from typing import Literal

from pydantic import Field

from sidecar.config.values import (
    BaseUrl,
    Count,
    Factor,
    Host,
    Label,
    Number,
    Positive,
    Secret,
    Section,
    Texts,
    UrlPath,
)


class Twilio(Section):
    account_sid: str | None = Field(None, description="Account SID; env `TWILIO_ACCOUNT_SID`.")
    auth_token: Secret | None = Field(
        None, description="Auth token; verifies webhooks. Env `TWILIO_AUTH_TOKEN`."
    )
    api_key_sid: str | None = Field(None, description="API key for REST calls, optional.")
    api_key_secret: Secret | None = Field(None, description="Secret of the API key.")
    region: Label = Field("us1", description="`us1`, `ie1` or `au1`.")
    edge: Label | None = Field(None, description="Edge location, such as `dublin`.")
    base_url: BaseUrl | None = Field(
        None,
        description="Replaces scheme and host of the REST API (`https://api.twilio.com`). "
        "Plain http for loopback hosts only.",
    )
    legacy_from: Number | None = Field(
        None,
        alias="from",
        description="Legacy: means `fromNumber`.",
        json_schema_extra={"deprecated": True},
    )


class Telnyx(Section):
    api_key: Secret | None = Field(None, description="API key; env `TELNYX_API_KEY`.")
    connection_id: str | None = Field(
        None, description="Call Control application; env `TELNYX_CONNECTION_ID`."
    )
    public_key: str | None = Field(
        None,
        description="Verifies webhooks: raw base64 or base64url, DER SPKI or PEM; required unless "
        "`skipSignatureVerification`. Env `TELNYX_PUBLIC_KEY`.",
    )
    base_url: BaseUrl = Field(
        "https://api.telnyx.com",
        description="Scheme and host of the REST API. Plain http for loopback hosts only.",
    )


class Plivo(Section):
    auth_id: str | None = Field(None, description="Auth id; env `PLIVO_AUTH_ID`.")
    auth_token: Secret | None = Field(
        None, description="Auth token; verifies webhooks. Env `PLIVO_AUTH_TOKEN`."
    )
    accept_v2_signatures: bool = Field(
        False,
        description="Accept V2 signatures, which cover neither body nor query and can be replayed.",
    )
    base_url: BaseUrl = Field(
        "https://api.plivo.com",
        description="Scheme and host of the REST API. Plain http for loopback hosts only.",
    )


class Mock(Section):
    """The simulated telephone line."""

    outcome: Literal["answer", "busy", "no-answer", "failed", "voicemail"] = Field(
        "answer", description="What becomes of a call."
    )
    ring_ms: Count = Field(300, description="Time until it rings.")
    answer_ms: Count = Field(700, description="Ringing time until it is answered.")
    replies: Texts = Field((), description="What the far end says, one line per turn.")
    reply_delay_ms: Count = Field(400, description="Pause before each reply.")
    words_per_minute: Positive = Field(180, description="How fast the line speaks.")
    speed: Factor = Field(
        1.0, description="Divides the line's own durations; `0` makes them zero, for tests."
    )
    hangup_after_replies: bool = Field(
        False, description="The far end hangs up when its lines are used up."
    )


class Tunnel(Section):
    provider: Literal["none", "ngrok", "tailscale-serve", "tailscale-funnel"] = Field(
        "none", description="Which tunnel makes the webhook reachable."
    )
    ngrok_auth_token: Secret | None = Field(None, description="Env `NGROK_AUTHTOKEN`.")
    ngrok_domain: Host | None = Field(None, description="Reserved domain; env `NGROK_DOMAIN`.")
    allow_ngrok_free_tier_loopback_bypass: bool = Field(
        False,
        description="Accept a Twilio webhook with a wrong signature through ngrok's free tier, "
        "for calls already known only.",
    )


class Tailscale(Section):
    mode: Literal["off", "serve", "funnel"] = Field(
        "off", description="`serve`: inside the tailnet; `funnel`: on the Internet."
    )
    path: UrlPath = Field("/voice/webhook", description="Path on the tailnet host.")
    port: int = Field(443, gt=0, le=65_535, description="Funnel: 443, 8443 or 10000 only.")
