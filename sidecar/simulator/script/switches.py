"""The part of a script about quirks."""

import re
from collections.abc import Mapping
from typing import Any

from sidecar.simulator.quirks import CallbackQuirk, Delivery, Quirks, RestFault, Trouble
from sidecar.simulator.script.reading import Table, seconds_of

NEWS = ("initiated", "ringing", "answered", "completed", "machine", "all")
DOCUMENTS = ("voice", "gather", "redirect", "dial")
OPERATIONS = ("create", "update", "fetch", "list", "account")
DELIVERIES = "normal, late 3s, doubled, reordered, missing"
TROUBLES = '"429", "503", unreached, lost, half-closed, slow 12s'
KEYS = "callbacks, dropQuery, refuseRedirects, neverEnds, endedIsGone, emptyDigits, rest"


def quirks_of(table: Table) -> Quirks:
    quirks = Quirks(
        callbacks=_callbacks(table.table("callbacks")),
        drop_query=table.flag("dropQuery"),
        refuse_redirects=table.whole("refuseRedirects", 0),
        never_ends=table.flag("neverEnds"),
        ended_is_gone=table.flag("endedIsGone"),
        empty_digits=table.flag("emptyDigits"),
        rest=_rest(table.table("rest")),
    )
    table.finish(KEYS)
    return quirks


def _callbacks(table: Table) -> Mapping[str, CallbackQuirk]:
    found = {}
    for name, value in table.rest().items():
        word, _, duration = str(value).partition(" ")
        late_s = seconds_of(duration) if duration else 3.0
        if name not in NEWS + DOCUMENTS:
            known = ", ".join(NEWS + DOCUMENTS)
            table.wrong(name, f"it is no callback; known are {known}")
        elif word not in list(Delivery) or late_s is None:
            table.wrong(name, f"it must be one of: {DELIVERIES}")
        elif name in DOCUMENTS and word in ("reordered", "missing"):
            table.wrong(name, "a request for a document may only be late or doubled")
        else:
            found[name] = CallbackQuirk(Delivery(word), late_s)
    return found


def _rest(table: Table) -> Mapping[str, tuple[RestFault, ...]]:
    found = {}
    for name in list(table.peek()):
        if name not in OPERATIONS:
            table.wrong(name, f"it is no request; known are {', '.join(OPERATIONS)}")
        faults = [(path, _fault(entry)) for path, entry in table.items(name)]
        for path, fault in faults:
            if fault is None:
                table.problems.add(path, f"it must be one of: {TROUBLES}")
        found[name] = tuple(fault for _, fault in faults if fault is not None)
    return found


def _fault(entry: Any) -> RestFault | None:
    text = str(entry).strip()
    if re.fullmatch(r"[45]\d\d", text):
        return RestFault(Trouble.STATUS, status=int(text))
    word, _, duration = text.partition(" ")
    if word == "slow":
        slow_s = seconds_of(duration) if duration else 12.0
        return None if slow_s is None else RestFault(Trouble.SLOW, slow_s=slow_s)
    plain = (Trouble.UNREACHED, Trouble.LOST, Trouble.HALF_CLOSED)
    return RestFault(Trouble(word)) if word in plain else None
