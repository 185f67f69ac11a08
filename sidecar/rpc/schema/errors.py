"""The errors of the contract: kinds, codes, and the error object.

Which failure becomes which kind is decided where it happens; this is only how it is written.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from sidecar.rpc.schema.kit import EndReasonName, WireModel


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the table of errors. `retryable` is the usual value of `data.retryable`."""

    code: int
    kind: str
    text: str
    retryable: bool = False


KINDS: tuple[ErrorKind, ...] = (
    ErrorKind(-32700, "parseError", "The message is not valid JSON."),
    ErrorKind(-32600, "invalidRequest", "The message is not a valid JSON-RPC request."),
    ErrorKind(-32601, "methodNotFound", "There is no such method."),
    ErrorKind(-32602, "invalidParams", "The params are wrong; data.errors lists every bad field."),
    ErrorKind(-32603, "internalError", "The sidecar failed; its log says more."),
    ErrorKind(-32001, "callNotFound", "No call has this id."),
    ErrorKind(-32002, "callEnded", "The call has ended; data.reason says how."),
    ErrorKind(-32003, "wrongState", "The call is not in a state that allows this."),
    ErrorKind(-32004, "busy", "Another continue waits on this call."),
    ErrorKind(-32005, "tooManyCalls", "The limit of concurrent calls is reached."),
    ErrorKind(-32006, "notConfigured", "Configuration is missing; data.missing lists the keys."),
    ErrorKind(-32007, "disabled", "Voice calls are switched off."),
    ErrorKind(-32008, "transcriptTimeout", "The caller said nothing in time; the call goes on."),
    ErrorKind(-32009, "carrierRejected", "The carrier refused; data.carrier says what it said."),
    ErrorKind(-32010, "carrierUnavailable", "The carrier cannot be reached.", retryable=True),
    ErrorKind(-32011, "refusedByPolicy", "The configuration forbids it; data.policy names why."),
    ErrorKind(-32012, "unsupported", "This carrier or mode cannot do that."),
    ErrorKind(-32013, "storeUnavailable", "The store cannot be read or written."),
    ErrorKind(-32014, "shuttingDown", "The sidecar is shutting down."),
    ErrorKind(-32015, "unsupportedVersion", "This protocolVersion is not supported."),
    ErrorKind(-32016, "overloaded", "Too many requests are in flight.", retryable=True),
    ErrorKind(-32017, "notFound", "There is no such operation or pairing code."),
    ErrorKind(-32800, "cancelled", "The request was cancelled."),
)

CODES: dict[str, int] = {row.kind: row.code for row in KINDS}

ErrorKindName = (
    Literal[
        "parseError",
        "invalidRequest",
        "methodNotFound",
        "invalidParams",
        "internalError",
        "callNotFound",
        "callEnded",
        "wrongState",
        "busy",
        "tooManyCalls",
        "notConfigured",
        "disabled",
        "transcriptTimeout",
        "carrierRejected",
        "carrierUnavailable",
        "refusedByPolicy",
        "unsupported",
        "storeUnavailable",
        "shuttingDown",
        "unsupportedVersion",
        "overloaded",
        "notFound",
        "cancelled",
    ]
    | str
)
PolicyName = Literal["denyTo", "allowTo", "rateLimited", "quietHours"] | str


class FieldProblem(WireModel):
    """What is wrong with one field."""

    field: str = Field(description="wire name, dotted when nested")
    problem: str


class CarrierAnswer(WireModel):
    """What the carrier said when it refused."""

    status: int | None = Field(default=None, description="HTTP status")
    code: int | str | None = Field(default=None, description="the carrier's own error code")
    message: str | None = None
    more_info: str | None = None


class ErrorDetails(WireModel):
    """The `data` of an error: what programs act on."""

    kind: ErrorKindName
    retryable: bool
    field: str | None = Field(default=None, description="the first bad field")
    errors: list[FieldProblem] | None = Field(default=None, description="every bad field")
    call_id: str | None = None
    reason: EndReasonName | None = Field(default=None, description="why the call ended")
    missing: list[str] | None = Field(default=None, description="configuration keys")
    policy: PolicyName | None = None
    carrier: CarrierAnswer | None = None
    supported: list[int] | None = Field(default=None, description="protocol versions")
    retry_after_ms: int | None = None
    hint: str | None = Field(default=None, description="what to do about it")


class ErrorObject(WireModel):
    """An error of the contract. `message` is a sentence for a person; programs use `data.kind`."""

    code: int
    message: str
    data: ErrorDetails
