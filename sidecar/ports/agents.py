"""The host's agent, as far as the engine knows it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    text: str | None = None
    end_call: bool = False


class AgentGone(Exception):
    """The client that was asked for a reply disconnected before it answered."""


class AgentFailed(Exception):
    """The client answered with an error or with something malformed."""


class Agents(Protocol):
    """The connected clients that offered to answer `agent.respond`; the newest is asked."""

    @property
    def available(self) -> bool: ...

    def on_change(self, listener: Callable[[], None]) -> None:
        """`listener` is called when `available` may have changed."""
        ...

    async def respond(
        self, params: Mapping[str, Any], on_delta: Callable[[str], None]
    ) -> AgentAnswer:
        """Ask for one reply; raises `AgentGone` or `AgentFailed`. Cancelling this coroutine tells
        the client to stop."""
        ...
