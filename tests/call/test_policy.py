"""Whom we may call, and which conversation a call belongs to."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sidecar.call.policy import (
    OutboundPolicy,
    in_quiet_hours,
    refuse_dial,
    refuse_transfer,
    session_key,
)
from sidecar.errors import ConfigError, Problem

UK = "+442071234567"
US = "+15550001234"
NIGHT = OutboundPolicy(
    allow_to=[UK], quiet_start="21:00", quiet_end="08:00", timezone="Europe/Paris"
)


def paris(day: str, time: str, fold: int = 0) -> int:
    local = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo("Europe/Paris"))
    return round(local.replace(fold=fold).timestamp() * 1_000)


NOON = paris("2026-06-01", "12:00")
MIDNIGHT = paris("2026-06-01", "00:00")


def refused_as(problem: Problem | None) -> str | None:
    if problem is None:
        return None
    assert problem.kind == "refusedByPolicy"
    assert problem.message.endswith(".")
    assert UK not in problem.message
    assert US not in problem.message
    return str(problem.data["policy"])


def dial(
    policy: OutboundPolicy, to: str = UK, now_ms: int = NOON, force: bool = False
) -> str | None:
    return refused_as(refuse_dial(policy, to, now_ms, 0, 0, force))


def test_without_a_policy_every_call_is_placed() -> None:
    assert dial(OutboundPolicy()) is None


def test_the_deny_list_wins_over_the_allow_list_and_over_force() -> None:
    policy = OutboundPolicy(allow_to=[UK], deny_to=["+44*"])
    assert dial(policy, force=True) == "denyTo"
    assert dial(policy, US) == "allowTo"


def test_an_allow_list_allows_its_numbers_and_prefixes_only() -> None:
    policy = OutboundPolicy(allow_to=["+44*", US])
    assert dial(policy, UK) is None
    assert dial(policy, US) is None
    assert dial(policy, US + "5", force=True) == "allowTo"
    assert dial(policy, "+4") == "allowTo"


def test_hourly_limits_refuse_when_they_are_used_up() -> None:
    policy = OutboundPolicy(max_per_hour=5, max_per_hour_per_number=2)
    assert refuse_dial(policy, UK, NOON, 4, 1) is None
    in_total = refuse_dial(policy, UK, NOON, 5, 0, force=True)
    per_number = refuse_dial(policy, UK, NOON, 4, 2)
    assert refused_as(in_total) == refused_as(per_number) == "rateLimited"
    assert in_total is not None
    assert "outbound.maxCallsPerHour " in in_total.message
    assert per_number is not None
    assert "outbound.maxCallsPerHourPerNumber" in per_number.message


def test_a_limit_of_zero_is_no_limit() -> None:
    assert refuse_dial(OutboundPolicy(), UK, NOON, 1_000, 1_000) is None


def test_quiet_hours_refuse_unless_forced() -> None:
    problem = refuse_dial(NIGHT, UK, MIDNIGHT, 0, 0)
    assert refused_as(problem) == "quietHours"
    assert problem is not None
    assert "outbound.quietHours" in problem.message
    assert dial(NIGHT, now_ms=MIDNIGHT, force=True) is None
    assert dial(NIGHT, now_ms=NOON) is None


@pytest.mark.parametrize(
    ("time", "quiet"),
    [("20:59:59", False), ("21:00", True), ("23:59", True), ("07:59:59", True), ("08:00", False)],
)
def test_quiet_hours_pass_midnight(time: str, quiet: bool) -> None:
    assert in_quiet_hours(NIGHT, paris("2026-01-15", time)) is quiet
    assert in_quiet_hours(NIGHT, paris("2026-07-15", time)) is quiet


def test_quiet_hours_within_a_day_end_on_that_day() -> None:
    noon = OutboundPolicy(quiet_start="12:00", quiet_end="14:00", timezone="Europe/Paris")
    assert in_quiet_hours(noon, NOON)
    assert not in_quiet_hours(noon, MIDNIGHT)
    evening = OutboundPolicy(quiet_start="22:00", quiet_end="24:00", timezone="Europe/Paris")
    assert in_quiet_hours(evening, paris("2026-06-01", "23:59"))
    assert not in_quiet_hours(evening, MIDNIGHT)


def test_quiet_hours_follow_the_clock_on_the_wall_when_it_is_changed() -> None:
    early = OutboundPolicy(quiet_start="02:30", quiet_end="03:30", timezone="Europe/Paris")
    spring, autumn = "2026-03-29", "2026-10-25"
    assert not in_quiet_hours(early, paris(spring, "01:59"))
    assert in_quiet_hours(early, paris(spring, "03:00"))
    assert not in_quiet_hours(early, paris(spring, "03:30"))
    assert in_quiet_hours(early, paris(autumn, "02:45", fold=0))
    assert not in_quiet_hours(early, paris(autumn, "02:15", fold=1))
    assert in_quiet_hours(early, paris(autumn, "02:45", fold=1))


def test_quiet_hours_that_are_empty_or_half_set_are_off() -> None:
    assert not in_quiet_hours(OutboundPolicy(quiet_start="09:00", quiet_end="09:00"), NOON)
    assert not in_quiet_hours(OutboundPolicy(quiet_start="09:00"), NOON)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "Europe"])
def test_quiet_hours_that_cannot_be_kept_are_refused_at_once(zone: str) -> None:
    with pytest.raises(ConfigError) as refused:
        OutboundPolicy(quiet_start="9", quiet_end="25:00", timezone=zone)
    assert [path for path, _ in refused.value.problems] == [
        "outbound.quietHours.start",
        "outbound.quietHours.end",
        "outbound.quietHours.timezone",
    ]


@pytest.mark.parametrize("time", ["x:00", "1:2", "12:60", "24:01", "123:00", "12:0\u0663"])
def test_a_time_of_day_is_hours_and_minutes(time: str) -> None:
    with pytest.raises(ConfigError):
        OutboundPolicy(quiet_start=time, quiet_end="08:00")


def test_a_transfer_needs_the_allow_list() -> None:
    assert refused_as(refuse_transfer(OutboundPolicy(), UK, NOON, 0, 0)) == "allowTo"
    assert refuse_transfer(OutboundPolicy(allow_to=["+44*"]), UK, NOON, 0, 0) is None


def test_a_transfer_is_held_to_every_other_limit() -> None:
    denied = OutboundPolicy(allow_to=[UK], deny_to=[UK])
    limited = OutboundPolicy(allow_to=[UK], max_per_hour=1)
    assert refused_as(refuse_transfer(denied, UK, NOON, 0, 0)) == "denyTo"
    assert refused_as(refuse_transfer(limited, UK, NOON, 1, 0)) == "rateLimited"
    assert refused_as(refuse_transfer(NIGHT, UK, MIDNIGHT, 0, 0)) == "quietHours"


@pytest.mark.parametrize(
    ("scope", "other_party", "agent_id", "key"),
    [
        ("per-phone", US, None, "voice:15550001234"),
        ("per-phone", "1 555 000 1234", "", "voice:15550001234"),
        ("per-phone", "sip:+15550001234@x.example", "bob", "agent:bob:voice:15550001234"),
        ("per-phone", "+1555", None, "voice:1555"),
        ("per-phone", "anonymous", None, "voice:c1"),
        ("per-phone", "client:bob2", None, "voice:c1"),
        ("per-phone", "+266696687", None, "voice:c1"),
        ("per-phone", "", None, "voice:c1"),
        ("per-call", US, None, "voice:c1"),
        ("per-call", US, "bob", "agent:bob:voice:c1"),
        ("main", US, None, "main"),
        ("main", US, "bob", "agent:bob:main"),
    ],
)
def test_the_session_key_follows_the_scope(
    scope: str, other_party: str, agent_id: str | None, key: str
) -> None:
    assert session_key(scope, other_party, "c1", agent_id) == key
