"""Which method is which function: the names of the contract."""

from collections.abc import Mapping

from sidecar.rpc.dispatch import Handler
from sidecar.rpc.methods.process import Process
from sidecar.rpc.methods.reading import Reading
from sidecar.rpc.methods.services import Services
from sidecar.rpc.methods.tool import Tool
from sidecar.rpc.methods.verbs import Verbs


def handlers(services: Services) -> Mapping[str, Handler]:
    verbs, reading, process = Verbs(services), Reading(services), Process(services)
    return {
        "voicecall.initiate": verbs.initiate,
        "voicecall.start": verbs.start,
        "voicecall.continue": verbs.continue_call,
        "voicecall.continue.start": verbs.continue_start,
        "voicecall.continue.result": verbs.continue_result,
        "voicecall.speak": verbs.speak,
        "voicecall.dtmf": verbs.dtmf,
        "voicecall.end": verbs.end,
        "voicecall.transfer": verbs.transfer,
        "voicecall.status": reading.status,
        "voicecall.history": reading.history,
        "voicecall.latency": reading.latency,
        "voicecall.setup": reading.setup,
        "voicecall.pairing.approve": reading.pairing_approve,
        "voicecall.tool": Tool(verbs, reading).run,
        "events.replay": process.replay,
        "events.ack": process.ack,
        "rpc.discover": process.discover,
        "sidecar.stats": process.stats,
        "sidecar.shutdown": process.shutdown,
    }
