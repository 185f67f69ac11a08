"""Where a command works: the configuration, its store, and the sidecar that runs on it, if any."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar import log
from sidecar.app.lockfile import Running, read_lock
from sidecar.app.token import VARIABLE
from sidecar.cli.client import Client, TokenRefused, WebSocketLink
from sidecar.cli.exits import NoSidecar
from sidecar.config import Loaded, load_config, process_environment, store_path
from sidecar.errors import ConfigError

if TYPE_CHECKING:
    from sidecar.store.offline.reader import StoreReader

Events = Mapping[str, Any] | bool
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Site:
    """`token` is the environment's, read before a sidecar in this process takes it out."""

    loaded: Loaded
    store: str
    token: str

    @classmethod
    def load(cls, config: str | None) -> "Site":
        """Raises `ConfigError`."""
        # Before anything can log: what is not set up goes to stdout.
        log.set_up(level="error", style="console")
        loaded = load_config(config)
        store = store_path(loaded.config)
        if "://" in store:
            what = "PostgreSQL is not supported in this version; name a file"
            raise ConfigError([("store", what)])
        return cls(loaded, store, process_environment().get(VARIABLE, "").strip())

    def running(self) -> Running | None:
        """The sidecar that says it serves this store."""
        return read_lock(self.store)

    @asynccontextmanager
    async def client(self, events: Events = False) -> AsyncIterator[Client]:
        """A client of the running sidecar; raises `NoSidecar`."""
        client = await self.connected(events)
        try:
            yield client
        finally:
            await client.close()

    async def connected(self, events: Events) -> Client:
        """A client that the caller closes; raises `NoSidecar`."""
        running = self.running()
        if running is None:
            raise NoSidecar("No sidecar is running.")
        client = Client(await WebSocketLink.open(running.url, self._token_of(running)))
        opened = False
        try:
            await client.open(events)
            opened = True
        finally:
            if not opened:
                await client.close()
        return client

    async def ask_or_read(
        self,
        method: str,
        params: Mapping[str, Any],
        read: Callable[["StoreReader"], Mapping[str, Any]],
    ) -> Mapping[str, Any]:
        """The answer of the running sidecar, else what `read` finds in the store."""
        try:
            async with self.client() as client:
                return await client.request(method, params)
        except NoSidecar:
            return self.read(read)

    def read(self, read: "Callable[[StoreReader], _T]") -> _T:
        """Raises `StoreError`."""
        from sidecar.store.offline.reader import StoreReader

        with StoreReader(self.store) as reader:
            return read(reader)

    def _token_of(self, running: Running) -> str:
        if running.token_file is None:
            if not self.token:
                raise TokenRefused(
                    f"The sidecar (pid {running.pid}) took its token from the environment.",
                    "Set VOICECALL_RPC_TOKEN to the same token.",
                )
            return self.token
        try:
            return Path(running.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TokenRefused(
                f"The token file of the sidecar (pid {running.pid}) cannot be read.",
                f"Run this as the user who started it: {running.token_file}",
            ) from error
