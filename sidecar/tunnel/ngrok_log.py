"""What the ngrok agent says and what it means. Pure; the process is run by `ngrok`.

Log lines and error codes are those of agent version 3 (ngrok.com/docs/errors). Every line of the
JSON log carries `lvl`, `msg` and often `obj` and `err`; after a failure the same text follows once
more as plain lines that begin with `ERROR:`.
"""

import json
import re
from dataclasses import dataclass

from sidecar.errors import Problem

_CODE = re.compile(r"ERR_NGROK_([0-9]{1,6})\b")
_ORIGIN = re.compile(r"https://[^\s/?#@]+/?")
_OUTDATED = re.compile(r"unknown flag|flag provided but not defined", re.IGNORECASE)
_TOKEN_SHOWN = re.compile(r"(authtoken\s*[:=]\s*)[^\s\"\\]+", re.IGNORECASE)
_SHOWN_CHARS_MAX = 500

_DASHBOARD = "https://dashboard.ngrok.com/get-started/your-authtoken"
_TOKEN_CODES = frozenset((105, 106, 107))
_VERSION_CODES = frozenset((120, 121))
_NO_ACCOUNT = 4018
_SESSION_LIMIT = 108
_ALREADY_ONLINE = 334
_DOMAIN_CODES = range(300, 400)


@dataclass(frozen=True, slots=True)
class Said:
    """What one line tells. `session`: whether the connection to ngrok's service stands; `trouble`:
    something failed, with ngrok's `code` when it has one; `outdated`: a flag is not known."""

    url: str | None = None
    session: bool | None = None
    code: int | None = None
    trouble: bool = False
    outdated: bool = False


def parse_line(line: str) -> Said:
    code = int(found[1]) if (found := _CODE.search(line)) else None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        outdated = _OUTDATED.search(line) is not None
        return Said(code=code, trouble=outdated or code is not None, outdated=outdated)
    if not isinstance(record, dict):
        return Said()
    message = record.get("msg")
    if message == "started tunnel":
        url = record.get("url")
        if isinstance(url, str) and _ORIGIN.fullmatch(url) is not None:
            return Said(url=url.rstrip("/"))
        return Said()
    if message in ("client session established", "tunnel session started"):
        return Said(session=True)
    if isinstance(message, str) and message.startswith("session closed"):
        return Said(session=False)
    if code is not None or record.get("lvl") in ("eror", "crit"):
        return Said(code=code, trouble=True)
    return Said()


def cleaned(line: str, token: str | None) -> str:
    """`line` as it may be logged: without the token, ours or one from the agent's own
    configuration file, which ngrok repeats when it refuses it."""
    if token:
        line = line.replace(token, "[redacted]")
    return _TOKEN_SHOWN.sub(r"\1[redacted]", line)[:_SHOWN_CHARS_MAX]


def explain(said: Said, had_address: bool, domain: str | None) -> Problem:
    """Why an agent ended, and what to do; `said` is the last trouble it told of."""
    if said.outdated or said.code in _VERSION_CODES:
        text = "this ngrok agent is too old: run `ngrok update`, or install the current one from"
        return _final(said.code, f"{text} https://ngrok.com/download", "tunnel.provider")
    if said.code in _TOKEN_CODES:
        text = f"ngrok refused the auth token: copy a valid one from {_DASHBOARD} into"
        text = f"{text} tunnel.ngrokAuthToken or NGROK_AUTHTOKEN"
        return _final(said.code, text, "tunnel.ngrokAuthToken")
    if said.code == _NO_ACCOUNT:
        text = "ngrok needs the auth token of a verified account: set tunnel.ngrokAuthToken or"
        text = f"{text} NGROK_AUTHTOKEN to the one from {_DASHBOARD}"
        return _final(said.code, text, "tunnel.ngrokAuthToken")
    # A session or address of an agent that was killed is free again after a while.
    if said.code == _SESSION_LIMIT:
        text = "the ngrok account has as many agents running as it may: stop another one"
        return _passing(f"{text} (https://dashboard.ngrok.com/agents); it is tried again", said)
    if said.code == _ALREADY_ONLINE:
        text = "another ngrok agent already serves this address: stop it or set another"
        return _passing(f"{text} tunnel.ngrokDomain; it is tried again", said)
    if said.code is not None:
        about = f"https://ngrok.com/docs/errors/err_ngrok_{said.code}"
        if domain is not None and said.code in _DOMAIN_CODES:
            text = f"ngrok refused the domain: check tunnel.ngrokDomain, see {about}"
            return _final(said.code, text, "tunnel.ngrokDomain")
        return _final(
            said.code, f"ngrok refused to open the tunnel: see {about}", "tunnel.provider"
        )
    if had_address:
        return _passing("ngrok ended; it is started again", said)
    if said.trouble:
        text = "ngrok cannot reach its service: check the network and any firewall"
        return _passing(f"{text}; it is tried again", said)
    return _passing("ngrok gave no public URL; it is started again", said)


def _coded(code: int | None, text: str) -> str:
    return text if code is None else f"{text} (ERR_NGROK_{code})"


def _final(code: int | None, text: str, key: str) -> Problem:
    return Problem("notConfigured", _coded(code, text), data={"key": key})


def _passing(text: str, said: Said) -> Problem:
    data = {"key": "tunnel.provider"}
    return Problem("notConfigured", _coded(said.code, text), retryable=True, data=data)
