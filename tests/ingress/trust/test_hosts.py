"""Hosts and addresses as strangers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.ingress.trust.hosts import (
    Host,
    Networks,
    is_loopback,
    parse_host,
    parse_port,
    plain_address,
)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("voice.example.test", Host("voice.example.test")),
        ("Voice.Example.Test:8443", Host("Voice.Example.Test", 8443)),
        (" voice.example.test\t", Host("voice.example.test")),
        ("127.0.0.1:3334", Host("127.0.0.1", 3334)),
        ("[::1]:443", Host("[::1]", 443)),
        ("[2001:db8::1]", Host("[2001:db8::1]")),
        ("under_score.test", Host("under_score.test")),
        ("a" * 63 + ".test", Host("a" * 63 + ".test")),
    ],
)
def test_valid_hosts_are_taken_as_written(value: str, host: Host) -> None:
    assert parse_host(value) == host


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "user@voice.example.test",
        "user:pass@voice.example.test",
        "voice.example.test:",
        "voice.example.test:0",
        "voice.example.test:65536",
        "voice.example.test:44x",
        "voice.example.test:\u0664\u0664\u0663",
        "voice..example.test",
        ".example.test",
        "voice.example.test.",
        "-voice.test",
        "voice-.test",
        "a" * 64 + ".test",
        ".".join(["a" * 60] * 5),
        "voice.example.test/path",
        "voice.example.test?x",
        "voice\x00.example.test",
        "voice\n.example.test",
        "voice example.test",
        "v\u00f6ice.test",
        "2001:db8::1",
        "[::1",
        "[::1]x",
        "[1.2.3.4]",
        "[fe80::1%eth0]",
        "[]",
    ],
)
def test_everything_else_is_no_host(value: str) -> None:
    assert parse_host(value) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_parsers(value: str) -> None:
    host = parse_host(value)
    if host is not None:
        assert host.name.isascii()
        assert not set("@/?#\\ \r\n\x00") & set(host.name)
    parse_port(value)
    plain_address(value)


@pytest.mark.parametrize(
    ("peer", "plain"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::FFFF:10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_peers_have_one_spelling(peer: str, plain: str) -> None:
    assert plain_address(peer) == plain


def test_loopback_is_known_in_every_form() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]))
    assert not any(map(is_loopback, ["10.0.0.1", "::ffff:10.0.0.1", "", "localhost"]))


def test_networks_hold_addresses_and_ranges_of_both_kinds() -> None:
    networks = Networks(["10.0.0.0/8", "::ffff:192.0.2.0/120", "2001:db8::/32", "198.51.100.7"])
    inside = ["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.9", "2001:db8::5", "198.51.100.7"]
    assert all(peer in networks for peer in inside)
    assert not any(peer in networks for peer in ["11.0.0.1", "192.0.3.1", "::1", "x", ""])
    assert networks
    assert not Networks([])
