"""What a room says of its readiness, for `voicecall.setup`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One readiness check of `voicecall.setup`. `status` is `ok`, `warn` or `fail`."""

    id: str
    status: str
    message: str
    key: str | None = None
    fix: str | None = None
