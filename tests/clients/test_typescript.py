"""The TypeScript client: json-schema-to-typescript, tsc --strict, and a real call."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
TALK = ["call.initiated", "call.answered", "call.active", "call.speaking", "call.speech"]


@pytest.fixture
def exported(typescript: Path) -> set[str]:
    text = (typescript / "voicecall.d.ts").read_text()
    return set(re.findall(r"^export (?:type|interface) (\w+)", text, re.MULTILINE))


def test_exports_are_the_types_of_the_bundle(
    exported: set[str], type_names: Callable[[], set[str]]
) -> None:
    assert exported == type_names()


def test_no_exported_name_ends_in_a_digit(exported: set[str]) -> None:
    assert [name for name in exported if name[-1].isdigit()] == []


def test_examples_have_their_types_and_come_out_as_they_went_in(typescript: Path) -> None:
    done = subprocess.run(
        ["node", str(typescript / "built" / "examples.js")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    schemas = Path(__file__).parents[2] / "schemas" / "examples"
    assert json.loads(done.stdout) == {
        path.stem: json.loads(path.read_text()) for path in schemas.glob("*.json")
    }


def test_client_holds_a_call_with_a_real_sidecar(
    typescript: Path, drive: Callable[..., dict[str, Any]]
) -> None:
    seen = drive("node", typescript / "built" / "client.js")
    assert seen["transcript"] == "Yes, at seven."
    assert seen["metadata"] == {"order": None}
    assert seen["reason"] == seen["state"] == "hangup-bot"
    assert [kind for kind in TALK if kind not in seen["types"]] == []
    assert seen["consecutive"]
    assert seen["resync"] is False
    assert seen["exitCode"] == 0
