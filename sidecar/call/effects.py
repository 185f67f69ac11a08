"""Everything that a call can ask for. Imperative; performed by the engine after the call is stored.

Effects for the carrier or the call's audio are performed in order, one after the other; `Reply`
and `Notify` have no network behind them and are handed over at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sidecar.call.model import Utterance
from sidecar.errors import Problem

# -- for the carrier or the audio -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dial:
    """Place the call."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Take an inbound call."""


@dataclass(frozen=True, slots=True)
class Say:
    """Play an utterance; ends in exactly one `Spoken`."""

    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Listen:
    """It is the caller's turn. `awaited` tells that somebody waits for the words: a `continue`, or
    an agent that will answer them."""

    turn: str
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class Clear:
    """Stop what is being said; its `Spoken` says how much was heard."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the leg; repeated until the carrier confirms it."""


@dataclass(frozen=True, slots=True)
class SendDigits:
    """`0-9 A-D * #`, `w` = 0.5 s, `W` = 1 s; on behalf of `request_id`, or, when it is None, before
    the conversation begins. Ends in `DigitsSent` or `DigitsFailed`."""

    digits: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the leg over; the bridge may live for `time_limit_s`."""

    to_number: str
    time_limit_s: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask the carrier whether the leg is alive."""


# -- for the host ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskAgent:
    """Ask the host's agent for a reply to `message`."""

    reply_id: str
    message: str


@dataclass(frozen=True, slots=True)
class CancelReply:
    reply_id: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a host request: a result or the problem."""

    request_id: str
    answer: Mapping[str, Any] | Problem


@dataclass(frozen=True, slots=True)
class Notify:
    """A journalled event for the host. `members` are those of the wire beside `seq`, `at`, `type`
    and `callId`; `call.ended` gets the final record from the engine."""

    type: str
    members: Mapping[str, Any]


CarrierEffect = Dial | Answer | Say | Listen | Clear | Hangup | SendDigits | Transfer | Poll
HostEffect = AskAgent | CancelReply | Reply | Notify
Effect = CarrierEffect | HostEffect
