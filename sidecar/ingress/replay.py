"""What was answered before: the same verified request gets the same answer again, and nothing else
happens.

What makes two requests the same is the carrier's to say (`replay_key`); the keys of single pieces
of news are looked after by the engine.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sidecar.errors import Problem, StoreError
from sidecar.ports import Clock, Counters, HttpAnswer, SeenKey, Store, Write

KEPT_MS = 24 * 3_600_000
MEMORY_MAX = 2_000
"""Answers kept in memory; older ones are read from the store."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a request; one that changed nothing need not outlive the process."""

    answer: HttpAnswer
    durable: bool = True


class Replays:
    """Answers requests once per key.

    The key is stored with its answer, in one write after the events, and the answer is sent when
    that write is on disk. The write shares its flush with the others of that moment. After a crash
    between the two writes the carrier, which got no answer, sends the request again; it is then
    handled anew, and the keys of its news, stored with the events, keep them from applying twice.
    """

    def __init__(self, provider: str, store: Store, clock: Clock, counters: Counters) -> None:
        self._provider = provider
        self._store = store
        self._clock = clock
        self._counters = counters
        self._running: dict[str, asyncio.Future[HttpAnswer]] = {}
        self._answers: OrderedDict[str, tuple[int, HttpAnswer]] = OrderedDict()

    async def once(self, key: str, work: Callable[[], Awaitable[Outcome]]) -> HttpAnswer:
        """What `work` gives, or gave when it was done for this key before. An error reaches all
        who wait for it, and the key may be tried again."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        name = f"webhook:{self._provider}:{digest}"
        running = self._running.get(name)
        if running is not None:
            self._counters.count("webhook.replayed")
            # The first one's failure is this one's too; its cancellation is not.
            return await asyncio.shield(running)
        future: asyncio.Future[HttpAnswer] = asyncio.get_running_loop().create_future()
        self._running[name] = future
        try:
            answer = await self._known(name) or await self._do(name, work)
        except asyncio.CancelledError:
            future.set_exception(StoreError(_STOPPED))
            raise
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(answer)
            return answer
        finally:
            del self._running[name]
            if not future.cancelled():
                # With nobody waiting, the error has been raised here already.
                future.exception()

    async def _known(self, name: str) -> HttpAnswer | None:
        now_ms = self._clock.now_ms()
        kept = self._answers.get(name)
        if kept is not None and kept[0] > now_ms:
            self._answers.move_to_end(name)
            self._counters.count("webhook.replayed")
            return kept[1]
        stored = await self._store.seen(name, now_ms)
        if stored is None:
            return None
        self._counters.count("webhook.replayed")
        answer = _decoded(stored.answer)
        self._remember(name, stored.until_ms, answer)
        return answer

    async def _do(self, name: str, work: Callable[[], Awaitable[Outcome]]) -> HttpAnswer:
        outcome = await work()
        until_ms = self._clock.now_ms() + KEPT_MS
        if outcome.durable:
            key = SeenKey(name, until_ms, _encoded(outcome.answer))
            await self._store.commit(Write(seen=(key,)))
        self._remember(name, until_ms, outcome.answer)
        return outcome.answer

    def _remember(self, name: str, until_ms: int, answer: HttpAnswer) -> None:
        self._answers[name] = (until_ms, answer)
        self._answers.move_to_end(name)
        if len(self._answers) > MEMORY_MAX:
            self._answers.popitem(last=False)


_STOPPED = Problem(
    "storeUnavailable", "The request was given up before it was answered.", retryable=True
)


def _encoded(answer: HttpAnswer) -> str:
    members = {
        "status": answer.status,
        "body": answer.body,
        "contentType": answer.content_type,
    }
    return json.dumps(members, separators=(",", ":"))


def _decoded(text: str) -> HttpAnswer:
    """Raises `StoreError` for a row that this program did not write."""
    try:
        members = json.loads(text)
        return HttpAnswer(int(members["status"]), str(members["body"]), str(members["contentType"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        problem = Problem("storeUnavailable", "The store holds an answer that cannot be read.")
        raise StoreError(problem) from error
