"""Whom we may call, and which conversation a call belongs to.

The outbound policy is the guard against toll fraud and against calls at night; the session key
names the agent's memory for a call. Who may call us is in `screening`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sidecar.call.screening import normalise_number, other_party_digits
from sidecar.errors import ConfigError, Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """The `outbound` limits of the configuration.

    `allow_to` and `deny_to` hold E.164 numbers or prefixes (`+44*`); a maximum of 0 means no
    maximum. Quiet hours are wall-clock times `HH:MM` in `timezone`, from `quiet_start` up to, not
    including, `quiet_end`; they may pass midnight, and are off unless both are set and differ.
    """

    allow_to: Collection[str] = ()
    deny_to: Collection[str] = ()
    max_per_hour: int = 0
    max_per_hour_per_number: int = 0
    quiet_start: str | None = None
    quiet_end: str | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse quiet hours that could not be kept, before the first call rather than at it."""
        if self.quiet_start is None or self.quiet_end is None:
            return
        problems = [
            (f"outbound.quietHours.{name}", "must be a time of day such as 21:00")
            for name, value in (("start", self.quiet_start), ("end", self.quiet_end))
            if _minute_of_day(value) is None
        ]
        if _zone(self.timezone) is None:
            problems.append(
                ("outbound.quietHours.timezone", "must be a time zone such as Europe/Paris")
            )
        if problems:
            raise ConfigError(problems)


def refuse_dial(
    policy: OutboundPolicy,
    to_number: str,
    now_ms: int,
    dialled_last_hour: int,
    dialled_to_last_hour: int,
    force: bool = False,
) -> Problem | None:
    """Why a call to this number may not be placed now, or None when it may.

    The deny list wins over everything; an empty allow list allows every number. `force` lifts the
    quiet hours and nothing else.
    """
    if policy.allow_to and not _matches(policy.allow_to, to_number):
        allow_problem = _refusal("allowTo", "outbound.allowTo does not list this number.")
    else:
        allow_problem = None
    return (
        _refuse_denied(policy, to_number)
        or allow_problem
        or _refuse_rate(policy, dialled_last_hour, dialled_to_last_hour)
        or (None if force else _refuse_quiet(policy, now_ms))
    )


def refuse_transfer(
    policy: OutboundPolicy,
    to_number: str,
    now_ms: int,
    dialled_last_hour: int,
    dialled_to_last_hour: int,
) -> Problem | None:
    """Why a call may not be handed over to this number now, or None when it may.

    As for a call of our own, but an empty allow list allows no transfer, and nothing lifts the
    quiet hours.
    """
    if _matches(policy.allow_to, to_number):
        allow_problem = None
    else:
        allow_problem = _refusal(
            "allowTo", "outbound.allowTo must list a number before a call is transferred to it."
        )
    return (
        _refuse_denied(policy, to_number)
        or allow_problem
        or _refuse_rate(policy, dialled_last_hour, dialled_to_last_hour)
        or _refuse_quiet(policy, now_ms)
    )


def session_key(scope: str, other_party: str, call_id: str, agent_id: str | None = None) -> str:
    """The key of the agent's conversation that a call belongs to, under `sessionScope`.

    `per-phone` falls back to the call's own key where the other party has no number: callers who
    withhold it are strangers to each other and must not share a memory.
    """
    match scope:
        case "main":
            key = "main"
        case "per-call":
            key = f"voice:{call_id}"
        case _:
            key = f"voice:{other_party_digits(other_party) or call_id}"
    return f"agent:{agent_id}:{key}" if agent_id else key


# -- the single rules -----------------------------------------------------------------------------


def _refuse_denied(policy: OutboundPolicy, to_number: str) -> Problem | None:
    if not _matches(policy.deny_to, to_number):
        return None
    return _refusal("denyTo", "outbound.denyTo forbids this number.")


def _refuse_rate(policy: OutboundPolicy, last_hour: int, to_last_hour: int) -> Problem | None:
    if 0 < policy.max_per_hour <= last_hour:
        return _refusal(
            "rateLimited",
            "outbound.maxCallsPerHour is used up for this hour; try again later.",
        )
    if 0 < policy.max_per_hour_per_number <= to_last_hour:
        return _refusal(
            "rateLimited",
            "outbound.maxCallsPerHourPerNumber is used up for this number; try again later.",
        )
    return None


def _refuse_quiet(policy: OutboundPolicy, now_ms: int) -> Problem | None:
    if not in_quiet_hours(policy, now_ms):
        return None
    return _refusal(
        "quietHours",
        f"outbound.quietHours forbids calls from {policy.quiet_start} to {policy.quiet_end} "
        f"({policy.timezone}); try again after that.",
    )


def in_quiet_hours(policy: OutboundPolicy, now_ms: int) -> bool:
    """Whether this moment lies in the quiet hours, by the clock on the wall of their time zone."""
    if policy.quiet_start is None or policy.quiet_end is None:
        return False
    start, end = _minute_of_day(policy.quiet_start), _minute_of_day(policy.quiet_end)
    zone = _zone(policy.timezone)
    if start is None or end is None or zone is None:
        return False  # pragma: no cover - excluded when the policy was made
    local = (_EPOCH + timedelta(milliseconds=now_ms)).astimezone(zone)
    minute = local.hour * 60 + local.minute
    if start <= end:
        return start <= minute < end
    return minute >= start or minute < end


def _refusal(policy: str, message: str) -> Problem:
    return Problem("refusedByPolicy", message, data={"policy": policy})


def _matches(patterns: Collection[str], to_number: str) -> bool:
    number = normalise_number(to_number) or to_number
    return any(
        number.startswith(pattern[:-1]) if pattern.endswith("*") else number == pattern
        for pattern in patterns
    )


def _minute_of_day(text: str) -> int | None:
    """Minutes since midnight of `HH:MM`; `24:00` is the end of the day."""
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isascii() and hour.isdecimal() and len(hour) <= 2):
        return None
    if not (minute.isascii() and minute.isdecimal() and len(minute) == 2):
        return None
    total = int(hour) * 60 + int(minute)
    return total if int(minute) < 60 and total <= 24 * 60 else None


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A name that leaves the database or is one of its folders is not a zone either.
        return None
