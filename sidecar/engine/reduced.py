"""One event that was applied to a call, on its way to the store and to whoever carries it out."""

from collections.abc import Sequence
from dataclasses import dataclass

from sidecar.call.effects import Effect
from sidecar.call.events import (
    CallRequested,
    ContinueRequested,
    DigitsRequested,
    Event,
    HangupRequested,
    Incoming,
    SpeakRequested,
    TransferRequested,
)
from sidecar.call.model import Call
from sidecar.ports import Write

_UNDOABLE = (
    CallRequested,
    ContinueRequested,
    DigitsRequested,
    Incoming,
    SpeakRequested,
    TransferRequested,
)


@dataclass(frozen=True, slots=True)
class Reduced:
    """`rendered` are the effects that whoever submitted the event carries out; `durable` says that
    they must know when it could not be stored."""

    before: Call | None
    event: Event
    after: Call
    effects: Sequence[Effect]
    rendered: frozenset[type]
    write: Write
    durable: bool

    @property
    def undoable(self) -> bool:
        """What only asks for something new is taken back when it cannot be stored."""
        return isinstance(self.event, _UNDOABLE)

    @property
    def must_be_stored(self) -> bool:
        asked_to_end = isinstance(self.event, HangupRequested) and self.event.request_id is not None
        return self.durable or self.undoable or asked_to_end
