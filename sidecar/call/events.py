"""Everything that can happen to a call. Past tense; every event carries `at_ms`.

Events of the host are requests and are always answered; events of a carrier, of the audio and of
time may come late, twice or in the wrong order, and then change nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from sidecar.call.model import Call, EndReason
from sidecar.errors import Problem


class Outcome(StrEnum):
    """How an utterance ended, as `call.utterance` reports it."""

    PLAYED = "played"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


# -- the host -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallRequested:
    """The host wants a call. `draft` is the new call in state `initiated`."""

    at_ms: int
    draft: Call
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class SpeakRequested:
    at_ms: int
    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ContinueRequested:
    """Say `text`, then wait for the caller's words on behalf of `request_id`."""

    at_ms: int
    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class HangupRequested:
    """End the call: after what is being said when `after_playout`, else at once. `farewell` is
    said first when there is one and the line is live. `request_id` is None when we end the call
    on our own account (draining)."""

    at_ms: int
    request_id: str | None = None
    after_playout: bool = False
    farewell: str | None = None


@dataclass(frozen=True, slots=True)
class DigitsRequested:
    at_ms: int
    request_id: str
    digits: str


@dataclass(frozen=True, slots=True)
class TransferRequested:
    at_ms: int
    request_id: str
    to_number: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RequestDropped:
    """Whoever waited for `request_id` went away."""

    at_ms: int
    request_id: str


# -- the host's agent -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgentOffered:
    """A client that answers `agent.respond` is connected (again)."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The last client that answers `agent.respond` has gone."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class ReplyLost:
    """The client that was writing the reply disconnected; `another` is there to be asked."""

    at_ms: int
    reply_id: str
    another: bool


@dataclass(frozen=True, slots=True)
class ReplyGrew:
    """The agent streamed `text`, to be added to what it said of this reply before."""

    at_ms: int
    reply_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The agent answered. `text` is its whole reply, or None when the deltas were all of it."""

    at_ms: int
    reply_id: str
    text: str | None = None
    end_call: bool = False


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    at_ms: int
    reply_id: str
    why: str


# -- the carrier ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Incoming:
    """An accepted call from outside (or one placed elsewhere and pointed at us). `draft` is the
    new call; policy has already been applied."""

    at_ms: int
    draft: Call


@dataclass(frozen=True, slots=True)
class Dialed:
    """The carrier accepted our call."""

    at_ms: int
    provider_call_id: str


@dataclass(frozen=True, slots=True)
class DialFailed:
    """The carrier refused our call, or certainly never got it."""

    at_ms: int
    problem: Problem


@dataclass(frozen=True, slots=True)
class Ringing:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Answered:
    at_ms: int


@dataclass(frozen=True, slots=True)
class LineLive:
    """Speech can pass now."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Heard:
    """Final words of the caller. `turn` is the token of the prompt they answer; None when the
    source has no tokens (a live stream, the mock line) and means the turn of this moment. A source
    that has tokens but lost one gives the empty string, which no prompt accepts. `after` is set
    when the same report proves how the prompt they answer ended."""

    at_ms: int
    text: str
    turn: str | None = None
    confidence: float | None = None
    language: str | None = None
    after: "Spoken | None" = None


@dataclass(frozen=True, slots=True)
class SilenceHeard:
    """The carrier's recogniser heard nothing for `duration_ms`."""

    at_ms: int
    duration_ms: int
    turn: str | None = None


@dataclass(frozen=True, slots=True)
class DigitsHeard:
    at_ms: int
    digits: str


@dataclass(frozen=True, slots=True)
class MachineDetected:
    """`result` is `human`, `voicemail`, `ivr`, `fax` or `unknown`; `beep` says that a message may
    be left now."""

    at_ms: int
    result: str
    beep: bool = False


@dataclass(frozen=True, slots=True)
class TransferDone:
    at_ms: int


@dataclass(frozen=True, slots=True)
class TransferFailed:
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class CarrierFault:
    """The carrier reported an error on a running call; not `retryable` ends the call."""

    at_ms: int
    error: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The carrier says the call is over. `reason` as far as it tells; None when it only says that
    the call ended."""

    at_ms: int
    reason: EndReason | None = None


@dataclass(frozen=True, slots=True)
class LegAlive:
    """The carrier, asked, says the call goes on."""

    at_ms: int


# -- the audio ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance ended: how, and how much of it reached the far end."""

    at_ms: int
    utterance_id: str
    outcome: Outcome
    heard_text: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """Digits were handed to the carrier: for `request_id`, or, when it is None, those that precede
    the conversation."""

    at_ms: int
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class DigitsFailed:
    at_ms: int
    problem: Problem
    request_id: str | None = None


# -- time and the process -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The call's `next_deadline` has come."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """We were restarted while the call was open. Comes first with `alive` None, before anybody can
    ask anything of the call, and then once more with the carrier's word on the leg; `reason` is why
    it ended when it did."""

    at_ms: int
    alive: bool | None
    reason: EndReason | None = None


HostEvent = (
    CallRequested
    | SpeakRequested
    | ContinueRequested
    | HangupRequested
    | DigitsRequested
    | TransferRequested
    | RequestDropped
)
AgentEvent = AgentOffered | AgentLost | ReplyLost | ReplyGrew | ReplyDone | ReplyFailed
CarrierEvent = (
    Incoming
    | Dialed
    | DialFailed
    | Ringing
    | Answered
    | LineLive
    | Heard
    | SilenceHeard
    | DigitsHeard
    | MachineDetected
    | TransferDone
    | TransferFailed
    | CarrierFault
    | LegEnded
    | LegAlive
)
AudioEvent = Spoken | DigitsSent | DigitsFailed
TimeEvent = DeadlinePassed | Restarted
Event = HostEvent | AgentEvent | CarrierEvent | AudioEvent | TimeEvent
