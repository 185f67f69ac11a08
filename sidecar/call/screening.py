"""Who may call us: normal forms of telephone numbers, the inbound policy, and pairing.

Only decisions live here; taking or rejecting the call, storing pairings and drawing random digits
belong to the engine. Outbound policy is in `policy`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PAIRING_VALID_MS = 3_600_000
PAIRING_CALL_INTERVAL_MS = 3_600_000
MAX_PENDING_PAIRINGS = 20
CODE_DIGITS = 6

# Longer than any number or SIP address that a carrier sends; bounds the work on hostile input.
_LONGEST_RAW = 256
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Dots and every dash that formatting uses; ASCII and no-break spaces. Newlines are not formatting.
_FORMATTING = re.compile("[ \t\u00a0\u2009\u202f().\u2010-\u2015\u2212-]")
_ADDRESS = re.compile(r"<\s*((?:sips?|tel):[^<>]*)>", re.IGNORECASE)

_WITHHELD_WORDS = ("anonymous", "restricted", "blocked", "unknown", "unavailable", "private")
_KEYPAD = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
# Carriers spell the word on the keypad where they have to send digits (+266696687 is ANONYMOUS);
# none of these is a number that anyone can have.
_WITHHELD_NUMBERS = frozenset("+" + word.translate(_KEYPAD) for word in _WITHHELD_WORDS)


class RejectReason(StrEnum):
    """Why an inbound call is turned away, as `call.rejected` reports it."""

    DISABLED = "disabled"
    ALLOWLIST = "allowlist"
    PAIRING = "pairing"
    CAPACITY = "capacity"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an inbound call: take it, or reject it for `reason`."""

    reason: RejectReason | None = None

    @property
    def accepted(self) -> bool:
        return self.reason is None


class PendingPairing(Protocol):
    """A code that was read to a caller and that nobody approved yet."""

    @property
    def code(self) -> str: ...

    @property
    def number(self) -> str: ...

    @property
    def until_ms(self) -> int: ...

    @property
    def called_at_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ReadCode:
    """Answer the unknown caller and read a code: `code`, or a new one where that is None."""

    code: str | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Reject the unknown caller without a word."""


def normalise_number(raw: str | None, assume_plus: bool = False) -> str | None:
    """The exact E.164 form of what a carrier gave as a number, or None where it is not one.

    Formatting, `tel:` and `sip:` forms and a leading `00` are understood. None stands for a
    missing, withheld, partial or alphanumeric number. With `assume_plus`, digits alone are read
    as an international number without its plus sign, which is how Plivo writes numbers.
    """
    if raw is None or len(raw) > _LONGEST_RAW:
        return None
    number = _FORMATTING.sub("", _bare_user(raw.strip()))
    if number.startswith("00"):
        number = "+" + number[2:]
    elif assume_plus and not number.startswith("+"):
        number = "+" + number
    if not _E164.fullmatch(number) or number in _WITHHELD_NUMBERS:
        return None
    return number


def _bare_user(address: str) -> str:
    """The part of a `sip:` or `tel:` address that may be a number; other text as it is."""
    # The last one: before it stands a name, which the caller chooses.
    if named := _ADDRESS.findall(address):
        address = named[-1]
    scheme, colon, rest = address.partition(":")
    if not colon:
        return address
    match scheme.lower():
        case "tel":
            return rest.partition(";")[0]
        case "sip" | "sips":
            return rest.partition("@")[0].partition(";")[0]
    return address


def other_party_digits(raw: str) -> str:
    """The digits that name the other party, or nothing where they name nobody in particular."""
    number = normalise_number(raw, assume_plus=True)
    if number is not None:
        return number[1:]
    compact = _FORMATTING.sub("", raw)
    if compact in _WITHHELD_NUMBERS or "+" + compact in _WITHHELD_NUMBERS:
        return ""
    digits = compact.removeprefix("+")
    return digits if digits.isascii() and digits.isdecimal() else ""


def screen(
    policy: str,
    caller: str | None,
    allow_from: Collection[str],
    paired: bool,
    active_calls: int,
    max_calls: int,
) -> Verdict:
    """Whether an inbound call is taken under `inboundPolicy`.

    The list is asked before the capacity, so that a stranger never learns that the line is busy.
    A policy we do not know rejects like `disabled`: the door stays shut when in doubt.
    """
    match policy:
        case "open":
            admitted = True
        case "allowlist":
            admitted = _listed(caller, allow_from)
        case "pairing":
            admitted = _listed(caller, allow_from) or (
                paired and normalise_number(caller) is not None
            )
        case _:
            return Verdict(RejectReason.DISABLED)
    if not admitted:
        return Verdict(RejectReason(policy))
    if active_calls >= max_calls:
        return Verdict(RejectReason.CAPACITY)
    return Verdict()


def _listed(caller: str | None, allow_from: Iterable[str]) -> bool:
    number = normalise_number(caller)
    return number is not None and any(normalise_number(entry) == number for entry in allow_from)


def pairing_decision(
    pending: Iterable[PendingPairing], number: str | None, now_ms: int
) -> ReadCode | Silent:
    """What an unknown caller under the `pairing` policy gets.

    One code per number while it is valid, at most 20 valid codes at a time, and one answered call
    per number and hour; everything beyond that is rejected silently. A caller without a number
    cannot be paired.
    """
    caller = normalise_number(number)
    if caller is None:
        return Silent()
    codes = list(pending)
    own = [each for each in codes if each.number == caller]
    if any(now_ms - each.called_at_ms < PAIRING_CALL_INTERVAL_MS for each in own):
        return Silent()
    valid = [each for each in own if each.until_ms > now_ms]
    if valid:
        return ReadCode(valid[-1].code)
    if sum(each.until_ms > now_ms for each in codes) >= MAX_PENDING_PAIRINGS:
        return Silent()
    return ReadCode()


def pairing_code(draw: int, pending: Iterable[PendingPairing]) -> str:
    """The six digits of a new code, from a random number of the caller's drawing.

    A code that is pending already is passed over, because a code must name one number.
    """
    taken = {each.code for each in pending}
    space = 10**CODE_DIGITS
    code = f"{draw % space:0{CODE_DIGITS}d}"
    while code in taken:
        draw += 1
        code = f"{draw % space:0{CODE_DIGITS}d}"
    return code


def spell_code(code: str) -> str:
    """A code as a voice should read it: digit by digit."""
    return ", ".join(code)
