"""Whatever comes to the mock line's webhook is read or refused."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.errors import CarrierError
from sidecar.providers.mock.wire import READERS, parse_events
from tests.support.fuzz import FUZZ, SCALARS, as_bytes, changed, documents, refusal_of

NAMES = [
    "type", "callId", "providerCallId", "id", "direction", "from", "to", "transcript",
    "confidence", "isFinal", "durationMs", "digits", "reason", "error", "retryable",
]  # fmt: skip
GOOD = [
    json.dumps({"events": [{"type": type, "callId": "c", "transcript": "a", "digits": "1"}]})
    for type in [*READERS, "call.initiated"]
]
EVENTS = st.lists(
    st.dictionaries(
        st.sampled_from(NAMES), SCALARS | st.sampled_from([*READERS, "inbound", "c"]), max_size=8
    ),
    max_size=3,
).map(lambda events: json.dumps({"events": events}))


def is_refused(body: bytes) -> bool:
    refusal = refusal_of(CarrierError, lambda: parse_events(body, 1_000, "+15550000000"))
    assert refusal is None or str(refusal).startswith("The mock webhook was not understood")
    return refusal is not None


@FUZZ
@given(documents(["events", *NAMES]) | EVENTS | changed(GOOD))
@example('{"events": [{"type": "call.silence", "callId": "c", "durationMs": 1e308}]}')
@example('{"events": [{"type": "call.speech", "callId": "c", "transcript": "a", "isFinal": 0}]}')
def test_any_body_is_read_or_refused(text: str) -> None:
    is_refused(as_bytes(text))


@FUZZ
@given(st.binary(max_size=120))
def test_bytes_that_are_no_text_are_refused(body: bytes) -> None:
    assert is_refused(body)
