"""What Twilio got last for each call: so that nothing is sent twice, and a callback that tells that
something was said can be told what. In memory; what a restart loses is settled by the call."""

from collections import OrderedDict
from dataclasses import dataclass

from sidecar.call.model import Call, Utterance
from sidecar.ports import Clock
from sidecar.providers.twilio.wire import Playing

REMEMBERED = 1_000
BY_ITSELF = "message"
"""The key of a message that went out with the request for its call."""


@dataclass(frozen=True, slots=True)
class _Document:
    key: str
    playing: Playing | None = None
    busy_until_ms: int = 0


class Handed:
    """The last document of each call, by our id of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    def over(self, call: Call, key: str) -> None:
        """This document does what the call is doing now."""
        if call.is_over:
            self.forget(call.call_id)
            return
        if key == BY_ITSELF and self.has(call.call_id, key):
            return
        playing, said = None, call.saying
        if said is not None and not call.cutting:
            now_ms = self._clock.now_ms()
            playing = Playing(said.utterance_id, said.text, now_ms, key == BY_ITSELF)
        self._put(call.call_id, _Document(key, playing))

    def digits(self, call: Call, duration_ms: int) -> None:
        """These are being played; another document would cut them off."""
        until_ms = self._clock.now_ms() + duration_ms
        self._put(call.call_id, _Document("digits", None, until_ms))

    def forget(self, call_id: str) -> None:
        self._documents.pop(call_id, None)

    def has(self, call_id: str, key: str) -> bool:
        document = self._documents.get(call_id)
        return document is not None and document.key == key

    def playing(self, call_id: str) -> Playing | None:
        document = self._documents.get(call_id)
        return document.playing if document is not None else None

    async def idle(self, call_id: str) -> None:
        """Returns when the document may be replaced."""
        document = self._documents.get(call_id)
        if document is not None and document.busy_until_ms > self._clock.now_ms():
            await self._clock.sleep_until(document.busy_until_ms)

    def heard_of(self, call_id: str, said: Utterance) -> tuple[str, int]:
        """How much of it was heard by now, in words and ms: an estimate, because Twilio does not
        tell."""
        playing = self.playing(call_id)
        if playing is None or playing.utterance_id != said.utterance_id:
            return "", 0
        whole_ms = max(1, playing.usual_ms())
        heard_ms = min(max(0, self._clock.now_ms() - playing.started_at_ms), whole_ms)
        words = said.text.split()
        return " ".join(words[: len(words) * heard_ms // whole_ms]), heard_ms

    def _put(self, call_id: str, document: _Document) -> None:
        self._documents[call_id] = document
        self._documents.move_to_end(call_id)
        if len(self._documents) > REMEMBERED:
            self._documents.popitem(last=False)
