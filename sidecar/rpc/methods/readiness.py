"""`voicecall.setup`: what is ready, what is missing, and what to do about it."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sidecar.config import Config, missing_credentials
from sidecar.ports import Check

CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")


def readiness(config: Config, warnings: Sequence[str], more: Sequence[Check]) -> Mapping[str, Any]:
    """All checks in the shape of the wire; `ok` unless one fails."""
    checks = [*_of_config(config, warnings), *more]
    return {
        "ok": all(check.status != "fail" for check in checks),
        "provider": config.provider,
        "checks": [_wire(check) for check in checks],
    }


def _wire(check: Check) -> dict[str, str]:
    members = {
        "id": check.id,
        "status": check.status,
        "key": check.key,
        "message": check.message,
        "fix": check.fix,
    }
    return {name: value for name, value in members.items() if value is not None}


def _of_config(config: Config, warnings: Sequence[str]) -> Iterator[Check]:
    yield _enabled(config)
    yield _credentials(config)
    if config.provider != "mock":
        yield _public_url(config)
    yield from _timers(config)
    yield from _security(config)
    yield from _not_yet(config)
    for number, warning in enumerate(warnings, 1):
        yield Check(f"config.warning.{number}", "warn", warning)


def _enabled(config: Config) -> Check:
    if config.enabled:
        return Check("enabled", "ok", "Voice calls are switched on.", key="enabled")
    return Check(
        "enabled",
        "warn",
        "Voice calls are switched off; every verb answers `disabled`.",
        key="enabled",
        fix="Set `enabled` to true.",
    )


def _credentials(config: Config) -> Check:
    missing = missing_credentials(config)
    if not missing:
        return Check("credentials", "ok", f"The provider {config.provider} has what it needs.")
    return Check(
        "credentials",
        "fail",
        f"The provider {config.provider} is missing {', '.join(missing)}.",
        key=missing[0],
        fix=f"Set {', '.join(missing)}.",
    )


def _public_url(config: Config) -> Check:
    url = config.public_url
    if url is None:
        if config.tunnel.provider != "none" or config.tailscale.mode != "off":
            return Check("publicUrl", "ok", "A tunnel gives the public address.", key="tunnel")
        return Check(
            "publicUrl",
            "fail",
            "The carrier has no address to call back: neither `publicUrl` nor a tunnel is set.",
            key="publicUrl",
            fix="Set `publicUrl` to the https address of the webhook, or configure `tunnel`.",
        )
    if _is_private(urlsplit(str(url)).hostname or ""):
        return Check(
            "publicUrl",
            "fail",
            "`publicUrl` is a loopback or private address, which a carrier cannot reach.",
            key="publicUrl",
            fix="Use a public host name, or a tunnel.",
        )
    return Check("publicUrl", "ok", "The public address is set.", key="publicUrl")


def _is_private(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    if isinstance(mapped, ipaddress.IPv4Address) and mapped in CARRIER_GRADE_NAT:
        return True
    return bool(mapped.is_private or mapped.is_loopback or mapped.is_link_local)


def _timers(config: Config) -> Iterator[Check]:
    stale_s = config.stale_call_reaper_seconds
    if 0 < stale_s <= config.max_duration_seconds:
        yield Check(
            "staleCallReaperSeconds",
            "warn",
            "`staleCallReaperSeconds` ends calls before `maxDurationSeconds` is over.",
            key="staleCallReaperSeconds",
            fix="Make it larger than `maxDurationSeconds`, or 0 to switch it off.",
        )


def _security(config: Config) -> Iterator[Check]:
    if config.skip_signature_verification:
        yield Check(
            "skipSignatureVerification",
            "warn",
            "Webhook signatures are not verified: anyone who reaches the listener can post events.",
            key="skipSignatureVerification",
            fix="Use this for local testing only; set it to false.",
        )
    if config.tunnel.allow_ngrok_free_tier_loopback_bypass:
        yield Check(
            "ngrokBypass",
            "warn",
            "Some webhooks with an invalid signature are accepted through ngrok's free tier.",
            key="tunnel.allowNgrokFreeTierLoopbackBypass",
            fix="Set `publicUrl` to the ngrok address and switch the bypass off.",
        )


def _not_yet(config: Config) -> Iterator[Check]:
    """Configured features that this version does not have yet."""
    if config.streaming.enabled:
        yield Check(
            "streaming",
            "warn",
            "Media streams are not available in this version; calls use the carrier's own voice "
            "and recognition.",
            key="streaming.enabled",
            fix="Set `streaming.enabled` to false.",
        )
    if config.silence_prompts is not None:
        yield Check(
            "silencePrompts",
            "warn",
            "Silence prompts are not available in this version.",
            key="silencePrompts",
        )
