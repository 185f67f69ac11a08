"""The configuration: one model, where its values come from, and what can be wrong with it.

Rooms import from here. The sole reader of the process's environment is `environment`.
"""

from sidecar.config.environment import process_environment, state_dir, store_path
from sidecar.config.load import Loaded, load_config, with_overrides
from sidecar.config.model import BargeIn, Config, NumberSettings, Phrases, QuietHours
from sidecar.config.problems import missing_credentials
from sidecar.config.providers import Mock, Plivo, Tailscale, Telnyx, Tunnel, Twilio
from sidecar.config.speech import Streaming, Tts
from sidecar.config.values import is_e164, is_loopback

__all__ = [
    "BargeIn",
    "Config",
    "Loaded",
    "Mock",
    "NumberSettings",
    "Phrases",
    "Plivo",
    "QuietHours",
    "Streaming",
    "Tailscale",
    "Telnyx",
    "Tts",
    "Tunnel",
    "Twilio",
    "process_environment",
    "is_e164",
    "is_loopback",
    "load_config",
    "missing_credentials",
    "state_dir",
    "store_path",
    "with_overrides",
]
