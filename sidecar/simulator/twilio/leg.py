"""One leg of a call as Twilio keeps it: the resource of the REST API and the parameters that every
webhook about it carries."""

import email.utils
import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

API_VERSION = "2010-04-01"
SIP_CODES = {"busy": "486", "no-answer": "487", "canceled": "487", "failed": "404"}
FINAL = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def rfc2822(at_ms: int) -> str:
    return email.utils.format_datetime(datetime.fromtimestamp(at_ms // 1_000, UTC))


@dataclass(slots=True)
class Leg:
    """`status` is what the REST API shows; callbacks say `initiated` where it says `queued`."""

    sid: str
    account_sid: str
    from_number: str
    to_number: str
    direction: str
    created_ms: int
    status: str = "queued"
    parent_sid: str | None = None
    started_ms: int | None = None
    answered_ms: int | None = None
    ended_ms: int | None = None
    updated_ms: int | None = None
    answered_by: str | None = None
    machine_ms: int | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def duration_s(self) -> int:
        if self.answered_ms is None or self.ended_ms is None:
            return 0
        return max(1, round((self.ended_ms - self.answered_ms) / 1_000))

    def to(self, status: str, at_ms: int) -> None:
        self.status = status
        self.updated_ms = at_ms
        if status == "ringing" and self.started_ms is None:
            self.started_ms = at_ms
        if status == "in-progress" and self.answered_ms is None:
            self.answered_ms = at_ms
        if status in FINAL:
            self.ended_ms = at_ms

    def params(self, status: str | None = None) -> dict[str, str]:
        """The parameters of every voice request; `status` where it differs from the resource."""
        found = {
            "ApiVersion": API_VERSION,
            "CallSid": self.sid,
            "AccountSid": self.account_sid,
            "CallStatus": status or self.status,
            "Direction": self.direction,
            "From": self.from_number,
            "To": self.to_number,
            "Caller": self.from_number,
            "Called": self.to_number,
        }
        for who in ("From", "To", "Caller", "Called"):
            found |= {f"{who}{what}": "" for what in ("City", "State", "Zip")}
            found[f"{who}Country"] = "US"
        if self.parent_sid is not None:
            found["ParentCallSid"] = self.parent_sid
        return found

    def resource(self) -> dict[str, Any]:
        """The call resource, as the REST API shows it."""
        uri = f"/{API_VERSION}/Accounts/{self.account_sid}/Calls/{self.sid}"
        parts = ("notifications", "recordings", "payments", "events", "siprec", "streams")
        return {
            "sid": self.sid,
            "account_sid": self.account_sid,
            "parent_call_sid": self.parent_sid,
            "to": self.to_number,
            "to_formatted": _formatted(self.to_number),
            "from": self.from_number,
            "from_formatted": _formatted(self.from_number),
            "phone_number_sid": None,
            "direction": self.direction,
            "status": self.status,
            "start_time": _date(self.started_ms),
            "end_time": _date(self.ended_ms),
            "duration": str(self.duration_s) if self.is_final else None,
            "date_created": _date(self.created_ms),
            "date_updated": _date(self.updated_ms or self.created_ms),
            "answered_by": self.answered_by,
            "forwarded_from": None,
            "caller_name": None,
            "group_sid": None,
            "trunk_sid": None,
            "annotation": None,
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "api_version": API_VERSION,
            "uri": f"{uri}.json",
            "subresource_uris": {part: f"{uri}/{part.title()}.json" for part in parts},
        }


def _date(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc2822(at_ms)


def _formatted(number: str) -> str:
    if len(number) == 12 and number.startswith("+1"):
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


def ending(leg: Leg) -> dict[str, str]:
    """The parameters that only a final status callback carries."""
    return {
        "CallDuration": str(leg.duration_s),
        "Duration": str(math.ceil(leg.duration_s / 60)),
        "SipResponseCode": SIP_CODES.get(leg.status, "200"),
    }
