"""`smoke`: the readiness checks, then one real call when it was asked for twice."""

from collections.abc import Mapping
from typing import Any

from sidecar.cli.exits import DONE, FAILED
from sidecar.cli.output import Output, Progress
from sidecar.cli.placing.call import Wish, begin, stay
from sidecar.cli.placing.onecall import sidecar_at_hand
from sidecar.cli.setting_up import check, present
from sidecar.cli.show.text import ENDED_WELL
from sidecar.cli.site import Site


async def smoke(output: Output, config: str | None, wish: Wish, really: bool) -> int:
    """Exit code 1 when a check fails, or when the call does not end as a call should. As JSON, the
    document of `setup` with `callId` and `endReason` added."""
    site = Site.load(config)
    if not (really and wish.params.get("to")):
        result = await check(site)
        present(output, result)
        if result["ok"]:
            output.note("No call was placed; to place one, give --to NUMBER and --yes.")
        return DONE if result["ok"] else FAILED
    async with sidecar_at_hand(output, site, events=True) as hand:
        result = await hand.client.request("voicecall.setup")
        if output.for_people:
            present(output, result)
        if result["ok"]:
            with Progress(output) as progress:
                progress.talkative = True
                call_id = await begin(output, hand.client, wish, progress, print_id=False)
                ended = await stay(output, hand.client, call_id, progress, output.for_people)
            result = {**result, "callId": call_id, "endReason": ended["reason"]}
    return _verdict(output, result)


def _verdict(output: Output, result: Mapping[str, Any]) -> int:
    works = result["ok"] and result.get("endReason") in (*ENDED_WELL, "voicemail")
    if not output.for_people:
        output.document(result)
    elif works:
        from sidecar.cli.show.checks import done

        output.show(done("The call went through."))
    if "endReason" in result and not works:
        output.complain(f"The call did not go through: {result['endReason']}.")
    return DONE if works else FAILED
