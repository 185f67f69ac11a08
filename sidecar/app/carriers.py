"""Which carrier it is; each is imported only when it is the configured one, because some cost more
to load than everything else together."""

from collections.abc import Callable, Sequence

from sidecar.app.settings import line_settings
from sidecar.call.effects import CarrierEffect
from sidecar.call.events import Event
from sidecar.call.model import Call
from sidecar.config import Config, missing_credentials
from sidecar.errors import CarrierError, Problem
from sidecar.ports import (
    Carrier,
    Check,
    Clock,
    HttpAnswer,
    HttpRequest,
    InboundLeg,
    LegSearch,
    LegStatus,
    News,
    Report,
)

SUPPORTED = ("mock", "twilio")


def unsupported(config: Config) -> str | None:
    """Why this version cannot use the configured provider; None when it can."""
    if config.provider in SUPPORTED:
        return None
    return f"This version cannot place calls with {config.provider} yet; use mock or twilio."


def absent(config: Config) -> "AbsentCarrier | None":
    """What stands in for a provider that this version cannot use; None when it can."""
    why = unsupported(config)
    if why is None:
        return None
    return AbsentCarrier(config.provider, why, "Set `provider` to mock or twilio.")


def carrier_of(
    config: Config, rpc_token: str, public_url: Callable[[], str | None], clock: Clock
) -> Carrier:
    """`public_url` gives the public webhook URL once there is one."""
    if config.provider == "mock":
        from sidecar.providers.mock.provider import MockCarrier

        return MockCarrier(line_settings(config), config.caller_number or "", rpc_token, clock)
    if (stand_in := absent(config)) is not None:
        return stand_in
    missing = missing_credentials(config)
    if missing:
        # Without its token nothing could tell a forged webhook from a real one.
        keys = ", ".join(missing)
        why = f"The provider {config.provider} is missing {keys}."
        return AbsentCarrier(config.provider, why)
    from sidecar.providers.twilio.provider import TwilioCarrier

    return TwilioCarrier(config, public_url, clock)


class AbsentCarrier:
    """Stands where a carrier would: takes no webhook, refuses every effect, and says why."""

    renders: frozenset[type] = frozenset()
    signature_headers: tuple[frozenset[str], ...] = ()

    def __init__(self, name: str, why: str, fix: str | None = None) -> None:
        """Without a `fix` the readiness of the configuration says all there is to say."""
        self.name = name
        self._fix = fix
        self._problem = Problem("unsupported", why)

    async def start(self, report: Report) -> None: ...

    async def close(self) -> None: ...

    def cannot_dial(self) -> Problem | None:
        return self._problem

    def verify(self, request: HttpRequest, now_ms: int) -> None:
        raise CarrierError(self._problem)

    def replay_key(self, request: HttpRequest) -> str | None:
        return None

    def parse(self, request: HttpRequest, now_ms: int) -> Sequence[News]:
        raise CarrierError(self._problem)

    def document(
        self,
        call: Call | None,
        request: HttpRequest,
        refused: str | None = None,
        say: str | None = None,
    ) -> HttpAnswer:
        return HttpAnswer(status=404)

    async def perform(self, call: Call, effect: CarrierEffect) -> Sequence[Event]:
        raise CarrierError(self._problem)

    async def reject(self, leg: InboundLeg, reason: str, say: str | None = None) -> None:
        raise CarrierError(self._problem)

    async def leg_status(self, call: Call) -> LegStatus:
        raise CarrierError(self._problem)

    async def find_leg(self, call: Call) -> LegSearch:
        raise CarrierError(self._problem)

    def checks(self) -> Sequence[Check]:
        if self._fix is None:
            return ()
        return (
            Check(
                f"provider.{self.name}",
                "fail",
                self._problem.message,
                key="provider",
                fix=self._fix,
            ),
        )
