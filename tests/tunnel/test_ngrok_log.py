import json

import pytest

from sidecar.tunnel.ngrok_log import Said, cleaned, explain, parse_line
from tests.tunnel.field import TOKEN


def line(**fields: object) -> str:
    return json.dumps({"t": "2026-01-01T00:00:00+0000", "lvl": "info", **fields})


def test_the_address_is_read_from_the_started_tunnel() -> None:
    addr = {"Scheme": "http", "Host": "127.0.0.1:3334"}
    said = parse_line(line(msg="started tunnel", addr=addr, url="https://a.ngrok-free.app/"))
    assert said == Said(url="https://a.ngrok-free.app")


@pytest.mark.parametrize(
    "url", [None, 5, "", "http://a.example", "tcp://0.tcp.ngrok.io:1", "https://a b", "https://u@a"]
)
def test_what_is_no_https_origin_is_no_address(url: object) -> None:
    assert parse_line(line(msg="started tunnel", url=url)) == Said()


def test_a_lost_and_a_restored_session_are_told_apart() -> None:
    closed = line(lvl="eror", msg="session closed, starting reconnect loop", err="EOF")
    assert parse_line(closed) == Said(session=False)
    assert parse_line(line(msg="client session established")) == Said(session=True)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "7", "null", "\x00", '{"msg": []}', "[" * 100_000]
)
def test_garbage_says_nothing(text: str) -> None:
    assert parse_line(text) == Said()


def test_errors_carry_their_code_in_json_and_in_plain_text() -> None:
    failed = line(lvl="crit", msg="command failed", err="limited\r\n\r\nERR_NGROK_108\r\n")
    assert parse_line(failed) == Said(code=108, trouble=True)
    assert parse_line("ERROR:  ERR_NGROK_108") == Said(code=108, trouble=True)
    assert parse_line(line(lvl="eror", msg="failed to reconnect session")) == Said(trouble=True)
    assert parse_line("ERROR:  unknown flag: --url") == Said(trouble=True, outdated=True)


@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_token_never_stays_in_a_line(token: str | None) -> None:
    for text in (f"ERROR:  Your authtoken: {TOKEN}", line(err=f"Your authtoken: {TOKEN}\nbye")):
        shown = cleaned(text, token)
        assert TOKEN not in shown
        assert "[redacted]" in shown
    assert len(cleaned("x" * 10_000, token)) == 500


@pytest.mark.parametrize(
    ("code", "part", "key", "retryable"),
    [
        (105, "copy a valid one", "tunnel.ngrokAuthToken", False),
        (107, "copy a valid one", "tunnel.ngrokAuthToken", False),
        (4018, "verified account", "tunnel.ngrokAuthToken", False),
        (121, "ngrok update", "tunnel.provider", False),
        (320, "check tunnel.ngrokDomain", "tunnel.ngrokDomain", False),
        (9040, "err_ngrok_9040", "tunnel.provider", False),
        (108, "stop another one", "tunnel.provider", True),
        (334, "already serves this address", "tunnel.provider", True),
    ],
)
def test_each_code_is_explained_with_what_to_do(
    code: int, part: str, key: str, retryable: bool
) -> None:
    problem = explain(Said(code=code, trouble=True), False, "me.ngrok.app")
    assert part in problem.message
    assert f"ERR_NGROK_{code}" in problem.message
    assert problem.data["key"] == key
    assert problem.retryable is retryable


def test_an_end_without_a_code_is_tried_again() -> None:
    assert "ngrok ended" in explain(Said(), True, None).message
    assert "network" in explain(Said(trouble=True), False, None).message
    silent = explain(Said(), False, None)
    assert "no public URL" in silent.message
    assert silent.retryable
    outdated = explain(Said(trouble=True, outdated=True), False, None)
    assert "too old" in outdated.message
    assert not outdated.retryable
