"""A public address for the webhook listener."""

from collections.abc import Callable
from typing import Protocol

from sidecar.errors import Problem


class Tunnel(Protocol):
    """A public address for a local port.

    `problem` is what is wrong with it now, for `voicecall.setup`; None when it stands or is still
    being set up.
    """

    name: str

    @property
    def problem(self) -> Problem | None: ...

    def on_change(self, listener: Callable[[str | None], None]) -> None:
        """`listener` gets the public webhook URL when it appears or changes, None when it is
        lost."""
        ...

    async def up(self, port: int) -> str:
        """The public webhook URL for the listener on `port`, once it is known; afterwards it is
        kept up. Raises `TunnelError` when trying again cannot help. Cancelling this stops the
        waiting only; calling it again waits again."""
        ...

    async def down(self) -> None: ...
