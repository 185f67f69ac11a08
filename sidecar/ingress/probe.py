"""Whether our own public address leads to us: a request with a word that only we know arrived."""

import hmac
import secrets

from aiohttp.web import BaseRequest

PROBE_HEADER = "X-Voicecall-Probe"


class ProbeWatch:
    """Notes the paths on which the word has been seen. Whoever sends it is answered like anybody:
    the word opens nothing."""

    def __init__(self) -> None:
        self.word = secrets.token_hex(16)
        self._seen: set[str] = set()

    def look(self, request: BaseRequest, path: str) -> None:
        given = request.headers.get(PROBE_HEADER)
        if given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self._bytes):
            self._seen.add(path)

    def take(self, path: str) -> bool:
        """Whether the word came in on `path` since this was last asked."""
        seen = path in self._seen
        self._seen.discard(path)
        return seen

    @property
    def _bytes(self) -> bytes:
        return self.word.encode()
