"""A real nginx that ends TLS in front of the sidecar: forwarded calls verify, tampered ones do not,
and the log names the cause.

Needs nginx and openssl, so `scripts/proxy-e2e` runs it and the plain test run does not.
"""

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.process.harness import Sidecar, configuration, wait_until
from tests.process.twilio import AUTH_TOKEN, Answer, a_leg, account, arrival, headers, post

HOST = "voice.example.test"
TRUST = {"trustForwardingHeaders": True, "trustedProxyIPs": ["127.0.0.1"]}

FORWARDING = {
    "host-with-port": ("X-Forwarded-Host $http_host", "X-Forwarded-Proto $scheme"),
    "host-and-port": (
        "X-Forwarded-Host $host",
        "X-Forwarded-Port $server_port",
        "X-Forwarded-Proto $scheme",
    ),
    "host-kept": ("Host $http_host", "X-Forwarded-Proto $scheme"),
    "original-host": ("X-Original-Host $http_host", "X-Forwarded-Proto https"),
    "two-proxies": (
        '"X-Forwarded-Host" "$http_host, inner.example.test"',
        '"X-Forwarded-Proto" "https, http"',
    ),
    # What a proxy may get wrong.
    "wrong-scheme": ("X-Forwarded-Host $http_host", "X-Forwarded-Proto http"),
    "wrong-port": (
        "Host $http_host",
        "X-Forwarded-Host $host",
        "X-Forwarded-Port 9",
        "X-Forwarded-Proto https",
    ),
    "wrong-host": (
        "Host $http_host",
        "X-Forwarded-Host other.example.test:$server_port",
        "X-Forwarded-Proto https",
    ),
}
RIGHT = [name for name in FORWARDING if not name.startswith("wrong")]


class Proxy:
    """nginx with one TLS port per way of forwarding, all leading to one upstream port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.upstream = free_port()
        self.ports = {name: free_port() for name in FORWARDING}
        self.stripped = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.tls = ssl.create_default_context()

    def start(self) -> None:
        for program in ("nginx", "openssl"):
            if shutil.which(program) is None:
                pytest.fail(f"{program} is not installed; scripts/ci-packages installs it.")
        self._certify()
        self.tls.load_verify_locations(self.folder / "cert.pem")
        config = self.folder / "nginx.conf"
        config.write_text(self._config())
        command = ["nginx", "-p", str(self.folder), "-c", str(config), "-e", "error.log"]
        self._process = subprocess.Popen(command)
        wait_until(lambda: answers_on(self.stripped))

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def url(self, way: str, path: str = "/voice/webhook") -> str:
        return f"https://{HOST}:{self.ports[way]}{path}"

    def send(self, url: str, form: Mapping[str, str], given: Mapping[str, str]) -> Answer:
        return post(url, form, given, tls=self.tls)

    def _certify(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            + ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
            + ["-keyout", "key.pem", "-out", "cert.pem"],
            cwd=self.folder,
            check=True,
            capture_output=True,
        )

    def _config(self) -> str:
        servers = [
            self._server(self.ports[name], "/", "", lines) for name, lines in FORWARDING.items()
        ]
        # This one takes a part of the path away.
        servers.append(self._server(self.stripped, "/phone/", "/", ("X-Forwarded-Proto $scheme",)))
        temp = "".join(
            f"{kind}_temp_path {kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            "daemon off;\npid nginx.pid;\nworker_processes 1;\nerror_log error.log;\n"
            "events { worker_connections 128; }\n"
            f"http {{\naccess_log off;\n{temp}ssl_certificate cert.pem;\n"
            f"ssl_certificate_key key.pem;\n{''.join(servers)}}}\n"
        )

    def _server(self, port: int, path: str, to: str, lines: tuple[str, ...]) -> str:
        forwarded = "".join(f"proxy_set_header {line};\n" for line in lines)
        return (
            f"server {{\nlisten 127.0.0.1:{port} ssl;\nserver_name {HOST};\nlocation {path} {{\n"
            f"proxy_pass http://127.0.0.1:{self.upstream}{to};\n{forwarded}}}\n}}\n"
        )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def answers_on(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path_factory.mktemp("nginx"))
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()


@contextmanager
def behind(home: Path, proxy: Proxy, **members: Any) -> Iterator[Sidecar]:
    serve = {"port": proxy.upstream, **members.pop("serve", {})}
    config = configuration(**account(serve=serve, inboundPolicy="disabled", **members))
    with Sidecar(home, config) as sidecar:
        sidecar.ready()
        yield sidecar


@pytest.fixture(scope="module")
def trusting(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A sidecar that believes this proxy."""
    with behind(tmp_path_factory.mktemp("trusting"), proxy, webhookSecurity=TRUST) as sidecar:
        yield sidecar


def refusals(sidecar: Sidecar) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in sidecar.stderr if line.startswith("{")]
    return [line for line in lines if line.get("event") == "webhook.bad_signature"]


def causes_of(sidecar: Sidecar, before: int) -> list[str]:
    wait_until(lambda: len(refusals(sidecar)) > before)
    causes: list[str] = refusals(sidecar)[before]["causes"]
    return causes


def is_taken(answer: Answer) -> bool:
    return answer.status == 200 and b"<Reject" in answer.body


@pytest.mark.parametrize("way", RIGHT)
def test_a_forwarded_call_verifies(proxy: Proxy, trusting: Sidecar, way: str) -> None:
    url, form = proxy.url(way) + "?n=1", arrival(a_leg())
    assert is_taken(proxy.send(url, form, headers(url, form)))


@pytest.mark.parametrize("way", ["host-with-port", "host-and-port"])
def test_what_the_client_says_of_itself_does_not_get_past_the_proxy(
    proxy: Proxy, trusting: Sidecar, way: str
) -> None:
    url, form = proxy.url(way), arrival(a_leg())
    lies = {"X-Forwarded-Host": "evil.example.test", "X-Forwarded-Proto": "http"}
    assert is_taken(proxy.send(url, form, {**headers(url, form), **lies}))


@pytest.mark.parametrize(
    ("way", "cause"),
    [
        ("wrong-scheme", "scheme differs"),
        ("wrong-port", "port differs"),
        ("wrong-host", "host differs"),
    ],
)
def test_a_proxy_that_tells_another_address_is_refused_and_named(
    proxy: Proxy, trusting: Sidecar, way: str, cause: str
) -> None:
    before = len(refusals(trusting))
    url, form = proxy.url(way), arrival(a_leg())
    assert proxy.send(url, form, headers(url, form)).status == 401
    assert causes_of(trusting, before) == [cause]


def test_a_changed_body_and_a_strange_token_are_refused(proxy: Proxy, trusting: Sidecar) -> None:
    url, form = proxy.url("host-with-port"), arrival(a_leg())
    before = len(refusals(trusting))
    changed = {**form, "From": "+15550009999"}
    assert proxy.send(url, changed, headers(url, form)).status == 401
    assert causes_of(trusting, before) == ["auth token or body differs"]
    assert proxy.send(url, form, headers(url, form, AUTH_TOKEN + "x")).status == 401
    assert causes_of(trusting, before + 1) == ["auth token or body differs"]
    assert "+1555000" not in trusting.stderr_text


def test_a_proxy_that_is_not_listed_is_not_believed(proxy: Proxy, tmp_path: Path) -> None:
    # The upstream port is free only in another proxy; the shared one is taken.
    stranger = {"trustForwardingHeaders": True, "trustedProxyIPs": ["192.0.2.1"]}
    with (
        own(proxy, tmp_path / "nginx") as mine,
        behind(tmp_path / "home", mine, webhookSecurity=stranger) as sidecar,
    ):
        url, form = mine.url("host-with-port"), arrival(a_leg())
        assert mine.send(url, form, headers(url, form)).status == 401
        assert "proxy not trusted" in causes_of(sidecar, 0)
        assert "trustedProxyIPs" in refusals(sidecar)[0]["hint"]


@pytest.mark.parametrize("listed", ["::ffff:127.0.0.1", "127.0.0.0/8"])
def test_a_prefix_that_the_proxy_keeps_is_part_of_the_path(
    proxy: Proxy, tmp_path: Path, listed: str
) -> None:
    trust = {"trustForwardingHeaders": True, "trustedProxyIPs": [listed]}
    path = "/phone/voice/webhook"
    with (
        own(proxy, tmp_path / "nginx") as mine,
        behind(tmp_path / "home", mine, serve={"path": path}, webhookSecurity=trust),
    ):
        url, form = mine.url("host-with-port", path) + "?type=status&n=2", arrival(a_leg())
        assert mine.send(url, form, headers(url, form)).status == 200
        elsewhere = mine.url("host-with-port") + "?n=3"
        assert mine.send(elsewhere, form, headers(elsewhere, form)).status == 404


def test_a_prefix_that_the_proxy_takes_away_is_in_the_public_url(
    proxy: Proxy, tmp_path: Path
) -> None:
    with own(proxy, tmp_path / "nginx") as mine:
        public = f"https://{HOST}:{mine.stripped}/phone/voice/webhook"
        with behind(tmp_path / "home", mine, publicUrl=public) as sidecar:
            form = arrival(a_leg())
            url = public + "?n=4"
            assert is_taken(mine.send(url, form, headers(url, form)))
            without = f"https://{HOST}:{mine.stripped}/voice/webhook?n=5"
            with_prefix = public + "?n=5"
            assert mine.send(with_prefix, form, headers(without, form)).status == 401
            assert causes_of(sidecar, 0) == ["path differs"]


@contextmanager
def own(shared: Proxy, folder: Path) -> Iterator[Proxy]:
    """Another nginx, whose upstream is not taken, with the certificate checked the same way."""
    assert shared.folder != folder
    folder.mkdir()
    proxy = Proxy(folder)
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()
