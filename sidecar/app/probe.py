"""Calls our own public address and sees whether it arrives, for `voicecall.setup`.

A proxy may refuse to be called from inside the network it serves, so what does not arrive is a
warning and not a failure.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import structlog

from sidecar.config import Config
from sidecar.errors import CarrierError
from sidecar.ingress.probe import PROBE_HEADER, ProbeWatch
from sidecar.ports import Check

log = structlog.get_logger()


class Probe:
    """The last answer to "does our public address lead to us?", for each path."""

    def __init__(self, config: Config, watch: ProbeWatch) -> None:
        self._webhook_path = config.serve.path
        self._stream_path = config.streaming.stream_path
        self._watch = watch
        self._results: dict[str, bool] = {}
        self._url: str | None = None

    async def run(self, public_url: str) -> None:
        """Call both paths once."""
        self._url, self._results = public_url, {}
        for path, url in self._targets(public_url):
            reached = await self._arrives(path, url)
            self._results[path] = reached
            log.info("probe.done", path=path, arrived=reached)

    def checks(self) -> Sequence[Check]:
        if self._url is None:
            return ()
        return [self._check(path, url) for path, url in self._targets(self._url)]

    def _check(self, path: str, url: str) -> Check:
        name = "webhook" if path == self._webhook_path else "stream"
        id = f"publicUrl.{name}"
        arrived = self._results.get(path)
        if arrived is None:
            return Check(id, "warn", f"The {name} path of the public address is being tried.")
        if arrived:
            return Check(id, "ok", f"The {name} path of the public address arrives here: {url}.")
        return Check(
            id,
            "warn",
            f"A request to {url} did not arrive here.",
            key="publicUrl",
            fix=f"Let your proxy or tunnel forward {urlsplit(url).path} to the webhook listener; "
            "ignore this when it only refuses to be called from inside.",
        )

    def _targets(self, public_url: str) -> Sequence[tuple[str, str]]:
        """Our path and its public address, for webhooks and for streams (security.md)."""
        parts = urlsplit(public_url)
        path = parts.path.rstrip("/")
        ours = self._webhook_path
        prefix = path.removesuffix(ours) if path.endswith(ours) else ""
        stream = urlunsplit((parts.scheme, parts.netloc, prefix + self._stream_path, "", ""))
        webhook = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        return (ours, webhook), (self._stream_path, stream)

    async def _arrives(self, path: str, url: str) -> bool:
        # The client half of aiohttp is not needed before this.
        from sidecar.providers.http import Http

        http = Http("The public address")
        try:
            await http.send("GET", url, headers={PROBE_HEADER: self._watch.word})
        except CarrierError as error:
            log.info("probe.failed", path=path, reason=error.problem.message)
        finally:
            await http.close()
        # The answer may overtake the note of a request that went another way round.
        await asyncio.sleep(0)  # noqa: TID251 - yields, lets no time pass
        return self._watch.take(path)
