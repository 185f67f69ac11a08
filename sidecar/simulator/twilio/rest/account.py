"""The account that is simulated: who may ask in its name, and which numbers are its own."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """`token` signs webhooks and may ask, as may `keys`: API keys with their secrets. `numbers`
    are those that it may call from; None takes any."""

    sid: str
    token: str = field(repr=False)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    numbers: frozenset[str] | None = None

    def admit(self, header: str) -> bool:
        """Whether an `Authorization` header is one of ours."""
        scheme, _, rest = header.partition(" ")
        try:
            name, _, secret = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        known = {self.sid: self.token, **self.keys}.get(name)
        return scheme == "Basic" and known is not None and _same(known, secret)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
