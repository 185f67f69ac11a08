"""Asks the host's agent for replies: one task per reply, its answer back as events of the call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sidecar.call.effects import AskAgent
from sidecar.call.events import Event, ReplyDone, ReplyFailed, ReplyGrew, ReplyLost
from sidecar.call.model import Call
from sidecar.call.spoken import default_system_prompt
from sidecar.ports import AgentFailed, AgentGone, Agents, Clock
from sidecar.tasks import TaskSet

Submit = Callable[[str, Event], Awaitable[object]]


class Replies:
    """The replies that are being written now."""

    def __init__(
        self,
        agents: Agents,
        clock: Clock,
        submit: Submit,
        lines: Callable[[Call], list[dict[str, Any]]],
    ) -> None:
        """`lines` gives a call's transcript as it looks on the wire."""
        self._agents = agents
        self._clock = clock
        self._submit = submit
        self._lines = lines
        self._tasks = TaskSet()
        self._running: dict[str, asyncio.Task[Any]] = {}

    def ask(self, call: Call, effect: AskAgent) -> None:
        task = self._tasks.spawn(self._ask(call, effect), f"reply {effect.reply_id}")
        self._running[effect.reply_id] = task
        task.add_done_callback(lambda _: self._running.pop(effect.reply_id, None))

    def cancel(self, reply_id: str) -> None:
        task = self._running.pop(reply_id, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        await self._tasks.close()

    async def _ask(self, call: Call, effect: AskAgent) -> None:
        reply_id, call_id = effect.reply_id, call.call_id

        def on_delta(text: str) -> None:
            event = ReplyGrew(self._clock.now_ms(), reply_id, text)
            # Tasks begin in the order they are made, so deltas stay in order and come before the
            # answer, which wakes this task only later.
            self._tasks.spawn(self._tell(call_id, event), f"delta {reply_id}")

        try:
            answer = await self._agents.respond(self._params(call, effect), on_delta)
        except AgentGone:
            event: Event = ReplyLost(self._clock.now_ms(), reply_id, self._agents.available)
        except AgentFailed as error:
            event = ReplyFailed(self._clock.now_ms(), reply_id, str(error))
        else:
            event = ReplyDone(self._clock.now_ms(), reply_id, answer.text, answer.end_call)
        # The answer is in: from here on a cancellation comes too late and must not tear the event.
        self._running.pop(reply_id, None)
        await self._submit(call_id, event)

    async def _tell(self, call_id: str, event: Event) -> None:
        await self._submit(call_id, event)

    def _params(self, call: Call, effect: AskAgent) -> dict[str, Any]:
        """`agent.respond` as calls.md has it."""
        agent = call.agent
        params: dict[str, Any] = {
            "callId": call.call_id,
            "sessionKey": call.session_key,
            "from": call.from_number,
            "to": call.to_number,
            "direction": call.direction.value,
            "message": effect.message,
            "transcript": self._lines(call),
            "systemPrompt": agent.system_prompt or default_system_prompt(call.other_party),
            "timeoutMs": call.limits.response_ms,
        }
        if agent.agent_id is not None:
            params["agentId"] = agent.agent_id
        if agent.model is not None:
            params["model"] = agent.model
        return params
