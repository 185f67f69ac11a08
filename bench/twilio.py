"""Twilio's side of a webhook, for measuring: signed requests as bytes, ready to be sent.

The signature is Twilio's published algorithm, and nothing of `sidecar` is used here.
"""

import base64
import hashlib
import hmac
import itertools
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

SID = "AC" + "0" * 31 + "1"
TOKEN = "example-token-north"
OURS, THEIRS = "+15550001111", "+15550002222"
LEG = "CA" + "0" * 31 + "7"
KINDS = ("digits", "speech", "status")


class Twilio:
    """Signs for the listener on one port; no two requests sign alike, as Twilio's never do."""

    def __init__(self, port: int, leg: str = LEG) -> None:
        self.url = f"http://127.0.0.1:{port}/voice/webhook"
        self._leg = leg
        self._nonces = itertools.count()

    def config(self) -> dict[str, object]:
        return {
            "provider": "twilio",
            "fromNumber": OURS,
            "publicUrl": self.url,
            "serve": {"port": int(self.url.rpartition(":")[2].partition("/")[0])},
            "twilio": {"accountSid": SID, "authToken": TOKEN},
            "inboundPolicy": "open",
        }

    def skip(self, count: int) -> None:
        """Take up numbering where another process left off."""
        self._nonces = itertools.count(count)

    def arrival(self) -> bytes:
        """Somebody calls."""
        return self.request("", {"Direction": "inbound", "CallStatus": "ringing"})

    def news(self, call_id: str, kinds: tuple[str, ...] = KINDS) -> Iterator[bytes]:
        """Requests about the call without end, of these kinds in turn."""
        for kind in itertools.cycle(kinds):
            yield getattr(self, f"_{kind}")(call_id)

    def request(self, query: str, fields: Mapping[str, str]) -> bytes:
        form = {
            "AccountSid": SID,
            "ApiVersion": "2010-04-01",
            "CallSid": self._leg,
            "From": THEIRS,
            "To": OURS,
            "Caller": THEIRS,
            "Called": OURS,
            "FromCountry": "US",
            "ToCountry": "US",
            **fields,
        }
        url = self.url + (f"?{query}" if query else "")
        signed = url + "".join(name + form[name] for name in sorted(form))
        digest = hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        body = urlencode(form).encode()
        target = url.partition("//")[2]
        host, _, path = target.partition("/")
        head = (
            f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: TwilioProxy/1.1\r\n"
            "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
            f"X-Twilio-Signature: {base64.b64encode(digest).decode()}\r\n"
            f"I-Twilio-Idempotency-Token: bench-{next(self._nonces)}\r\nAccept: */*\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _digits(self, call_id: str) -> bytes:
        """Each one is an event of the call."""
        return self.request(
            self._query(call_id, "gather"), {"CallStatus": "in-progress", "Digits": "5"}
        )

    def _speech(self, call_id: str) -> bytes:
        """Words for a turn that is over, as doubled and late callbacks are: no event."""
        fields = {
            "CallStatus": "in-progress",
            "SpeechResult": "Yes, Thursday at ten would be fine with me.",
            "Confidence": "0.94",
            "Language": "en-US",
        }
        return self.request(self._query(call_id, "gather") + "&turn=t-gone", fields)

    def _status(self, call_id: str) -> bytes:
        """No news after the first."""
        return self.request(
            self._query(call_id, "status"),
            {"CallStatus": "in-progress", "CallbackSource": "call-progress-events"},
        )

    def _query(self, call_id: str, kind: str) -> str:
        return f"callId={call_id}&type={kind}&n={next(self._nonces):016x}"
