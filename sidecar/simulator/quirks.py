"""Quirk switches: the ways in which a real carrier is not tidy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Delivery(StrEnum):
    """What may befall a callback on its way."""

    NORMAL = "normal"
    LATE = "late"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CallbackQuirk:
    """`late_s` is how late a late one comes."""

    delivery: Delivery = Delivery.NORMAL
    late_s: float = 0.0


NO_QUIRK = CallbackQuirk()


class Trouble(StrEnum):
    """How a REST answer goes wrong. `unreached`: the connection closes and nothing is done.
    `lost`: it is done, and the connection closes without an answer. `half-closed`: it is done, and
    the answer breaks off. `slow`: it is done, and the answer comes late. `status`: an error."""

    UNREACHED = "unreached"
    LOST = "lost"
    HALF_CLOSED = "half-closed"
    SLOW = "slow"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class RestFault:
    """One answer that goes wrong. `status` is for `Trouble.STATUS`; `slow_s` is real time;
    `performed` tells whether a request that gets an error status is carried out all the same."""

    trouble: Trouble
    status: int = 503
    slow_s: float = 0.0
    performed: bool = False


@dataclass(frozen=True, slots=True)
class Quirks:
    """All switches; the defaults are a tidy carrier.

    `callbacks`: by name: news (`initiated`, `ringing`, `answered`, `completed`, `machine`, or
    `all` of these) and requests for documents (`voice`, `gather`, `redirect`, `dial`), which may
    only be late or doubled. `drop_query`: webhooks come without the query string of their URL.
    `refuse_redirects`: so many new documents are refused as if the call were not in progress.
    `never_ends`: no call ever reaches a final status. `ended_is_gone`: an update of an ended call
    is 404. `empty_digits`: a `<Gather>` without input brings an empty `SpeechResult` and `Digits`.
    `rest`: what goes wrong with the first requests, by operation (`create`, `update`, `fetch`,
    `list`).
    """

    callbacks: Mapping[str, CallbackQuirk] = field(default_factory=dict)
    drop_query: bool = False
    refuse_redirects: int = 0
    never_ends: bool = False
    ended_is_gone: bool = False
    empty_digits: bool = False
    rest: Mapping[str, tuple[RestFault, ...]] = field(default_factory=dict)

    def of(self, callback: str) -> CallbackQuirk:
        return self.callbacks.get(callback) or self.callbacks.get("all") or NO_QUIRK

    def of_document(self, request: str) -> CallbackQuirk:
        return self.callbacks.get(request, NO_QUIRK)
