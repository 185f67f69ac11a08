"""Whatever ngrok and tailscale print, something sensible is made of it, and no address that is
none."""

import json
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.errors import Problem
from sidecar.tunnel import ngrok_log, tailnet
from tests.support.fuzz import FUZZ, changed, documents

STARTED = {"lvl": "info", "msg": "started tunnel", "url": "https://a1.ngrok-free.app"}
NGROK = [
    json.dumps(STARTED),
    json.dumps({"lvl": "eror", "msg": "failed", "err": "ERR_NGROK_334"}),
    "ERROR: authentication failed: ERR_NGROK_105 authtoken: 2abc",
    json.dumps({"lvl": "info", "msg": "client session established"}),
]
STATUS = {
    "BackendState": "Running",
    "Self": {"DNSName": "box.tail1234.ts.net."},
    "CertDomains": ["box.tail1234.ts.net"],
}
SERVED = {
    "Web": {"box.tail1234.ts.net:443": {"Handlers": {"/v": {"Proxy": "http://127.0.0.1:3334/v"}}}},
    "AllowFunnel": {"box.tail1234.ts.net:443": True},
}


@FUZZ
@given(changed(NGROK) | documents(["lvl", "msg", "url", "err"]), st.none() | st.text(max_size=5))
@example("ERR_NGROK_" + "9" * 6, "")
def test_any_line_of_ngrok_is_understood_and_can_be_logged(line: str, token: str | None) -> None:
    said = ngrok_log.parse_line(line)
    if said.url is not None:
        assert urlsplit(said.url).scheme == "https"
        assert urlsplit(said.url).hostname
    assert len(ngrok_log.cleaned(line, token)) <= 500
    if token and len(token) > 3:
        assert token not in ngrok_log.cleaned(line, token).replace("[redacted]", "")
    assert ngrok_log.explain(said, False, "a.test").message


@FUZZ
@given(
    changed([json.dumps(STATUS), json.dumps(SERVED)])
    | documents(["BackendState", "Self", "DNSName", "CertDomains", "Web", "Handlers", "Proxy"])
)
@example(json.dumps({**STATUS, "Self": {"DNSName": 7}}))
@example(json.dumps({"Web": {"box.tail1234.ts.net:443": {"Handlers": {"/": {"Proxy": 7}}}}}))
@example(json.dumps({"Web": {"box.tail1234.ts.net:443": {"Handlers": {"/": None}}}}))
def test_any_status_of_tailscale_is_read_or_explained(output: str) -> None:
    machine = tailnet.parse_machine(output)
    assert machine.host is not None or machine.problem is not None
    served = tailnet.parse_served(output, "box.tail1234.ts.net", 443)
    place = tailnet.place("/v", 443, "/voice/webhook", "/voice/stream")
    if isinstance(served, Problem):
        return
    for target in served.targets.values():
        assert target is None or isinstance(target, str)
    assert isinstance(place, tailnet.Place)


@FUZZ
@given(st.text(max_size=80))
def test_any_complaint_of_tailscale_is_explained(text: str) -> None:
    tailnet.asks_to_enable(text)
    assert tailnet.explain(text, "funnel").message
