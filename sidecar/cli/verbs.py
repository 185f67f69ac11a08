"""The verbs that act on a call: ask the running sidecar, say what came of it."""

from collections.abc import Mapping
from typing import Any

from sidecar.cli.exits import DONE
from sidecar.cli.output import Output, Progress
from sidecar.cli.site import Site

_DOING = {
    "voicecall.continue": "Speaking, then waiting for the answer",
    "voicecall.transfer": "Transferring",
    "voicecall.dtmf": "Pressing keys",
}
_DONE = {
    "voicecall.speak": "Accepted; the call will hear it.",
    "voicecall.dtmf": "The keys were pressed.",
    "voicecall.transfer": "The call is being handed over.",
    "voicecall.end": "Hung up.",
}


async def ask(output: Output, config: str | None, method: str, params: Mapping[str, Any]) -> int:
    site = Site.load(config)
    async with site.client() as client:
        with Progress(output) as progress:
            progress.say(_DOING.get(method, "Asking"))
            result = await client.request(method, params)
    if not output.for_people:
        output.document(result)
    elif "transcript" in result:
        from sidecar.cli.show.talk import answer

        output.show(answer(result["transcript"]))
    else:
        from sidecar.cli.show.checks import done

        output.show(done(_DONE[method]))
    return DONE
