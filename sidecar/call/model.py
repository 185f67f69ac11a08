"""The call record and its parts: everything that is known about one call, as frozen values.

Times are integers, milliseconds since the epoch, and end in `_ms`, `_at_ms` or `_until_ms`. What
may happen to a call is in `machine` and `rules`; how a call looks on the wire is in `rpc`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a call is. The first six are the wire's names; `ended` carries an `EndReason`."""

    INITIATED = "initiated"
    RINGING = "ringing"
    ANSWERED = "answered"
    ACTIVE = "active"
    SPEAKING = "speaking"
    LISTENING = "listening"
    ENDING = "ending"
    ENDED = "ended"


class EndReason(StrEnum):
    """The terminal states of the contract."""

    COMPLETED = "completed"
    HANGUP_USER = "hangup-user"
    HANGUP_BOT = "hangup-bot"
    TIMEOUT = "timeout"
    ERROR = "error"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    BUSY = "busy"
    VOICEMAIL = "voicemail"


class Mode(StrEnum):
    """`notify` says its message and hangs up; `conversation` stays and listens."""

    NOTIFY = "notify"
    CONVERSATION = "conversation"


class Direction(StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Speaker(StrEnum):
    BOT = "bot"
    USER = "user"


class Origin(StrEnum):
    """Who asked for an utterance; decides what happens around it."""

    MESSAGE = "message"
    GREETING = "greeting"
    SPEAK = "speak"
    PROMPT = "prompt"
    REPLY = "reply"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Limits:
    """Durations in ms, copied into the call when it is created: a later change of configuration
    never changes a running call. Zero means off where the contract says so."""

    ring_ms: int = 30_000
    max_duration_ms: int = 300_000
    transcript_ms: int = 180_000
    response_ms: int = 30_000
    ack_ms: int = 0
    notify_hangup_ms: int = 3_000
    stale_ms: int = 0
    hangup_ms: int = 5_000
    poll_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the sidecar says on its own account."""

    ack: str = "One moment, please."
    apology: str = "I am sorry, I cannot answer that right now."
    goodbye: str = "Goodbye."
    hold: str = "Please hold the line for a moment."


@dataclass(frozen=True, slots=True)
class BargeIn:
    """What stops the bot while it speaks, as far as recognised words go."""

    enabled: bool = True
    min_words: int = 0
    ignore: tuple[str, ...] = ()
    protect_greeting: bool = False


@dataclass(frozen=True, slots=True)
class Agent:
    """What goes with every reply request to the host's agent."""

    agent_id: str | None = None
    model: str | None = None
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One piece of speech with an id. `turn` is the token that the caller's answer to it bears."""

    utterance_id: str
    text: str
    turn: str
    origin: Origin
    reply_id: str | None = None
    end_after: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript; lines are only ever appended. For the bot, `text` is what was
    actually heard."""

    timestamp_ms: int
    speaker: Speaker
    text: str
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Latency of one turn, from the caller's last words to the bot's answer: figures in ms by the
    names of the contract (`endpointing`, `agent`, `synthesis`, `playout`, `total`, `bargeInStop`),
    and `listenWait` (how long we listened for the words) and `firstAudio` (from the answer's first
    text to its first sound)."""

    index: int
    started_at_ms: int
    latency: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiter:
    """The one host request that waits for words. `utterance_id` is its prompt; `armed` tells that
    the prompt has begun, so that words may answer it; `until_ms` is set when we listen for them and
    its time begins."""

    request_id: str
    utterance_id: str
    armed: bool = False
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PendingReply:
    """A reply that the host's agent is writing. `received` is its text so far, `spoken` how many
    characters of it have been handed to the voice. `until_ms` is its time limit; `ack_at_ms` the
    moment to say that it takes a while; `hold_until_ms` is set while no agent is connected."""

    reply_id: str
    message: str
    asked_at_ms: int
    until_ms: int
    ack_at_ms: int | None = None
    received: str = ""
    spoken: int = 0
    hold_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What the caller said, as it waits for the bot's cut utterance to be settled."""

    text: str
    confidence: float | None = None
    language: str | None = None


class Detection(StrEnum):
    """What to do about answering machines (`outbound.machineDetection`)."""

    OFF = "off"
    DETECT = "detect"
    LEAVE_MESSAGE = "leave-message"


@dataclass(frozen=True, slots=True)
class Call:
    """Everything known about one call; the only thing that is stored of it.

    The first group of fields is the record of the contract; the second is copied in when the call
    is created; the third is the talk as it stands; the fourth are deadlines, absolute times.

    `streaming`: audio goes through our own session, else the carrier speaks for us.
    `announced`: the creating request (`dial_request`) was answered and `call.initiated` is out.
    `listening_at_ms`, `heard_at_ms` and `agent_at_ms` time the turn that is under way.
    `turn`: the token that the caller's words must bear now. `cutting`: a `Clear` is under way, and
    `unheard` holds the words that wait for it. `ending_as`: the reason a call that is `ending`
    will have; `before_ending` the state the wire shows until then. `hangup_due`: the carrier has
    not confirmed our hang-up yet, which may outlive the call. `leg_over`: the carrier said that the
    leg has ended. `next_id` numbers what the call names (utterances, turns, replies). `transferred`
    calls are never hung up by us. `adrift`: what was going on belongs to a process that is gone.
    """

    call_id: str
    provider: str
    direction: Direction
    mode: Mode
    state: State
    from_number: str
    to_number: str
    session_key: str
    started_at_ms: int
    provider_call_id: str | None = None
    answered_at_ms: int | None = None
    ended_at_ms: int | None = None
    end_reason: EndReason | None = None
    before_ending: State | None = None
    transcript: tuple[Line, ...] = ()
    turns: tuple[Turn, ...] = ()
    dtmf: str = ""
    machine: str | None = None
    metadata: Mapping[str, Any] | None = None

    limits: Limits = Limits()
    phrases: Phrases = Phrases()
    barge_in: BargeIn = BargeIn()
    agent: Agent = Agent()
    detection: Detection = Detection.OFF
    streaming: bool = False
    dtmf_sequence: str = ""
    greeting: str | None = None
    voice: Mapping[str, Any] | None = None

    announced: bool = False
    dial_request: str | None = None
    turn: str = ""
    saying: Utterance | None = None
    cutting: bool = False
    queue: tuple[Utterance, ...] = ()
    unheard: tuple[Words, ...] = ()
    waiter: Waiter | None = None
    agent_online: bool = False
    agent_lost_at_ms: int | None = None
    reply: PendingReply | None = None
    listening_at_ms: int | None = None
    heard_at_ms: int | None = None
    agent_at_ms: int | None = None
    digit_requests: tuple[str, ...] = ()
    transfer_to: str | None = None
    transferred: bool = False
    awaiting_beep: bool = False
    end_after_playout: bool = False
    ending_as: EndReason | None = None
    hangup_due: bool = False
    leg_over: bool = False
    adrift: bool = False
    next_id: int = 1

    state_until_ms: int | None = None
    ends_by_ms: int | None = None
    reap_by_ms: int | None = None
    poll_at_ms: int | None = None

    @property
    def is_over(self) -> bool:
        return self.state is State.ENDED

    @property
    def is_answered(self) -> bool:
        return self.answered_at_ms is not None

    @property
    def other_party(self) -> str:
        """The number at the far end."""
        return self.to_number if self.direction is Direction.OUTBOUND else self.from_number
