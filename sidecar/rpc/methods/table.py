"""Which method is which function: the names of the contract."""

from collections.abc import Mapping
from typing import Any

from sidecar.rpc.dispatch import Handler, RequestContext
from sidecar.rpc.methods.process import Process
from sidecar.rpc.methods.reading import Reading
from sidecar.rpc.methods.services import Services
from sidecar.rpc.methods.tool import Tool
from sidecar.rpc.methods.verbs import Verbs


def handlers(services: Services) -> Mapping[str, Handler]:
    verbs, reading, process = Verbs(services), Reading(services), Process(services)
    calling = {
        "voicecall.initiate": verbs.initiate,
        "voicecall.start": verbs.start,
        "voicecall.continue": verbs.continue_call,
        "voicecall.continue.start": verbs.continue_start,
        "voicecall.speak": verbs.speak,
        "voicecall.dtmf": verbs.dtmf,
        "voicecall.end": verbs.end,
        "voicecall.transfer": verbs.transfer,
    }
    return {
        **{name: _needs_carrier(services, handler) for name, handler in calling.items()},
        "voicecall.continue.result": verbs.continue_result,
        "voicecall.status": reading.status,
        "voicecall.history": reading.history,
        "voicecall.latency": reading.latency,
        "voicecall.setup": reading.setup,
        "voicecall.pairing.approve": reading.pairing_approve,
        "voicecall.tool": Tool(verbs, reading, services.dialling.must_reach_carrier).run,
        "events.replay": process.replay,
        "events.ack": process.ack,
        "rpc.discover": process.discover,
        "sidecar.stats": process.stats,
        "sidecar.shutdown": process.shutdown,
    }


def _needs_carrier(services: Services, handler: Handler) -> Handler:
    """A sidecar that is switched off or lacks credentials says so before anything else."""

    async def method(context: RequestContext, params: dict[str, Any]) -> Mapping[str, Any]:
        services.dialling.must_reach_carrier()
        return await handler(context, params)

    return method
