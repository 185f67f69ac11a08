"""The public URL: every combination of configuration, headers and peer."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sidecar.config import Config
from sidecar.ingress.trust.public_url import Form, PublicUrls
from sidecar.ports import HttpRequest
from tests.support.street import Street, body_of, event

PUBLIC = "voice.example.test"
TRUST: dict[str, Any] = {"webhookSecurity": {"trustForwardingHeaders": True}}
ALLOW: dict[str, Any] = {"webhookSecurity": {"allowedHosts": [PUBLIC]}}


def request(
    url: str = "/voice/webhook?n=1", peer: str = "127.0.0.1", **headers: str
) -> HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpRequest("POST", url, {"host": "127.0.0.1:3334", **named}, b"", peer)


def urls(**config: Any) -> PublicUrls:
    return PublicUrls(Config.model_validate(config))


def verified(urls: PublicUrls, request: HttpRequest) -> str:
    return urls.webhook(request).url


# -- configured, tunnel ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "expected"),
    [
        (f"https://{PUBLIC}/voice/webhook", f"https://{PUBLIC}/voice/webhook?n=1"),
        (f"https://{PUBLIC}:443/hook", f"https://{PUBLIC}:443/hook?n=1"),
        (f"http://{PUBLIC}:8080/a/b/", f"http://{PUBLIC}:8080/a/b/?n=1"),
        (f"https://{PUBLIC}", f"https://{PUBLIC}?n=1"),
        (f"https://{PUBLIC}/hook?old=1", f"https://{PUBLIC}/hook?n=1"),
        ("https://Voice.Example.Test/Hook", "https://Voice.Example.Test/Hook?n=1"),
        ("https://[2001:db8::1]:8443/hook", "https://[2001:db8::1]:8443/hook?n=1"),
    ],
)
def test_the_configured_url_decides_and_only_the_query_is_the_requests(
    public: str, expected: str
) -> None:
    told = request("/other/path?n=1", x_forwarded_host="evil.test", x_forwarded_proto="http")
    found = urls(publicUrl=public, **TRUST)
    assert verified(found, told) == expected
    assert found.webhook(told).form is Form.CONFIGURED


def test_the_configured_url_decides_even_when_a_tunnel_is_up() -> None:
    found = urls(publicUrl=f"https://{PUBLIC}/hook")
    found.set_tunnel("https://x.ngrok-free.app/voice/webhook")
    assert verified(found, request()) == f"https://{PUBLIC}/hook?n=1"


def test_the_tunnel_decides_while_it_is_up() -> None:
    found = urls()
    before = verified(found, request())
    found.set_tunnel("https://x.ngrok-free.app")
    assert verified(found, request()) == "https://x.ngrok-free.app/voice/webhook?n=1"
    found.set_tunnel("https://x.ngrok-free.app/a/voice/webhook")
    assert verified(found, request()) == "https://x.ngrok-free.app/a/voice/webhook?n=1"
    assert found.webhook(request()).form is Form.TUNNEL
    found.set_tunnel(None)
    assert verified(found, request()) == before


def test_the_query_is_kept_character_for_character() -> None:
    query = "b=%2f&a=x+y&a=%20&c"
    found = urls(publicUrl=f"https://{PUBLIC}/hook")
    assert verified(found, request(f"/?{query}")) == f"https://{PUBLIC}/hook?{query}"
    assert verified(urls(), request(f"/voice%2fx?{query}")).endswith(f"/voice%2fx?{query}")


# -- rebuilt from the request ---------------------------------------------------------------------


def test_without_configuration_the_request_itself_tells() -> None:
    told = request(x_forwarded_host=PUBLIC, x_forwarded_proto="https", x_forwarded_port="1")
    assert verified(urls(), told) == "http://127.0.0.1:3334/voice/webhook?n=1"
    assert urls().webhook(told).form is Form.REQUEST


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_forwarded_proto": "https", "x_forwarded_host": PUBLIC}, f"https://{PUBLIC}"),
        ({"x_forwarded_host": PUBLIC}, f"http://{PUBLIC}"),
        ({"x_forwarded_proto": "HTTPS", "host": PUBLIC}, f"https://{PUBLIC}"),
        ({"x_forwarded_proto": "wss", "host": PUBLIC}, f"https://{PUBLIC}"),
        ({"x_forwarded_proto": "gopher", "host": PUBLIC}, f"http://{PUBLIC}"),
        ({"x_forwarded_proto": "https, http", "host": PUBLIC}, f"https://{PUBLIC}"),
        (
            {"x_forwarded_host": f"{PUBLIC}, inner.test", "x_forwarded_proto": "https"},
            f"https://{PUBLIC}",
        ),
        (
            {"x_forwarded_proto": "https", "x_forwarded_host": f"{PUBLIC}:8443"},
            f"https://{PUBLIC}:8443",
        ),
        (
            {
                "x_forwarded_proto": "https",
                "x_forwarded_host": PUBLIC,
                "x_forwarded_port": "8443, 80",
            },
            f"https://{PUBLIC}:8443",
        ),
        (
            {"x_forwarded_proto": "https", "x_forwarded_host": PUBLIC, "x_forwarded_port": "443"},
            f"https://{PUBLIC}",
        ),
        ({"x_forwarded_host": PUBLIC, "x_forwarded_port": "80"}, f"http://{PUBLIC}"),
        ({"x_forwarded_host": f"{PUBLIC}:80"}, f"http://{PUBLIC}"),
        ({"x_forwarded_host": PUBLIC, "x_forwarded_port": "x"}, f"http://{PUBLIC}"),
        (
            {"x_forwarded_host": f"{PUBLIC}:8443", "x_forwarded_port": "443"},
            f"http://{PUBLIC}:8443",
        ),
        ({"host": f"{PUBLIC}:3334", "x_forwarded_port": "8080"}, f"http://{PUBLIC}:8080"),
        ({"x_original_host": PUBLIC}, f"http://{PUBLIC}"),
        ({"ngrok_forwarded_host": PUBLIC}, f"http://{PUBLIC}"),
        ({"x_forwarded_host": PUBLIC, "x_original_host": "b.test"}, f"http://{PUBLIC}"),
        ({"x_forwarded_host": "a@b", "x_original_host": PUBLIC}, f"http://{PUBLIC}"),
        ({"x_forwarded_host": "u:p@" + PUBLIC, "host": "own.test"}, "http://own.test"),
        ({"x_forwarded_host": "bad host", "host": "own.test"}, "http://own.test"),
        ({"x_forwarded_host": "", "host": "own.test"}, "http://own.test"),
    ],
)
def test_believed_headers_rebuild_the_url(headers: dict[str, str], expected: str) -> None:
    assert verified(urls(**TRUST), request(**headers)) == f"{expected}/voice/webhook?n=1"


def test_a_forwarded_host_must_be_allowed_when_hosts_are_listed() -> None:
    found = urls(**ALLOW)
    good = request(x_forwarded_host=PUBLIC.upper(), x_forwarded_proto="https")
    assert verified(found, good) == f"https://{PUBLIC.upper()}/voice/webhook?n=1"
    bad = request(x_forwarded_host="evil.test", x_forwarded_proto="https")
    assert verified(found, bad) == "https://127.0.0.1:3334/voice/webhook?n=1"
    second = request(x_forwarded_host="evil.test", x_original_host=PUBLIC)
    assert verified(found, second) == f"http://{PUBLIC}/voice/webhook?n=1"


def test_an_allowed_host_may_be_listed_with_its_port() -> None:
    found = urls(webhookSecurity={"allowedHosts": [f"{PUBLIC}:8443"]})
    good = request(x_forwarded_host=f"{PUBLIC}:8443")
    assert verified(found, good) == f"http://{PUBLIC}:8443/voice/webhook?n=1"
    assert PUBLIC not in verified(found, request(x_forwarded_host=PUBLIC))


@pytest.mark.parametrize(
    ("security", "peer", "believed"),
    [
        ({}, "127.0.0.1", False),
        ({"trustedProxyIPs": ["127.0.0.1"]}, "127.0.0.1", False),
        ({"trustForwardingHeaders": True}, "203.0.113.9", True),
        ({"allowedHosts": [PUBLIC]}, "203.0.113.9", True),
        ({"trustForwardingHeaders": True, "trustedProxyIPs": ["10.0.0.1"]}, "10.0.0.1", True),
        (
            {"trustForwardingHeaders": True, "trustedProxyIPs": ["10.0.0.1"]},
            "::ffff:10.0.0.1",
            True,
        ),
        ({"trustForwardingHeaders": True, "trustedProxyIPs": ["10.0.0.0/8"]}, "10.9.9.9", True),
        ({"trustForwardingHeaders": True, "trustedProxyIPs": ["10.0.0.1"]}, "10.0.0.2", False),
        ({"allowedHosts": [PUBLIC], "trustedProxyIPs": ["::1"]}, "::1", True),
        ({"allowedHosts": [PUBLIC], "trustedProxyIPs": ["::1"]}, "127.0.0.1", False),
        ({"allowedHosts": [PUBLIC], "trustedProxyIPs": ["::ffff:10.0.0.1"]}, "10.0.0.1", True),
    ],
)
def test_who_is_believed(security: dict[str, Any], peer: str, believed: bool) -> None:
    told = request(peer=peer, x_forwarded_host=PUBLIC, x_forwarded_proto="https")
    found = verified(urls(webhookSecurity=security), told)
    assert (found == f"https://{PUBLIC}/voice/webhook?n=1") is believed


def test_a_request_without_any_good_host_is_verified_against_our_own() -> None:
    found = urls(serve={"port": 4000})
    assert verified(found, request(host="b@d")) == "http://127.0.0.1:4000/voice/webhook?n=1"


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public", "expected"),
    [
        (f"https://{PUBLIC}/voice/webhook", f"wss://{PUBLIC}/voice/stream/tok"),
        (f"https://{PUBLIC}:8443/tel/voice/webhook/", f"wss://{PUBLIC}:8443/tel/voice/stream/tok"),
        (f"http://{PUBLIC}/elsewhere", f"ws://{PUBLIC}/voice/stream/tok"),
    ],
)
def test_streams_are_beside_the_public_webhook(public: str, expected: str) -> None:
    assert urls(publicUrl=public).stream(request("/voice/stream/tok")).url == expected


def test_without_a_known_address_a_handshake_is_verified_as_it_came() -> None:
    told = request("/voice/stream/tok", x_forwarded_host=PUBLIC, x_forwarded_proto="https")
    assert urls().stream(told).url == "ws://127.0.0.1:3334/voice/stream/tok"
    assert urls(**TRUST).stream(told).url == f"wss://{PUBLIC}/voice/stream/tok"
    assert urls().prefix == ""


# -- the address that counts for limits -----------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "peer", "chain", "source"),
    [
        ({}, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ({}, "::ffff:203.0.113.1", "", "203.0.113.1"),
        (TRUST, "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        (ALLOW, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        (TRUST, "127.0.0.1", "", "127.0.0.1"),
        (TRUST, "127.0.0.1", "unknown", "127.0.0.1"),
        (TRUST, "127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        (TRUST, "127.0.0.1", "198.51.100.1, 127.0.0.1", "198.51.100.1"),
        ({"tunnel": {"provider": "ngrok"}}, "127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ({"tunnel": {"provider": "ngrok"}}, "203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ({"tailscale": {"mode": "funnel"}}, "::1", "198.51.100.1", "198.51.100.1"),
        (
            {"webhookSecurity": {"trustedProxyIPs": ["10.0.0.0/8"]}},
            "10.0.0.1",
            "198.51.100.1, 10.0.0.2",
            "198.51.100.1",
        ),
        (
            {"webhookSecurity": {"trustedProxyIPs": ["10.0.0.0/8"]}},
            "203.0.113.1",
            "198.51.100.1",
            "203.0.113.1",
        ),
    ],
)
def test_the_address_that_counts_for_limits(
    config: dict[str, Any], peer: str, chain: str, source: str
) -> None:
    headers = {"x_forwarded_for": chain} if chain else {}
    assert urls(**config).source(request(peer=peer, **headers)) == source


def test_behind_a_tunnel_that_came_up_later_the_forwarded_address_counts() -> None:
    found = urls()
    found.set_tunnel("https://x.ngrok-free.app")
    assert found.source(request(x_forwarded_for="198.51.100.1")) == "198.51.100.1"


# -- the grid, through the door -------------------------------------------------------------------

SCHEMES = ("http", "https")
PORTS = (None, 443, 80, 8443)
HEADER_SETS = ("x-forwarded-host", "x-original-host", "ngrok-forwarded-host", "host")
PREFIXES = ("", "/tel")
BODY = body_of(event("digits", digits="1"))


def grid_headers(kind: str, scheme: str, port: int | None) -> Mapping[str, str]:
    headers = {kind: PUBLIC, "x-forwarded-proto": scheme}
    if port is not None:
        headers["x-forwarded-port"] = str(port)
    return headers


def signed_as(scheme: str, port: int | None, prefix: str, n: int) -> str:
    default = {"http": 80, "https": 443}[scheme]
    shown = "" if port in (None, default) else f":{port}"
    return f"{scheme}://{PUBLIC}{shown}{prefix}/voice/webhook?n={n}"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("bind", ["127.0.0.1", "::"])
async def test_the_proxy_grid_accepts_what_is_right_and_refuses_what_is_not(
    tmp_path: Path, bind: str
) -> None:
    security = {"allowedHosts": [PUBLIC], "trustedProxyIPs": ["127.0.0.1"]}
    config = {"webhookSecurity": security, "serve": {"bind": bind}}
    async with Street(tmp_path, config) as street:
        grid = itertools.product(SCHEMES, PORTS, HEADER_SETS)
        for n, (scheme, port, kind) in enumerate(grid):
            headers = grid_headers(kind, scheme, port)
            url = signed_as(scheme, port, "", n)
            path = f"/voice/webhook?n={n}"
            accepted = await street.post(BODY, path=path, signed_url=url, headers=headers)
            assert accepted[0] == 204, (scheme, port, kind)
            other = {"http": "https", "https": "http"}[scheme]
            for wrong in (
                url.replace(scheme, other, 1),
                url.replace(PUBLIC, "evil.test"),
                url.replace("/voice", "/tel/voice"),
                url.replace(PUBLIC, f"{PUBLIC}:9"),
                url + "1",
            ):
                refused = await street.post(BODY, path=path, signed_url=wrong, headers=headers)
                assert refused[0] == 401, wrong


@pytest.mark.timeout(30)
async def test_the_grid_behind_a_proxy_that_is_not_trusted_refuses_everything(
    tmp_path: Path,
) -> None:
    security = {"allowedHosts": [PUBLIC], "trustedProxyIPs": ["10.0.0.1"]}
    async with Street(tmp_path, {"webhookSecurity": security}) as street:
        for scheme, port, kind in itertools.product(SCHEMES, PORTS, HEADER_SETS[:3]):
            headers = grid_headers(kind, scheme, port)
            url = signed_as(scheme, port, "", 1)
            path = "/voice/webhook?n=1"
            refused = await street.post(BODY, path=path, signed_url=url, headers=headers)
            assert refused[0] == 401, (scheme, port, kind)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("scheme", "prefix"), list(itertools.product(SCHEMES, PREFIXES)))
async def test_the_grid_with_a_configured_url_needs_no_headers_and_believes_none(
    tmp_path: Path, scheme: str, prefix: str
) -> None:
    public = f"{scheme}://{PUBLIC}:8443{prefix}/voice/webhook"
    async with Street(tmp_path, {"publicUrl": public}) as street:
        for n, kind in enumerate(("x-none", *HEADER_SETS)):
            headers = {kind: "evil.test", "x-forwarded-proto": "ftp", "x-forwarded-port": "1"}
            path = f"/voice/webhook?n={n}"
            right = await street.post(
                BODY, path=path, signed_url=f"{public}?n={n}", headers=headers
            )
            wrong = await street.post(
                BODY, path=path, signed_url=f"{public}?n=x{n}", headers=headers
            )
            assert (right[0], wrong[0]) == (204, 401)
