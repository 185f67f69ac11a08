"""The sections of speech: synthesis (`tts`), recognition and the media stream (`streaming`).

Recognition and synthesis each have an order: the chosen service first, then the others that have
what they need. How the services are spoken to is not here.
"""

from typing import Any, Literal

from pydantic import Field, SecretStr

from sidecar.config.values import (
    BaseUrl,
    Command,
    Positive,
    Secret,
    Section,
    Share,
    UrlPath,
    merge,
    section,
)

TtsProvider = Literal["openai", "elevenlabs", "command"]
SttProvider = Literal["openai", "deepgram", "elevenlabs", "command"]


def _has(secret: SecretStr | None) -> bool:
    return secret is not None and secret.get_secret_value() != ""


def _chosen_first(chosen: str | None, ready: dict[str, bool]) -> tuple[str, ...]:
    order = [name for name, is_ready in ready.items() if is_ready]
    if chosen is not None and chosen in order:
        order.remove(chosen)
        order.insert(0, chosen)
    return tuple(order)


# -- synthesis ------------------------------------------------------------------------------------


class OpenAiTts(Section):
    api_key: Secret | None = Field(None, description="API key; env `OPENAI_API_KEY`.")
    model: str = Field("gpt-4o-mini-tts", min_length=1, description="Speech model.")
    voice: str = Field("coral", min_length=1, description="Voice; `speakerVoice` means the same.")
    speed: float = Field(1.0, ge=0.25, le=4, description="Speaking rate.")
    instructions: str | None = Field(None, description="How to speak.")
    base_url: BaseUrl = Field("https://api.openai.com/v1", description="API base with version.")


class VoiceSettings(Section):
    stability: Share | None = Field(None, description="ElevenLabs stability.")
    similarity_boost: Share | None = Field(None, description="ElevenLabs similarity.")
    style: Share | None = Field(None, description="ElevenLabs style.")
    use_speaker_boost: bool | None = Field(None, description="ElevenLabs speaker boost.")
    speed: float | None = Field(None, ge=0.5, le=2, description="Speaking rate.")


class ElevenLabsTts(Section):
    api_key: Secret | None = Field(
        None, description="API key; env `ELEVENLABS_API_KEY`, `XI_API_KEY`."
    )
    voice_id: str = Field(
        "pMsXgVXv3BLzUgSXRplE", min_length=1, description="Voice; `speakerVoice` means the same."
    )
    model_id: str = Field("eleven_flash_v2_5", min_length=1, description="Speech model.")
    base_url: BaseUrl = Field("https://api.elevenlabs.io/v1", description="API base with version.")
    voice_settings: VoiceSettings = section("How the voice sounds.")


class CommandTts(Section):
    command: Command | None = Field(
        None, description="Program and arguments: text on stdin, WAV or raw PCM on stdout."
    )
    sample_rate: int | None = Field(
        None, ge=8_000, le=48_000, description="Sample rate of raw PCM; WAV says its own."
    )


class Tts(Section):
    """The voice; the same shape as the Gateway's `messages.tts`."""

    provider: TtsProvider | None = Field(
        None, description="Speech service; unset: the first with credentials."
    )
    openai: OpenAiTts = section("OpenAI speech.")
    elevenlabs: ElevenLabsTts = section("ElevenLabs speech.")
    command: CommandTts = section("A local program that speaks.")
    providers: dict[str, Any] | None = Field(
        None, description="`tts.providers.<id>` means the same as `tts.<id>`."
    )

    @property
    def order(self) -> tuple[str, ...]:
        """The services that can speak: the chosen one, then the others."""
        ready = {
            "openai": _has(self.openai.api_key),
            "elevenlabs": _has(self.elevenlabs.api_key),
            "command": self.command.command is not None,
        }
        return _chosen_first(self.provider, ready)

    def over(self, lower: "Tts") -> "Tts":
        """What is set here deep-merged over `lower`."""
        return Tts.model_validate(merge(_set_members(lower), _set_members(self)))


def _set_members(tts: Tts) -> dict[str, Any]:
    return tts.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


# -- recognition ----------------------------------------------------------------------------------


class OpenAiStt(Section):
    api_key: Secret | None = Field(None, description="API key; env `OPENAI_API_KEY`.")
    model: str = Field("gpt-4o-transcribe", min_length=1, description="Transcription model.")
    silence_duration_ms: Positive = Field(800, description="Silence that ends a turn.")
    vad_threshold: Share = Field(0.5, description="How loud speech must be, 0 to 1.")
    language: str | None = Field(None, description="ISO 639-1 code.")
    base_url: BaseUrl = Field("https://api.openai.com/v1", description="API base with version.")


class DeepgramStt(Section):
    api_key: Secret | None = Field(None, description="API key; env `DEEPGRAM_API_KEY`.")
    model: str = Field("nova-3", min_length=1, description="Transcription model.")
    language: str | None = Field(None, description="Language code.")
    endpointing_ms: Positive | None = Field(
        None, description="Silence that ends a turn; unset: `silenceTimeoutMs`."
    )
    base_url: BaseUrl = Field("https://api.deepgram.com/v1", description="API base with version.")


class ElevenLabsStt(Section):
    api_key: Secret | None = Field(None, description="API key; env `ELEVENLABS_API_KEY`.")
    model: str = Field("scribe_v2_realtime", min_length=1, description="Transcription model.")
    language: str | None = Field(None, description="Language code.")
    endpointing_ms: Positive | None = Field(
        None, description="Silence that ends a turn; unset: `silenceTimeoutMs`."
    )
    base_url: BaseUrl = Field("https://api.elevenlabs.io/v1", description="API base with version.")


class CommandStt(Section):
    command: Command | None = Field(
        None, description="Program and arguments: PCM on stdin, JSON lines on stdout."
    )
    sample_rate: int = Field(16_000, ge=8_000, le=48_000, description="Sample rate of the PCM.")


class SttProviders(Section):
    openai: OpenAiStt = section("OpenAI realtime transcription.")
    deepgram: DeepgramStt = section("Deepgram transcription.")
    elevenlabs: ElevenLabsStt = section("ElevenLabs transcription.")
    command: CommandStt = section("A local program that listens.")


class LegacyStt(Section):
    """The older `stt` object; folded into `streaming.providers` when it is loaded."""

    provider: str | None = Field(None, description="Legacy: means `streaming.provider`.")
    model: str | None = Field(
        None, description="Legacy: the model of that service in `streaming.providers`."
    )


class Streaming(Section):
    enabled: bool = Field(False, description="Stream the audio of calls through the sidecar.")
    stream_path: UrlPath = Field(
        "/voice/stream", description="Path of media streams; must differ from `serve.path`."
    )
    provider: SttProvider | None = Field(
        None, description="Speech-to-text service; unset: the first with credentials."
    )
    providers: SttProviders = section("The speech-to-text services.")
    pre_start_timeout_ms: Positive = Field(
        5_000, description="Time for a valid `start` after a stream connects."
    )
    max_pending_connections: Positive = Field(32, description="Streams without `start`, in all.")
    max_pending_connections_per_ip: Positive = Field(
        4, description="Streams without `start`, per source address."
    )
    max_connections: Positive = Field(128, description="Streams in all.")
    legacy_stt_provider: str | None = Field(
        None,
        alias="sttProvider",
        description="Legacy: means `streaming.provider`.",
        json_schema_extra={"deprecated": True},
    )
    legacy_openai_api_key: Secret | None = Field(
        None,
        alias="openaiApiKey",
        description="Legacy: means `streaming.providers.openai.apiKey`.",
        json_schema_extra={"deprecated": True},
    )
    legacy_stt_model: str | None = Field(
        None,
        alias="sttModel",
        description="Legacy: means `streaming.providers.openai.model`.",
        json_schema_extra={"deprecated": True},
    )
    legacy_silence_duration_ms: Positive | None = Field(
        None,
        alias="silenceDurationMs",
        description="Legacy: means `streaming.providers.openai.silenceDurationMs`.",
        json_schema_extra={"deprecated": True},
    )
    legacy_vad_threshold: Share | None = Field(
        None,
        alias="vadThreshold",
        description="Legacy: means `streaming.providers.openai.vadThreshold`.",
        json_schema_extra={"deprecated": True},
    )

    @property
    def order(self) -> tuple[str, ...]:
        """The services that can listen: the chosen one, then the others."""
        known = self.providers
        ready = {
            "openai": _has(known.openai.api_key),
            "deepgram": _has(known.deepgram.api_key),
            "elevenlabs": _has(known.elevenlabs.api_key),
            "command": known.command.command is not None,
        }
        return _chosen_first(self.provider, ready)
