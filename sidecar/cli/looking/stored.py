"""`status`, `history` and `latency`: asked of the running sidecar, else read from the store."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sidecar.call.model import Turn
from sidecar.cli.exits import DONE
from sidecar.cli.output import Output
from sidecar.cli.site import Site
from sidecar.ports import HistoryQuery
from sidecar.rpc.methods.reading import latency_report, record
from sidecar.rpc.schema import HistoryParams, StatusParams, validate

if TYPE_CHECKING:
    from sidecar.store.offline.reader import StoreReader

Params = Mapping[str, Any]


async def status(output: Output, config: str | None, params: Params) -> int:
    def read(reader: "StoreReader") -> Mapping[str, Any]:
        wish = validate(StatusParams, params)
        if wish.call_id is None:
            return {"calls": [record(c) for c in reader.open_calls() if not c.is_over]}
        call = reader.get(wish.call_id) or reader.find(wish.call_id)
        return {"found": False} if call is None else {"found": True, "call": record(call)}

    site = Site.load(config)
    result = await site.ask_or_read("voicecall.status", params, read)
    if result.get("calls") and site.running() is None:
        output.note("No sidecar is running. The next one finds out what became of these calls.")
    if not output.for_people:
        output.document(result)
        return DONE
    from sidecar.cli.show.calls import panel, table

    calls, width = result.get("calls"), output.console.width
    if calls is not None:
        output.show(table(calls, width) if calls else "No call is active.")
    elif result["found"]:
        output.show(panel(result["call"]))
    else:
        output.show("No call has this id.")
    return DONE


async def history(output: Output, config: str | None, params: Params) -> int:
    def read(reader: "StoreReader") -> Mapping[str, Any]:
        wish = validate(HistoryParams, params)
        page = reader.history(
            HistoryQuery(
                limit=wish.limit, from_number=wish.from_number, to_number=wish.to, state=wish.state
            )
        )
        result: dict[str, Any] = {"calls": [record(call) for call in page.calls]}
        if page.next_cursor is not None:
            result["nextCursor"] = page.next_cursor
        return result

    result = await Site.load(config).ask_or_read("voicecall.history", params, read)
    if not output.for_people:
        output.document(result)
        return DONE
    from sidecar.cli.show.calls import table

    calls, width = result["calls"], output.console.width
    more = "nextCursor" in result
    output.show(table(calls, width, more) if calls else "There are no such calls.")
    return DONE


async def latency(output: Output, config: str | None, last: int, file: str | None) -> int:
    if file is not None:
        from sidecar.cli.looking.logfile import read_turns

        turns: Sequence[Turn] = read_turns(file)[-last:]
        result: Mapping[str, Any] = latency_report(turns)
    else:
        site = Site.load(config)
        turns = site.read(lambda reader: reader.turns(last))
        result = await site.ask_or_read(
            "voicecall.latency", {"last": last}, lambda reader: latency_report(turns)
        )
    if not output.for_people:
        output.document(result)
        return DONE
    from sidecar.cli.show.figures import latency as shown

    # The contract gives percentiles only; the histogram is drawn from the turns themselves.
    totals = [turn.latency["total"] for turn in turns if "total" in turn.latency]
    output.show(shown(result, totals))
    return DONE
