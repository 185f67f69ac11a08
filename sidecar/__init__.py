"""voicecall-sidecar: the telephone of an OpenClaw agent."""

__version__ = "0.1.0"
