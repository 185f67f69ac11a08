"""Who may call us."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.call.screening import (
    MAX_PENDING_PAIRINGS,
    ReadCode,
    RejectReason,
    Silent,
    Verdict,
    normalise_number,
    pairing_code,
    pairing_decision,
    screen,
    spell_code,
)

CALLER = "+15550001234"
HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@dataclass(frozen=True)
class Pending:
    number: str = CALLER
    code: str = "123456"
    until_ms: int = NOW_MS + 1
    called_at_ms: int = NOW_MS - HOUR_MS


@pytest.mark.parametrize(
    "raw",
    [
        CALLER,
        " +1 (555) 000-1234 ",
        "+1.555.000.1234",
        "+1\u00a0555\u20110001234",
        "tel:+1-555-000-1234",
        "tel:+15550001234;ext=5",
        "sip:+15550001234@carrier.example",
        "SIPS:+15550001234;user=phone@carrier.example:5061;transport=tls",
        '"Bob" <sip:+15550001234@carrier.example>',
        "0015550001234",
    ],
)
def test_formatting_does_not_matter(raw: str) -> None:
    assert normalise_number(raw) == CALLER


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "+",
        "anonymous",
        "Restricted",
        "unavailable",
        "sip:anonymous@anonymous.invalid",
        "client:bob",
        "+1555",
        "+0155500012345",
        "+1555000123456789",
        "+1555000123a",
        "+1555\n0001234",
        "++15550001234",
        "+1555000123*",
        "+\u0661\u0665\u0665\u0665\u0660\u0660\u0660\u0661\u0662\u0663\u0664",
        "15550001234",
        "+266696687",
        "+7378742833",
        "+86282452253",
        "+" + " " * 1_000,
    ],
)
def test_what_is_no_whole_number_is_none(raw: str | None) -> None:
    assert normalise_number(raw) is None


def test_a_name_that_looks_like_a_number_is_not_taken_for_it() -> None:
    assert normalise_number(f'"<tel:{CALLER}>" <sip:anonymous@x.example>') is None


def test_digits_alone_are_a_number_only_where_the_carrier_writes_them_so() -> None:
    assert normalise_number("15550001234", assume_plus=True) == CALLER
    assert normalise_number(CALLER, assume_plus=True) == CALLER
    assert normalise_number("266696687", assume_plus=True) is None
    assert normalise_number("anonymous", assume_plus=True) is None


@given(st.one_of(st.text(), st.text("+0123456789 -().:;@<>siptel")), st.booleans())
def test_any_text_is_a_number_that_stays_as_it_is_or_none(raw: str, assume_plus: bool) -> None:
    number = normalise_number(raw, assume_plus)
    assert number is None or normalise_number(number, assume_plus) == number


@pytest.mark.parametrize(
    ("policy", "caller", "paired", "active", "reason"),
    [
        ("disabled", CALLER, True, 0, RejectReason.DISABLED),
        ("disabled", CALLER, True, 1, RejectReason.DISABLED),
        ("nonsense", CALLER, True, 0, RejectReason.DISABLED),
        ("open", None, False, 0, None),
        ("open", None, False, 1, RejectReason.CAPACITY),
        ("allowlist", CALLER, False, 0, None),
        ("allowlist", "tel:+1 555 000 1234", False, 0, None),
        ("allowlist", CALLER, False, 1, RejectReason.CAPACITY),
        ("allowlist", "+15550009999", True, 0, RejectReason.ALLOWLIST),
        ("allowlist", "+15550009999", False, 1, RejectReason.ALLOWLIST),
        ("allowlist", "+1555000123", False, 0, RejectReason.ALLOWLIST),
        ("allowlist", None, False, 0, RejectReason.ALLOWLIST),
        ("pairing", CALLER, False, 0, None),
        ("pairing", "+15550009999", True, 0, None),
        ("pairing", "+15550009999", True, 1, RejectReason.CAPACITY),
        ("pairing", "+15550009999", False, 1, RejectReason.PAIRING),
        ("pairing", None, True, 0, RejectReason.PAIRING),
    ],
)
def test_the_policy_decides_before_the_capacity(
    policy: str, caller: str | None, paired: bool, active: int, reason: RejectReason | None
) -> None:
    verdict = screen(policy, caller, ["+1 555 000 1234", "anonymous"], paired, active, 1)
    assert verdict == Verdict(reason)
    assert verdict.accepted is (reason is None)


def test_an_unknown_caller_gets_a_new_code() -> None:
    assert pairing_decision([], CALLER, NOW_MS) == ReadCode()


def test_a_caller_without_a_number_gets_none() -> None:
    assert pairing_decision([], None, NOW_MS) == Silent()
    assert pairing_decision([], "anonymous", NOW_MS) == Silent()


def test_a_code_that_is_still_valid_is_read_again_after_an_hour() -> None:
    assert pairing_decision([Pending()], CALLER, NOW_MS) == ReadCode("123456")


def test_a_second_call_within_the_hour_is_rejected_silently() -> None:
    recent = Pending(called_at_ms=NOW_MS - HOUR_MS + 1)
    assert pairing_decision([recent], CALLER, NOW_MS) == Silent()
    expired = Pending(until_ms=NOW_MS, called_at_ms=NOW_MS - HOUR_MS + 1)
    assert pairing_decision([expired], CALLER, NOW_MS) == Silent()


def test_an_expired_code_is_replaced_by_a_new_one() -> None:
    assert pairing_decision([Pending(until_ms=NOW_MS)], CALLER, NOW_MS) == ReadCode()


def test_beyond_twenty_pending_codes_callers_are_rejected_silently() -> None:
    others = [Pending(number=f"+1555001{n:04d}") for n in range(MAX_PENDING_PAIRINGS)]
    assert pairing_decision(others, CALLER, NOW_MS) == Silent()
    assert pairing_decision(others[1:], CALLER, NOW_MS) == ReadCode()
    assert pairing_decision([Pending(until_ms=0), *others[1:]], CALLER, NOW_MS) == ReadCode()
    assert pairing_decision([Pending(), *others], CALLER, NOW_MS) == ReadCode("123456")


def test_a_code_has_six_digits_and_names_one_number() -> None:
    assert pairing_code(42, []) == "000042"
    assert pairing_code(7_123_456, []) == "123456"
    assert pairing_code(999_999, [Pending(code="999999"), Pending(code="000000")]) == "000001"


def test_a_code_is_read_digit_by_digit() -> None:
    assert spell_code("012345") == "0, 1, 2, 3, 4, 5"
