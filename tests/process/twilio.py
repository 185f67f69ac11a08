"""Twilio's side of a webhook for process tests, after its published algorithm: nothing of `sidecar`
and nothing of Twilio's SDK, so that both can be wrong without the test being so too."""

import base64
import hashlib
import hmac
import http.client
import itertools
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.process.harness import PATIENCE_S

SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "example-token-north"
OURS, THEIRS = "+15550001111", "+15550002222"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"

_legs = itertools.count(1)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def a_leg() -> str:
    """An id of a call that nobody has heard of."""
    return f"CA{next(_legs):032x}"


def account(**members: Any) -> dict[str, Any]:
    """The configuration of a sidecar on Twilio."""
    return {
        "provider": "twilio",
        "fromNumber": OURS,
        "twilio": {"accountSid": SID, "authToken": AUTH_TOKEN},
        **members,
    }


def fields(leg: str, **more: str) -> dict[str, str]:
    return {"AccountSid": SID, "CallSid": leg, "From": THEIRS, "To": OURS, **more}


def arrival(leg: str) -> dict[str, str]:
    """Somebody calls."""
    return fields(leg, Direction="inbound", CallStatus="ringing")


def signature(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> str:
    text = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def headers(url: str, form: Mapping[str, str], token: str = AUTH_TOKEN) -> dict[str, str]:
    return {"Content-Type": FORM, "X-Twilio-Signature": signature(url, form, token)}


def message(port: int, target: str, form: Mapping[str, str], url: str) -> bytes:
    """A whole signed request as it stands on the wire."""
    body = urlencode(form)
    rows = [f"POST {target} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
    rows += [f"{name}: {value}" for name, value in headers(url, form).items()]
    return "\r\n".join([*rows, "", body]).encode()


def post(
    url: str,
    form: Mapping[str, str],
    given: Mapping[str, str],
    *,
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """POST the form to this machine, as if `url` led here."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection("127.0.0.1", port or parts.port, timeout=PATIENCE_S)
    if tls is not None:
        connection.connect()
        connection.sock = tls.wrap_socket(connection.sock, server_hostname=parts.hostname)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(
            "POST", target, urlencode(form).encode(), {"Host": parts.netloc, **given}
        )
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()
