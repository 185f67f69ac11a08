"""Targets and headers, where the HTTP library lets something odd through."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sidecar.ingress.limits import Refusal
from sidecar.ingress.messages import plain_path, response_of, target_of
from sidecar.ports import HttpAnswer


def asked(raw_path: str) -> Any:
    return cast(Any, SimpleNamespace(raw_path=raw_path))


@pytest.mark.parametrize(
    ("raw_path", "target"),
    [
        ("/a?b=c", "/a?b=c"),
        ("/a#b", "/a"),
        ("http://host:1/a?b=/c", "/a?b=/c"),
        ("http://host", "/"),
        ("http://host?b=/c", "/?b=/c"),
        ("*", "*"),
        ("/a?u=http://b/", "/a?u=http://b/"),
    ],
)
def test_the_target_is_path_and_query_as_sent(raw_path: str, target: str) -> None:
    assert target_of(asked(raw_path)) == target


@pytest.mark.parametrize("raw_path", ["/\xe9", "/a b", "/a\x00", "/a\x7f", "/\udcff"])
def test_what_no_url_may_hold_is_refused(raw_path: str) -> None:
    with pytest.raises(Refusal) as refused:
        target_of(asked(raw_path))
    assert refused.value.status == 400


def test_paths_are_compared_decoded_and_without_one_slash() -> None:
    assert plain_path("/a%62/") == "/ab"
    assert plain_path("/") == "/"
    assert plain_path("/a//") == "/a/"


def test_an_answer_may_hold_any_text() -> None:
    response = response_of(HttpAnswer(200, "caf\u00e9 \ud800", "text/xml"))
    assert response.body == "caf\u00e9 ?".encode()
