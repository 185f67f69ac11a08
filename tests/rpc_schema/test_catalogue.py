"""The list of methods."""

import keyword

from sidecar.rpc.schema.catalogue import METHODS, client_methods, errors_of
from sidecar.rpc.schema.errors import CODES, KINDS

CONTRACT = {
    "initialize",
    "voicecall.initiate",
    "voicecall.start",
    "voicecall.continue",
    "voicecall.continue.start",
    "voicecall.continue.result",
    "voicecall.speak",
    "voicecall.dtmf",
    "voicecall.end",
    "voicecall.transfer",
    "voicecall.status",
    "voicecall.history",
    "voicecall.latency",
    "voicecall.setup",
    "voicecall.pairing.approve",
    "voicecall.tool",
    "events.subscribe",
    "events.replay",
    "events.ack",
    "sidecar.ping",
    "sidecar.stats",
    "sidecar.shutdown",
    "rpc.discover",
}
RESERVED = {"continue", "default", "delete", "end", "import", "init", "in", "new", "return", "self"}


def test_client_methods_are_those_of_the_contract() -> None:
    assert set(client_methods()) == CONTRACT


def test_every_method_is_listed_once() -> None:
    assert len({method.method for method in METHODS}) == len(METHODS)
    assert len({method.name for method in METHODS}) == len(METHODS)


def test_no_name_is_a_reserved_word() -> None:
    for method in METHODS:
        assert method.name.isidentifier()
        assert not keyword.iskeyword(method.name)
        assert method.name not in RESERVED


def test_every_error_named_by_a_method_exists() -> None:
    for method in METHODS:
        assert set(errors_of(method)) <= set(CODES)


def test_codes_and_kinds_are_unique() -> None:
    assert len(CODES) == len(KINDS) == len({row.code for row in KINDS}) == 23


def test_notifications_name_no_errors() -> None:
    assert all(not errors_of(method) for method in METHODS if not method.is_request)
