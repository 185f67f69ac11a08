import json
from typing import Any

import pytest

from sidecar.errors import Problem
from sidecar.tunnel.tailnet import (
    Exposure,
    Served,
    asks_to_enable,
    conflict,
    explain,
    is_current,
    is_ours,
    parse_machine,
    parse_served,
    place,
    refusal,
)

THERE = place("/voice/webhook", 443, "/voice/webhook", "/voice/stream")
WANTED = Exposure(THERE, "127.0.0.1:3334")
HOOK, STREAM = "http://127.0.0.1:3334/voice/webhook", "http://127.0.0.1:3334/voice/stream"
OURS = {"/voice/webhook": HOOK, "/voice/stream": STREAM}


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/voice/webhook", "/voice/stream"),
        ("/voice/webhook/", "/voice/stream"),
        ("/pbx/voice/webhook", "/pbx/voice/stream"),
        ("/hook", "/voice/stream"),
        ("/", "/voice/stream"),
    ],
)
def test_streams_stand_beside_the_webhook(path: str, stream: str) -> None:
    there = place(path, 8443, "/voice/webhook/", "/voice/stream")
    assert there.mounts() == {
        path.rstrip("/") or "/": "/voice/webhook",
        stream: "/voice/stream",
    }
    assert there.origin("phone.ts.net") == "phone.ts.net:8443"


@pytest.mark.parametrize("port", [443, 8443, 10_000])
def test_a_funnel_has_three_ports(port: int) -> None:
    assert refusal("funnel", place("/a", port, "/a", "/s")) is None


@pytest.mark.parametrize(
    ("mode", "path", "port", "key"),
    [
        ("funnel", "/a", 8080, "tailscale.port"),
        ("serve", "/a", 0, "tailscale.port"),
        ("serve", "/a", 70_000, "tailscale.port"),
        ("serve", "a", 443, "tailscale.path"),
        ("serve", "/a b", 443, "tailscale.path"),
        ("serve", "/a//b", 443, "tailscale.path"),
        ("serve", "/a/../b", 443, "tailscale.path"),
        ("serve", "/s", 443, "tailscale.path"),
    ],
)
def test_what_cannot_be_served_is_refused_by_its_key(
    mode: str, path: str, port: int, key: str
) -> None:
    problem = refusal(mode, place(path, port, "/a", "/s"))
    assert problem is not None
    assert problem.kind == "invalidParams"
    assert problem.data["key"] == key
    assert key in problem.message


def status(**members: Any) -> str:
    own = {"DNSName": "Phone.tail1234.ts.net."}
    domains = ["phone.tail1234.ts.net"]
    return json.dumps({"BackendState": "Running", "Self": own, "CertDomains": domains, **members})


def test_the_name_of_the_machine_is_read_from_its_status() -> None:
    machine = parse_machine(status())
    assert (machine.host, machine.problem) == ("phone.tail1234.ts.net", None)


@pytest.mark.parametrize(
    ("output", "part", "retryable"),
    [
        ("", "cannot be read", True),
        ("[]", "cannot be read", True),
        ("[" * 100_000, "cannot be read", True),
        (status(BackendState="NeedsLogin"), "not logged in to Tailscale", True),
        (status(BackendState="NeedsMachineAuth"), "approval", True),
        (status(BackendState="Stopped"), "run `tailscale up`", True),
        (status(BackendState="Starting"), "still starting", True),
        (status(BackendState=5), "still starting", True),
        (status(Self=None), "MagicDNS", False),
        (status(Self={"DNSName": ""}), "MagicDNS", False),
        (status(Self={"DNSName": "evil/host."}), "MagicDNS", False),
        (status(CertDomains=None), "HTTPS certificates are off", False),
    ],
    ids=range(12),
)
def test_what_keeps_a_machine_from_serving_is_named(
    output: str, part: str, retryable: bool
) -> None:
    problem = parse_machine(output).problem
    assert problem is not None
    assert part in problem.message
    assert problem.retryable is retryable


def test_what_is_served_is_read_for_one_host_and_port() -> None:
    web = {
        "a.ts.net:443": {"Handlers": {"/x": {"Proxy": "http://127.0.0.1:1"}, "/t": {"Text": "t"}}}
    }
    output = json.dumps({"Web": web, "AllowFunnel": {"a.ts.net:443": True}})
    served = parse_served(output, "a.ts.net", 443)
    assert served == Served({"/x": "http://127.0.0.1:1", "/t": None}, True)
    assert parse_served(output, "a.ts.net", 8443) == Served({}, False)


@pytest.mark.parametrize("output", ["", "\n", "null", "{}", '{"Web": 5}', '{"Web": {"a:443": 1}}'])
def test_nothing_served_is_no_error(output: str) -> None:
    assert parse_served(output, "a", 443) == Served({}, False)


def test_an_unreadable_serve_status_is_a_problem() -> None:
    assert isinstance(parse_served("No serve config", "a", 443), Problem)


def test_current_means_both_paths_at_this_port_with_this_reach() -> None:
    assert is_current(Served(OURS, True), "funnel", WANTED)
    assert is_current(Served({**OURS, "/other": None}, False), "serve", WANTED)
    assert not is_current(Served(OURS, False), "funnel", WANTED)
    assert not is_current(Served({"/voice/webhook": HOOK}, False), "serve", WANTED)
    moved = {path: target.replace("3334", "4000") for path, target in OURS.items()}
    assert not is_current(Served(moved, False), "serve", WANTED)


@pytest.mark.parametrize(
    ("target", "ours"),
    [
        (HOOK, True),
        ("http://localhost:9/voice/webhook/", True),
        ("http://192.0.2.1:3334/voice/webhook", False),
        ("http://127.0.0.1:3334/other", False),
        ("http://127.0.0.1:99999/voice/webhook", False),
        (None, False),
    ],
)
def test_a_leftover_of_ours_is_told_from_anything_else(target: str | None, ours: bool) -> None:
    assert is_ours(target, WANTED, "/voice/webhook") is ours


def test_a_path_that_somebody_else_uses_is_not_taken() -> None:
    problem = conflict(Served({"/voice/stream": "http://127.0.0.1:80"}, False), "serve", WANTED)
    assert problem is not None
    assert "/voice/stream on port 443" in problem.message
    assert conflict(Served(OURS, False), "serve", WANTED) is None


def test_other_paths_keep_the_reach_they_have() -> None:
    private, public = Served({"/wiki": None}, False), Served({"/wiki": None}, True)
    made_public = conflict(private, "funnel", WANTED)
    assert made_public is not None
    assert "would make them public" in made_public.message
    taken_off = conflict(public, "serve", WANTED)
    assert taken_off is not None
    assert "off the Internet" in taken_off.message
    assert conflict(private, "serve", WANTED) is None
    assert conflict(public, "funnel", WANTED) is None


def test_a_request_to_enable_something_is_passed_on_with_its_link() -> None:
    line = "         https://login.tailscale.com/f/funnel?node=n1"
    assert asks_to_enable(line)
    assert not asks_to_enable("https://login.tailscale.com/admin/dns")
    assert "https://login.tailscale.com/f/funnel?node=n1" in explain(line, "funnel").message


def test_a_failure_without_a_known_sign_says_where_to_look() -> None:
    assert "`tailscale serve`" in explain("boom", "serve").message
    assert "does not answer" in explain("", "serve", hung=True).message
