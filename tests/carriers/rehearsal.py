"""A real sidecar process between the tests and a simulated Twilio.

The simulator lives on a thread with a loop of its own, so that the tests can be read in the order
of the conversation. Every wait is bounded.
"""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sidecar.engine.clock import SystemClock
from sidecar.simulator.farend import Plan
from sidecar.simulator.quirks import Quirks, RestFault
from sidecar.simulator.timeline import Kind
from sidecar.simulator.twilio.face import TwilioSimulator
from sidecar.simulator.twilio.line import Line
from sidecar.simulator.twilio.postman import Delivery
from sidecar.simulator.twilio.rest.account import Account
from sidecar.simulator.twilio.rest.server import Asked
from tests.process.harness import Message, Sidecar, configuration

SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "example-token-north"
OURS = "+15550001111"
THEIRS = "+15550002222"
OTHER = "+15550003333"
PUBLIC = "https://voice.example.test/phone/voice/webhook"
PATIENCE_S = 15.0
SPEED = 20.0

T = TypeVar("T")


class Call:
    """One call at the carrier, as a test uses it."""

    def __init__(self, carrier: "Carrier", line: Line) -> None:
        self._carrier = carrier
        self.line = line

    @property
    def sid(self) -> str:
        return self.line.sid

    @property
    def status(self) -> str:
        return self.line.status

    @property
    def heard(self) -> list[str]:
        return list(self.line.heard)

    def say(self, text: str) -> None:
        self._carrier.do(lambda: self.line.say(text))

    def be_silent(self) -> None:
        self._carrier.do(self.line.be_silent)

    def press(self, digits: str) -> None:
        self._carrier.do(lambda: self.line.dial_keys(digits))

    def hang_up(self) -> None:
        """When everything before has been done."""
        self._carrier.do(self.line.hang_up)

    def until_heard(self, text: str) -> None:
        self.until(lambda: any(text in heard for heard in self.line.heard))

    def until_status(self, status: str) -> None:
        self.until(lambda: self.line.status == status)

    def until(self, true: Any) -> None:
        try:
            self._carrier.run(self.line.news.until(true))
        except TimeoutError as error:
            raise AssertionError(f"it did not come true:\n{self.story()}") from error

    def until_over(self) -> None:
        try:
            self._carrier.run(self.line.done.wait())
        except TimeoutError as error:
            raise AssertionError(f"the call did not end:\n{self.story()}") from error

    def story(self) -> str:
        return "\n".join(
            f"{moment.at_ms - self.line.timeline.begun_ms:>7} {moment.kind:<9} {moment.text}"
            for moment in self.line.timeline.moments
        )

    def asked(self, operation: str) -> list[str]:
        """What the sidecar asked of this call, and the answers."""
        return [
            moment.text
            for moment in self.line.timeline.of(Kind.REQUEST)
            if moment.detail["operation"] == operation
        ]


class Carrier:
    """The simulated Twilio; `port` is the one of the sidecar's listener."""

    def __init__(
        self,
        *,
        speed: float = SPEED,
        quirks: Quirks | None = None,
        public_url: str | None = PUBLIC,
    ) -> None:
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.public_url = public_url
        self.sim = TwilioSimulator(
            Account(SID, AUTH_TOKEN),
            f"http://127.0.0.1:{self.port}/voice/webhook",
            clock=SystemClock(),
            speed=speed,
            quirks=quirks,
            public_url=public_url,
        )

    def __enter__(self) -> "Carrier":
        self._thread.start()
        self.run(self.sim.__aenter__())
        return self

    def __exit__(self, *failure: object) -> None:
        self.run(self.sim.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = PATIENCE_S) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(timeout):
                return await work

        return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result(timeout + 5)

    def do(self, work: Any) -> None:
        async def done() -> None:
            work()

        self.run(done())

    # -- calls ----------------------------------------------------------------------------------

    def plan(self, plan: Plan) -> None:
        self.sim.plan(plan)

    def fail_next(self, operation: str, fault: RestFault, times: int = 1) -> None:
        self.sim.fail_next(operation, fault, times)

    def call(self, place: int = 0) -> Call:
        """The call that the sidecar places, counted from 0."""
        return Call(self, self.run(self.sim.wait_for_call(place)))

    def incoming(self, plan: Plan | None = None, from_number: str = THEIRS) -> Call:
        return Call(self, self.run(self.sim.incoming(from_number, OURS, plan)))

    def repeat(self, delivery: Delivery) -> Delivery:
        return self.run(self.sim.repeat(delivery))

    @property
    def creates(self) -> list[Asked]:
        return [asked for asked in self.sim.asked if asked.operation == "create"]

    @property
    def refusals(self) -> list[int]:
        """Codes of the requests that Twilio would have refused."""
        return [asked.code for asked in self.sim.asked if asked.code is not None]

    def content(self, *, warnings: Sequence[str] = ()) -> None:
        """Twilio has nothing to complain of, but for what a test provoked."""
        for line in self.sim.lines:
            told = [text for text in line.warnings if not text.startswith(tuple(warnings) or "-")]
            assert line.faults == [], Call(self, line).story()
            assert told == [], Call(self, line).story()


def twilio(carrier: Carrier, **members: Any) -> Message:
    """The configuration of a sidecar on that carrier."""
    return configuration(
        **{
            "provider": "twilio",
            "fromNumber": OURS,
            "publicUrl": carrier.public_url or f"http://127.0.0.1:{carrier.port}/voice/webhook",
            "serve": {"port": carrier.port},
            "twilio": {
                "accountSid": SID,
                "authToken": AUTH_TOKEN,
                "baseUrl": carrier.sim.base_url,
            },
            "outbound": {"notifyHangupDelaySec": 1},
            "inboundPolicy": "open",
            **members,
        }
    )


class Desk(Sidecar):
    """A sidecar process on the simulated Twilio."""

    def __init__(self, home: Path, carrier: Carrier, agent: bool = False, **members: Any) -> None:
        super().__init__(home, twilio(carrier, **members))
        self.ready()
        if agent:
            self.initialize(capabilities={"agent": True, "events": {}})

    def dial(self, message: str | None = "Hello.", **params: Any) -> str:
        return super().dial(message, **{"to": THEIRS, **params})

    def since_the_beginning(self) -> None:
        """Get every event of the store, those of earlier processes too."""
        self.initialize(capabilities={"events": {"since": 0}})

    def only_call(self) -> str:
        """Our id of the one call there has been."""
        (call_id,) = {each["callId"] for each in self.events() if "callId" in each}
        return str(call_id)

    def answer_agent(self, since: int, **answer: Any) -> str:
        """Answer the next `agent.respond` from `since` on; gives the caller's words."""
        asked = self.asked(since)
        self.send({"jsonrpc": "2.0", "id": asked["id"], "result": answer})
        words: str = asked["params"]["message"]
        return words

    def story(self, call_id: str) -> list[str]:
        return [type.removeprefix("call.") for type in self.types(call_id)]

    def ended_once(self, call_id: str) -> Message:
        """The only `call.ended` of a call."""
        ended = self.event("call.ended", call_id)
        self.settle()
        seqs = [each["seq"] for each in self.events(call_id) if each["type"] == "call.ended"]
        assert len(seqs) == 1, (seqs, self.types(call_id))
        return ended


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def transcript(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(line["speaker"], line["text"]) for line in record["transcript"]]
