"""Whether a request is Twilio's: its signature over the public URL and the body. Pure.

What a verified request says is in `wire`.
"""

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qs, parse_qsl, urlsplit

from twilio.request_validator import RequestValidator

from sidecar.errors import CarrierError, Problem
from sidecar.ports import HttpRequest

SIGNATURE_HEADER = "x-twilio-signature"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
BODY_HASH = "bodySHA256"
FIELDS_MAX = 1_000
_FORM = "application/x-www-form-urlencoded"


class Form(dict[str, list[str]]):
    """The parameters of a form, each with its values in order, as Twilio's validator reads them."""

    def getall(self, name: str) -> list[str]:
        return self[name]

    def first(self, name: str) -> str:
        """The first value, without blanks around it; empty when there is none."""
        values = self.get(name)
        return values[0].strip() if values else ""


def form_of(request: HttpRequest) -> Form:
    """The parameters in the body; raises `CarrierError` when it is not a form."""
    if request.method == "GET" or not request.body or not _is_form(request.headers):
        return Form()
    return _parsed(request.body)


@lru_cache(maxsize=256)
def _parsed(body: bytes) -> Form:
    """A request is read several times on its way; who reads it changes nothing."""
    form = Form()
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError as error:
        raise _refused("the body is not a form in UTF-8") from error
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def verify(request: HttpRequest, auth_token: str) -> None:
    """Raises `CarrierError` unless Twilio signed this request, body and public URL, with the token.

    Requests signed with a shared key are refused: that mode (a beta of Twilio's) is not supported.
    """
    signature = request.headers.get(SIGNATURE_HEADER, "")
    if not auth_token or not signature:
        raise _refused("there is nothing to compare")
    if "algorithm" in request.headers.get(SETTINGS_HEADER, ""):
        raise _refused("it is signed with a shared key, which is not supported")
    form = form_of(request)
    if request.body and not form and not _body_hash_fits(request):
        raise _refused("the body is not covered by the signature")
    validator = RequestValidator(auth_token)
    try:
        genuine = any(validator.validate(url, form, signature) for url in _forms_of(request))
    except ValueError as error:
        raise _refused("the URL or a parameter cannot be signed") from error
    if not genuine:
        raise _refused("the signature differs")


def replay_key(request: HttpRequest) -> str:
    """Signature and body: what a repetition bears too. The token that Twilio sends against
    repetitions is not signed and therefore no part of it."""
    body = hashlib.sha256(request.body).hexdigest()
    return f"{request.headers.get(SIGNATURE_HEADER, '')}\n{request.url}\n{body}"


def _forms_of(request: HttpRequest) -> list[str]:
    """The validator itself tries the URL with and without its port, but takes 80 for the default
    port of `wss`."""
    url = request.public_url
    parts = urlsplit(url)
    if parts.scheme == "wss" and parts.port is None:
        return [url, parts._replace(netloc=f"{parts.netloc}:443").geturl()]
    return [url]


def _is_form(headers: Mapping[str, str]) -> bool:
    kind = headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    return kind == _FORM


def _body_hash_fits(request: HttpRequest) -> bool:
    wanted = parse_qs(request.public_url.partition("?")[2].partition("#")[0]).get(BODY_HASH, [""])[
        0
    ]
    found = hashlib.sha256(request.body).hexdigest()
    return hmac.compare_digest(found, wanted.encode("ascii", "replace").decode())


def _refused(why: str) -> CarrierError:
    return CarrierError(Problem("carrierRejected", f"The request is not Twilio's: {why}."))
