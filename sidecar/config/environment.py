"""What the configuration takes from outside its documents: environment variables, `${NAME}`,
secret references, and the places that depend on the home folder.

The sole reader of `os.environ`. Nothing here puts a value into a message: names only.
"""

import json
import os
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from sidecar.config.layers import Document
from sidecar.config.model import Config
from sidecar.config.values import Location, Path, is_secret, keys_of

_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE_BYTES_MAX = 1 << 20
_GONE = object()

_FILLS: tuple[tuple[Path, tuple[str, ...]], ...] = (
    (("twilio", "accountSid"), ("TWILIO_ACCOUNT_SID",)),
    (("twilio", "authToken"), ("TWILIO_AUTH_TOKEN",)),
    (("telnyx", "apiKey"), ("TELNYX_API_KEY",)),
    (("telnyx", "connectionId"), ("TELNYX_CONNECTION_ID",)),
    (("telnyx", "publicKey"), ("TELNYX_PUBLIC_KEY",)),
    (("plivo", "authId"), ("PLIVO_AUTH_ID",)),
    (("plivo", "authToken"), ("PLIVO_AUTH_TOKEN",)),
    (("tunnel", "ngrokAuthToken"), ("NGROK_AUTHTOKEN",)),
    (("tunnel", "ngrokDomain"), ("NGROK_DOMAIN",)),
    (("streaming", "providers", "openai", "apiKey"), ("OPENAI_API_KEY",)),
    (("streaming", "providers", "deepgram", "apiKey"), ("DEEPGRAM_API_KEY",)),
    (("streaming", "providers", "elevenlabs", "apiKey"), ("ELEVENLABS_API_KEY",)),
    (("tts", "openai", "apiKey"), ("OPENAI_API_KEY",)),
    (("tts", "elevenlabs", "apiKey"), ("ELEVENLABS_API_KEY", "XI_API_KEY")),
)
_TWILIO_FILLS = ((("fromNumber",), ("TWILIO_FROM_NUMBER",)),)


class Unreadable(Exception):
    """A file cannot be read; the text says why, as the end of a sentence."""


def process_environment() -> MutableMapping[str, str]:
    """The process's environment, for those who must pass it on or take something out of it."""
    return os.environ  # noqa: TID251 - the one place that reads it


def home_dir(environ: Mapping[str, str] | None = None) -> FilePath:
    environ = process_environment() if environ is None else environ
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return FilePath(home) if home else FilePath.home()


def expanded(path: str, environ: Mapping[str, str]) -> str:
    """`path` with a leading `~` replaced by the home folder."""
    if path == "~" or path.startswith("~/"):
        return str(home_dir(environ)) + path[1:]
    return path


def state_dir(environ: Mapping[str, str] | None = None) -> FilePath:
    """The folder of the Gateway's state: `$OPENCLAW_STATE_DIR`, else `~/.openclaw`."""
    environ = process_environment() if environ is None else environ
    named = environ.get("OPENCLAW_STATE_DIR")
    return FilePath(expanded(named, environ)) if named else home_dir(environ) / ".openclaw"


def store_path(config: Config, environ: Mapping[str, str] | None = None) -> str:
    """Where the store is: an absolute path of a file, or a `postgresql://` URL as it is written."""
    environ = process_environment() if environ is None else environ
    if config.store is None:
        return os.path.abspath(state_dir(environ) / "voice-calls" / "calls.db")
    if "://" in config.store:
        return config.store
    path = expanded(config.store, environ)
    if path.endswith("/") or os.path.isdir(path):
        path = os.path.join(path, "calls.db")
    return os.path.abspath(path)


def read_text(path: str) -> str:
    """A text file of at most 1 MiB; raises `Unreadable`."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise Unreadable("does not exist") from None
    except IsADirectoryError:
        raise Unreadable("is a folder, not a file") from None
    except (OSError, ValueError):
        raise Unreadable("cannot be read by this user") from None
    if len(raw) > _FILE_BYTES_MAX:
        raise Unreadable("is larger than 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from None


def fill(values: Document, environ: Mapping[str, str]) -> dict[Path, str]:
    """Fill credentials that are unset (an empty string counts as unset) from the environment;
    gives the variable each came from."""
    fills = _FILLS + (_TWILIO_FILLS if values.get("provider") == "twilio" else ())
    filled: dict[Path, str] = {}
    for path, names in fills:
        name = next((name for name in names if environ.get(name)), None)
        if name is not None and _set_unset(values, path, environ[name]):
            filled[path] = name
    return filled


def _set_unset(values: Document, path: Path, value: str) -> bool:
    target: Any = values
    for key in path[:-1]:
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            return False
    if target.get(path[-1]) not in (None, ""):
        return False
    target[path[-1]] = value
    return True


# -- ${NAME} and secret references ----------------------------------------------------------------


@dataclass(slots=True)
class Resolver:
    """Replaces `${NAME}` and secret references in a document; what cannot be resolved is left
    out and listed in `problems` by the path of the key."""

    environ: Mapping[str, str]
    secret_providers: Mapping[str, Any]
    problems: list[tuple[Location, str]] = field(default_factory=list)

    def resolve(self, values: Document) -> Document:
        # `sidecar` is for the Gateway's plugin, whose environment is not ours.
        ours = {key: value for key, value in values.items() if key != "sidecar"}
        resolved: Document = self._walk(ours, ())
        if "sidecar" in values:
            resolved["sidecar"] = values["sidecar"]
        return resolved

    def _walk(self, value: Any, path: Location) -> Any:
        if isinstance(value, str):
            return self._substituted(value, path)
        if isinstance(value, list):
            items = [self._walk(item, (*path, index)) for index, item in enumerate(value)]
            # An empty string keeps the indexes of the other items true in messages.
            return ["" if item is _GONE else item for item in items]
        if not isinstance(value, dict):
            return value
        if _is_secret_path(path):
            return self._referred(value, path)
        members = {key: self._walk(member, (*path, key)) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not _GONE}

    def _fails(self, path: Location, what: str) -> Any:
        self.problems.append((path, what))
        return _GONE

    def _substituted(self, text: str, path: Location) -> Any:
        if "${" not in text:
            return text
        missing: list[str] = []

        def replace(match: re.Match[str]) -> str:
            if match[1]:
                return match[0][1:]
            if match[2] not in self.environ:
                missing.append(match[2])
                return ""
            return self.environ[match[2]]

        result = _VARIABLE.sub(replace, text)
        if missing:
            return self._fails(path, _unset_variables(missing))
        return result

    def _referred(self, reference: Document, path: Location) -> Any:
        unknown = sorted(reference.keys() - {"source", "provider", "id"})
        if unknown:
            return self._fails((*path, unknown[0]), "unknown key of a secret reference")
        for key in ("source", "id"):
            if not isinstance(reference.get(key), str) or not reference[key]:
                what = "a secret is a string or an object {source, id}, both of them strings"
                return self._fails((*path, key), what)
        provider = reference.get("provider", "default")
        if not isinstance(provider, str):
            return self._fails((*path, "provider"), "must be a string")
        sources: dict[str, Callable[[str, str, Location], Any]] = {
            "env": self._from_env,
            "path": self._from_path,
            "file": self._from_file,
            "exec": self._from_gateway,
            "store": self._from_gateway,
        }
        source = sources.get(reference["source"])
        if source is None:
            what = "must be one of env, path or file (exec and store are the Gateway's)"
            return self._fails((*path, "source"), what)
        return source(reference["id"], provider, path)

    def _from_env(self, name: str, provider: str, path: Location) -> Any:
        if _NAME.fullmatch(name) is None:
            return self._fails((*path, "id"), "must be the name of an environment variable")
        if name not in self.environ:
            return self._fails(path, _unset_variables([name]))
        return self.environ[name]

    def _from_path(self, name: str, provider: str, path: Location) -> Any:
        file = self._substituted(name, path)
        if file is _GONE:
            return _GONE
        try:
            return read_text(expanded(file, self.environ)).strip()
        except Unreadable as why:
            # The name of the file may be a secret that somebody wrote into the wrong place.
            return self._fails(path, f"the file of the secret reference {why}")

    def _from_gateway(self, name: str, provider: str, path: Location) -> Any:
        what = (
            "a secret reference with source exec or store must be resolved by the Gateway; let the "
            "Gateway pass the value in initialize, or use source env or path"
        )
        return self._fails(path, what)

    def _from_file(self, pointer: str, provider: str, path: Location) -> Any:
        """The Gateway's file provider: a JSON document, or one secret per file."""
        settings = self.secret_providers.get(provider)
        if not isinstance(settings, dict) or settings.get("source") != "file":
            what = f"the secret reference needs secrets.providers.{provider} with source file"
            return self._fails(path, f"{what} in a whole Gateway configuration")
        name = settings.get("path")
        if not isinstance(name, str) or not name:
            return self._fails(path, f"secrets.providers.{provider}.path must be a file")
        text = self._from_path(name, provider, path)
        if text is _GONE or settings.get("mode") == "singleValue":
            return text
        try:
            value = _pointed(json.loads(text), pointer)
        except (ValueError, RecursionError):
            return self._fails(path, f"the file of secrets.providers.{provider} is not valid JSON")
        if not isinstance(value, str):
            what = f"the id of the secret reference names no string in the file of {provider}"
            return self._fails(path, what)
        return value


def _pointed(document: Any, pointer: str) -> Any:
    """What a JSON pointer names; None when nothing."""
    if not pointer.startswith("/"):
        return None
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdecimal() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _unset_variables(names: list[str]) -> str:
    if len(names) == 1:
        return f"the environment variable {names[0]} is not set"
    return f"the environment variables {', '.join(names)} are not set"


@cache
def _secret_paths() -> frozenset[Path]:
    return frozenset(path for path, info in keys_of(Config) if is_secret(info))


def _is_secret_path(path: Location) -> bool:
    if len(path) > 1 and path[0] == "numbers":
        path = ("numbers", "*", *path[2:])
    return path in _secret_paths()
