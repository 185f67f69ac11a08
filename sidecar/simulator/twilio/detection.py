"""Answering-machine detection: what Twilio makes of whoever answered, and when."""

from sidecar.simulator.farend import Pickup
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.leg import Leg
from sidecar.simulator.twilio.rest.requests import Create
from sidecar.simulator.twilio.talk.stage import Stage

HUMAN_S, MACHINE_S, FAX_S = 1.5, 2.5, 2.0


async def detect(stage: Stage, create: Create) -> dict[str, str]:
    """Listen to the far end; gives the result as parameters, and tells it where that was asked."""
    leg, begun_ms = stage.leg, stage.pace.now_ms()
    result, seconds = _verdict(stage, create.detection == "DetectMessageEnd")
    if seconds > create.detection_timeout_s:
        result, seconds = "unknown", float(create.detection_timeout_s)
    await stage.pace.sleep(seconds)
    leg.answered_by = result
    leg.machine_ms = stage.pace.now_ms() - begun_ms
    stage.timeline.add(Kind.CARRIER, f"detects: {result}", answered_by=result)
    found = detected(leg)
    if create.async_detection and create.machine is not None:
        params = {"CallSid": leg.sid, "AccountSid": leg.account_sid, **found}
        stage.errands.spawn(stage.inform("machine", create.machine, params), "simulator.machine")
    return found


def detected(leg: Leg) -> dict[str, str]:
    """The result so far, as parameters."""
    if leg.answered_by is None:
        return {}
    return {"AnsweredBy": leg.answered_by, "MachineDetectionDuration": str(leg.machine_ms)}


def _verdict(stage: Stage, to_the_end: bool) -> tuple[str, float]:
    greeting_s = stage.plan.greeting_s
    match stage.plan.pickup:
        case Pickup.MACHINE if to_the_end:
            return "machine_end_beep", greeting_s
        case Pickup.MACHINE:
            return "machine_start", min(MACHINE_S, greeting_s)
        case Pickup.FAX:
            return "fax", FAX_S
        case _:
            return "human", HUMAN_S
