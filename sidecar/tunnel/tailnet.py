"""What Tailscale says and what it means: its status, its serve configuration, its refusals. Pure.

The shapes are those of `tailscale status --json` and `tailscale serve status --json` since 1.52,
the messages those of the command line program (cmd/tailscale/cli/serve_v2.go).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sidecar.errors import Problem

FUNNEL_PORTS = (443, 8443, 10_000)

_ENABLE_URL = re.compile(r"https://login\.tailscale\.com/f/[^\s]+")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PATH = re.compile(r"(?:/[^/\s?#{}]+)+|/")


@dataclass(frozen=True, slots=True)
class Place:
    """Which paths of the listener stand at which paths and port of this machine's tailnet name.
    `path` is the webhook's public path, `serve_path` and `stream_path` are the listener's."""

    path: str
    port: int
    serve_path: str
    stream_path: str

    @property
    def public_stream_path(self) -> str:
        """What stands before the webhook's path stands before that of the streams too."""
        prefix = self.path.removesuffix(self.serve_path)
        return (prefix if prefix != self.path else "") + self.stream_path

    def mounts(self) -> dict[str, str]:
        """Public path to the listener's path, the webhook first."""
        return {self.path: self.serve_path, self.public_stream_path: self.stream_path}

    def origin(self, host: str) -> str:
        return f"{host}:{self.port}" if self.port != 443 else host


@dataclass(frozen=True, slots=True)
class Exposure:
    """A place and the listener behind it, `host:port`."""

    place: Place
    local: str


def place(path: str, port: int, serve_path: str, stream_path: str) -> Place:
    """A place in Tailscale's terms, where paths end without a slash."""

    def plain(text: str) -> str:
        return text.rstrip("/") or "/"

    return Place(plain(path), port, plain(serve_path), plain(stream_path))


def refusal(mode: str, wanted: Place) -> Problem | None:
    """What Tailscale cannot do of it, known without asking."""
    if mode == "funnel" and wanted.port not in FUNNEL_PORTS:
        text = "tailscale.port must be 443, 8443 or 10000 with a Tailscale funnel"
        return _final(text, "tailscale.port", "invalidParams")
    if not 0 < wanted.port <= 65_535:
        return _final(
            "tailscale.port must be between 1 and 65535", "tailscale.port", "invalidParams"
        )
    for key, path in (("tailscale.path", wanted.path), ("serve.path", wanted.serve_path)):
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            text = f"{key} must be a plain path such as /voice/webhook, for Tailscale to serve it"
            return _final(text, key, "invalidParams")
    if wanted.path == wanted.public_stream_path:
        text = "tailscale.path must differ from the path of the media streams"
        return _final(text, "tailscale.path", "invalidParams")
    return None


# -- the machine's state --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine in its tailnet: its name, or what keeps it from having one that works."""

    host: str | None
    problem: Problem | None = None


def parse_machine(output: str) -> Machine:
    """Read `tailscale status --json`."""
    status = _object(output)
    if status is None:
        return Machine(None, _unreadable())
    state = status.get("BackendState")
    if state != "Running":
        return Machine(None, _not_running(state))
    own = status.get("Self")
    name = own.get("DNSName") if isinstance(own, dict) else None
    host = name.rstrip(".").lower() if isinstance(name, str) else ""
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host):
        text = "this machine has no name in its tailnet: turn MagicDNS on at"
        text = f"{text} https://login.tailscale.com/admin/dns"
        return Machine(None, _final(text))
    if not status.get("CertDomains"):
        text = "HTTPS certificates are off in this tailnet: turn them on at"
        text = f"{text} https://login.tailscale.com/admin/dns"
        return Machine(host, _final(text))
    return Machine(host)


def _not_running(state: object) -> Problem:
    texts = {
        "NeedsLogin": "this machine is not logged in to Tailscale: run `tailscale up`",
        "NeedsMachineAuth": "this machine waits for the approval of a Tailscale administrator",
        "Stopped": "Tailscale is stopped on this machine: run `tailscale up`",
    }
    text = texts.get(str(state), "Tailscale is still starting on this machine")
    return _passing(text)


# -- what is served already -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """What stands at one host and port: path to proxy target (None for anything but a proxy), and
    whether the Internet reaches it."""

    targets: Mapping[str, str | None]
    public: bool


def parse_served(output: str, host: str, port: int) -> Served | Problem:
    """Read `tailscale serve status --json`; empty output means that nothing is served."""
    config = _object(output) if output.strip() not in ("", "null") else {}
    if config is None:
        return _unreadable()
    place = f"{host}:{port}"
    web = _member(_member(config, "Web"), place)
    handlers = _member(web, "Handlers")
    proxies = {path: _member(handlers, path).get("Proxy") for path in handlers}
    targets = {path: to if isinstance(to, str) else None for path, to in proxies.items()}
    return Served(targets, _member(config, "AllowFunnel").get(place) is True)


def is_ours(target: str | None, wanted: Exposure, local_path: str) -> bool:
    """Whether a handler is one that we made, in this run or an earlier one: it leads to the same
    path of a listener on this machine. Its port may have been another then."""
    found = _split(target)
    local = _split(f"http://{wanted.local}{local_path}")
    if found is None or local is None or found[2] != local[2]:
        return False
    return found[0] in (*_LOOPBACK, local[0])


def is_current(served: Served, mode: str, wanted: Exposure) -> bool:
    """Whether everything stands as wanted."""
    exact = all(
        is_ours(served.targets.get(path), wanted, local_path)
        and _port(served.targets.get(path)) == _port(f"http://{wanted.local}")
        for path, local_path in wanted.place.mounts().items()
    )
    return exact and served.public is (mode == "funnel")


def conflict(served: Served, mode: str, wanted: Exposure) -> Problem | None:
    """What somebody else has at the same place and we would take away or make public."""
    mounts, port = wanted.place.mounts(), wanted.place.port
    for path, local_path in mounts.items():
        if path in served.targets and not is_ours(served.targets[path], wanted, local_path):
            text = f"Tailscale already serves something else at {path} on port {port}:"
            return _final(f"{text} set another tailscale.path or tailscale.port", "tailscale.path")
    others = served.targets.keys() - mounts.keys()
    if others and served.public is not (mode == "funnel"):
        does = "make them public" if mode == "funnel" else "take them off the Internet"
        text = f"Tailscale serves other paths on port {port} and a {mode} would {does}:"
        return _final(f"{text} set another tailscale.port", "tailscale.port")
    return None


def _split(target: str | None) -> tuple[str | None, int | None, str] | None:
    """Host, port and path of a proxy target; None when it is no URL."""
    if target is None:
        return None
    try:
        parts = urlsplit(target)
        return parts.hostname, parts.port, parts.path.rstrip("/") or "/"
    except ValueError:
        return None


def _port(target: str | None) -> int | None:
    found = _split(target)
    return found[1] if found is not None else None


# -- refusals -------------------------------------------------------------------------------------


def asks_to_enable(line: str) -> bool:
    """The program waits for an administrator to follow this link, for as long as it takes."""
    return _ENABLE_URL.search(line) is not None


def explain(text: str, mode: str, hung: bool = False) -> Problem:
    """Why a command failed, from everything it printed. `hung`: it did not end in time."""
    if link := _ENABLE_URL.search(text):
        what = f"Tailscale {mode} is not enabled in this tailnet: enable it at {link[0]}"
        return _final(what, "tailscale.mode")
    for sign, problem in _SIGNS:
        if sign in text.lower():
            return problem
    if hung:
        return _passing("Tailscale does not answer: check that the tailscaled service is well")
    return _passing(f"Tailscale did not {mode} the webhook: see what `tailscale {mode}` says")


def _final(text: str, key: str = "tailscale.mode", kind: str = "notConfigured") -> Problem:
    return Problem(kind, text, data={"key": key})


def _passing(text: str) -> Problem:
    return Problem("notConfigured", text, retryable=True, data={"key": "tailscale.mode"})


def _unreadable() -> Problem:
    return _passing("Tailscale gave an answer that cannot be read")


_SIGNS: tuple[tuple[str, Problem], ...] = (
    (
        "access denied",
        _final(
            "this user may not change Tailscale's configuration: run "
            "`sudo tailscale set --operator=$USER` once"
        ),
    ),
    (
        "https must be enabled",
        _final(
            "HTTPS certificates are off in this tailnet: turn them on at "
            "https://login.tailscale.com/admin/dns"
        ),
    ),
    (
        "node attribute not set",
        _final(
            "this machine may not use a Tailscale funnel: allow the attribute funnel at "
            "https://login.tailscale.com/admin/acls/file"
        ),
    ),
    (
        "is not allowed for funnel",
        _final(
            "the tailnet's policy does not allow a funnel on this port: set another tailscale.port",
            "tailscale.port",
        ),
    ),
    (
        "shields-up",
        _final("Tailscale's shields are up: run `tailscale set --shields-up=false`"),
    ),
    (
        "already exists under this port",
        _final(
            "a `tailscale serve` or `tailscale funnel` in a terminal holds this port: end it or "
            "set another tailscale.port",
            "tailscale.port",
        ),
    ),
    (
        "port is already serving",
        _final(
            "Tailscale already serves something else on this port: set another tailscale.port",
            "tailscale.port",
        ),
    ),
    (
        "flag provided but not defined",
        _final("this Tailscale is too old: update it to 1.52 or newer"),
    ),
    (
        "failed to connect to local tailscaled",
        _passing("Tailscale is installed but not running: start the tailscaled service"),
    ),
    (
        "another client is changing the serve config",
        _passing("another program is changing Tailscale's configuration"),
    ),
)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _member(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    member = value.get(key)
    return member if isinstance(member, dict) else {}
