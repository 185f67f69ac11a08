"""What came of a rehearsal: for people as text, for programs as JSON, and whether it went well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sidecar.simulator.farend import Expectation
from sidecar.simulator.timeline import Kind, Moment

LABELS: Mapping[Kind, str] = {
    Kind.STATUS: "call is",
    Kind.HEARD: "far end hears",
    Kind.SAID: "far end says",
    Kind.PRESSED: "far end keys",
    Kind.WEBHOOK: "webhook",
    Kind.REQUEST: "sidecar asks",
    Kind.DOCUMENT: "carrier",
    Kind.CARRIER: "carrier",
    Kind.WARNING: "warning",
    Kind.FAULT: "FAULT",
    Kind.EXPECTED: "expected",
}


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call. Times in `moments` are absolute."""

    sid: str
    direction: str
    from_number: str
    to_number: str
    status: str
    begun_ms: int
    moments: Sequence[Moment]
    heard: Sequence[str]
    faults: Sequence[str]
    expectations: Sequence[Expectation]

    @property
    def ok(self) -> bool:
        return not self.faults and all(each.met for each in self.expectations)


@dataclass(slots=True)
class Report:
    """`missing` are the calls that never came, and REST requests that belong to no call."""

    calls: list[CallReport] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.missing and all(call.ok for call in self.calls)

    def document(self) -> dict[str, Any]:
        """As JSON, times in ms since the call began."""
        return {
            "ok": self.ok,
            "missing": self.missing,
            "calls": [_call_document(call) for call in self.calls],
        }

    def text(self) -> str:
        lines = []
        for call in self.calls:
            lines += [*_call_lines(call), ""]
        lines += [f"FAULT  {what}" for what in self.missing]
        lines.append("The rehearsal went well." if self.ok else "The rehearsal did not go well.")
        return "\n".join(lines)


def _call_document(call: CallReport) -> dict[str, Any]:
    return {
        "sid": call.sid,
        "direction": call.direction,
        "from": call.from_number,
        "to": call.to_number,
        "status": call.status,
        "ok": call.ok,
        "heard": list(call.heard),
        "faults": list(call.faults),
        "expectations": [
            {"what": each.what, "met": each.met, **({"why": each.why} if each.why else {})}
            for each in call.expectations
        ],
        "timeline": [
            {
                "atMs": moment.at_ms - call.begun_ms,
                "kind": moment.kind.value,
                "text": moment.text,
                **({"detail": dict(moment.detail)} if moment.detail else {}),
            }
            for moment in call.moments
        ],
    }


def _call_lines(call: CallReport) -> list[str]:
    title = f"{call.direction} call, {call.from_number} to {call.to_number}: {call.status}"
    return [title, *(_line(call, moment) for moment in call.moments)]


def _line(call: CallReport, moment: Moment) -> str:
    minutes, ms = divmod(moment.at_ms - call.begun_ms, 60_000)
    text = moment.text
    if moment.kind is Kind.HEARD:
        cut = "" if moment.detail.get("complete", True) else " (cut)"
        text = f'"{text}"{cut}'
    return f"  {minutes}:{ms / 1_000:06.3f}  {LABELS[moment.kind]:<13}  {text}"
