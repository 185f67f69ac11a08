"""What can be wrong with a configuration, in our words: a key's own value, and several together.

Messages name keys, never values, because a value may be a secret or a phone number. An unknown key
gets the nearest known one as a suggestion.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sidecar.config.layers import Document
from sidecar.config.model import Config
from sidecar.config.values import Location, Path, dotted, is_loopback, keys_of

Problems = list[tuple[str, str]]

_LEAVES_MAX = 20
_FUNNEL_PORTS = (443, 8443, 10000)
_SENTENCES = {
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "missing": "is required",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
    "value_error": "{error}",
}


def explained(
    error: ValidationError, written: dict[Path, str], filled: dict[Path, str]
) -> Problems:
    """Every problem of a validation as full path and sentence. `written` gives the names the user
    wrote, `filled` the environment variables that values came from."""
    found: Problems = []
    for detail in error.errors(include_url=False):
        location = _location(detail)
        if detail["type"] == "extra_forbidden":
            for path, what in _unknown(location, detail["input"]):
                found.append((shown(path, written), what))
            continue
        what = _sentence(detail)
        variable = filled.get(tuple(str(part) for part in location))
        if variable is not None:
            what += f" (it came from the environment variable {variable})"
        found.append((shown(location, written), what))
    return found


def pruned(document: Document, error: ValidationError) -> Document:
    """The document without what the validation refused, so that the rest can be judged too."""
    for detail in error.errors(include_url=False, include_input=False):
        location = _location(detail)
        keys = [part for part in location if isinstance(part, str)]
        if len(keys) < len(location):
            keys = [str(part) for part in location[: _first_index(location)]]
        if detail["type"] == "missing":
            keys = keys[:-1]
        document = _without(document, keys)
    return document


def _first_index(location: Location) -> int:
    return next(i for i, part in enumerate(location) if isinstance(part, int))


def _without(document: Document, keys: Sequence[str]) -> Document:
    if not keys or not isinstance(document, dict) or keys[0] not in document:
        return document
    copy = dict(document)
    if len(keys) == 1:
        del copy[keys[0]]
    else:
        copy[keys[0]] = _without(copy[keys[0]], keys[1:])
    return copy


def _location(detail: ErrorDetails) -> Location:
    location = detail["loc"]
    return location[:-1] if location and location[-1] == "[key]" else location


def _sentence(detail: ErrorDetails) -> str:
    template = _SENTENCES.get(detail["type"], "is not valid")
    return template.format(**detail.get("ctx", {}))


def shown(location: Location, written: dict[Path, str]) -> str:
    """The full path of a key, as the user wrote it."""
    names = tuple(str(part) for part in location)
    for length in range(len(names), 0, -1):
        if names[:length] in written:
            return dotted((written[names[:length]], *location[length:]))
    return dotted(location)


# -- unknown keys ---------------------------------------------------------------------------------


def _unknown(location: Location, value: object) -> Iterator[tuple[Location, str]]:
    """The unknown key, or, when it is an object whose members mean something elsewhere, those."""
    leaves: list[Location] = []
    if isinstance(value, dict):
        leaves = [leaf for leaf in _leaves(value, location) if _nearest(leaf) is not None]
    for place in leaves[:_LEAVES_MAX] or [location]:
        near = _nearest(place)
        hint = f"; did you mean {near}?" if near is not None else ""
        yield place, f"unknown key{hint}"


def _leaves(value: Document, location: Location) -> Iterator[Location]:
    for key, member in value.items():
        if isinstance(member, dict) and member:
            yield from _leaves(member, (*location, key))
        else:
            yield (*location, key)


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _nearest(location: Location) -> str | None:
    """The known key that an unknown one most likely means: a neighbour with almost its name, the
    same name elsewhere, a neighbour with a similar name, a similar path, in this order."""
    path = tuple(str(part) for part in location)
    pattern = ("numbers", "*", *path[2:]) if path[0] == "numbers" and len(path) > 1 else path
    leaf, whole = _folded(path[-1]), _folded(".".join(path))
    best: tuple[float, Path] | None = None
    for known in _known_paths():
        name = _folded(known[-1])
        likeness = SequenceMatcher(None, whole, _folded(".".join(known))).ratio()
        if known[:-1] == pattern[:-1]:
            near = SequenceMatcher(None, leaf, name).ratio()
            if len(leaf) > 3 and (name.startswith(leaf) or leaf.startswith(name)):
                near = max(near, 0.7)
            score = 1 + near if near >= 0.6 else 0.0
        elif name == leaf:
            score = 1.75 + likeness / 10
        else:
            score = likeness if likeness >= 0.75 else 0.0
        if score > 0 and (best is None or score > best[0]):
            best = (score, known)
    if best is None:
        return None
    known = best[1]
    if pattern != path and known[:2] == pattern[:2]:
        known = (*path[:2], *known[2:])
    return ".".join(known)


@cache
def _known_paths() -> tuple[Path, ...]:
    return tuple(
        path
        for path, info in keys_of(Config)
        if not isinstance(info.json_schema_extra, dict)
        or not info.json_schema_extra.get("deprecated")
    )


# -- rules across keys ----------------------------------------------------------------------------


def broken_rules(config: Config, unsafe_skip: bool) -> Problems:
    """Keys that are wrong together. `unsafe_skip` allows unverified webhooks from outside."""
    found: Problems = []
    if config.streaming.stream_path == config.serve.path:
        found.append(("streaming.streamPath", "must differ from serve.path"))
    for key, path in (
        ("serve.path", config.serve.path),
        ("streaming.streamPath", config.streaming.stream_path),
    ):
        if path == "/healthz":
            found.append((key, "must not be /healthz, which is the health check"))
    funnel = config.tailscale.mode == "funnel" or config.tunnel.provider == "tailscale-funnel"
    if funnel and config.tailscale.port not in _FUNNEL_PORTS:
        found.append(("tailscale.port", "must be 443, 8443 or 10000 with a Tailscale funnel"))
    quiet = config.outbound.quiet_hours
    if quiet is not None and quiet.start == quiet.end:
        found.append(("outbound.quietHours.end", "must differ from outbound.quietHours.start"))
    reached = _reachable(config)
    if config.skip_signature_verification and reached and not unsafe_skip:
        what = (
            f"is refused because {' and '.join(reached)}: anyone could send webhooks; verify "
            "signatures, or set VOICECALL_UNSAFE_SKIP_VERIFICATION=1 if you know what you do"
        )
        found.append(("skipSignatureVerification", what))
    return found


def _reachable(config: Config) -> list[str]:
    """Why the webhook listener can be reached from outside."""
    why = []
    if not is_loopback(config.serve.bind):
        why.append("serve.bind is not a loopback address")
    if config.public_url is not None:
        why.append("publicUrl is set")
    if config.tunnel.provider != "none":
        why.append("tunnel.provider is set")
    if config.tailscale.mode != "off":
        why.append("tailscale.mode is set")
    return why


def rule_warnings(config: Config) -> list[str]:
    """What is allowed but should be known."""
    found = []
    if config.public_url is not None and "?" in config.public_url:
        found.append("publicUrl: its query is ignored; requests bring their own")
    if config.skip_signature_verification and _reachable(config):
        why = "VOICECALL_UNSAFE_SKIP_VERIFICATION=1 allows it although"
        what = f"webhooks are not verified; {why} the listener can be reached from outside"
        found.append(f"skipSignatureVerification: {what}")
    elif config.skip_signature_verification:
        what = "webhooks are not verified; for local testing only"
        found.append(f"skipSignatureVerification: {what}")
    return found


def missing_credentials(config: Config) -> tuple[str, ...]:
    """The keys that the chosen provider still lacks; a process without them starts all the same,
    and verbs that need the provider answer `notConfigured`."""
    needed: dict[str, Any] = {}
    if config.provider == "twilio":
        twilio = config.twilio
        needed = {"twilio.accountSid": twilio.account_sid, "twilio.authToken": twilio.auth_token}
        if twilio.api_key_sid or twilio.api_key_secret:
            needed["twilio.apiKeySid"] = twilio.api_key_sid
            needed["twilio.apiKeySecret"] = twilio.api_key_secret
    elif config.provider == "telnyx":
        telnyx = config.telnyx
        needed = {"telnyx.apiKey": telnyx.api_key, "telnyx.connectionId": telnyx.connection_id}
        if not config.skip_signature_verification:
            needed["telnyx.publicKey"] = telnyx.public_key
    elif config.provider == "plivo":
        plivo = config.plivo
        needed = {"plivo.authId": plivo.auth_id, "plivo.authToken": plivo.auth_token}
    if config.provider != "mock":
        needed["fromNumber"] = config.from_number
    # A secret is false when it is empty, as a string is: SecretStr has the length of its value.
    return tuple(key for key, value in needed.items() if not value)
