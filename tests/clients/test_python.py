"""The Python client: datamodel-code-generator, mypy --strict, and a real call."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLIENT = Path(__file__).parent / "python" / "client.py"
EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
TALK = ["call.initiated", "call.answered", "call.active", "call.speaking", "call.speech"]

ROUND_TRIP = """
import json, pathlib, sys
import voicecall
from pydantic import TypeAdapter
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    raw = json.loads(path.read_text())
    adapter = TypeAdapter(getattr(voicecall, path.stem))
    again = adapter.dump_python(
        adapter.validate_python(raw), mode="json", by_alias=True, exclude_none=True
    )
    if again != raw:
        print(path.stem)
"""


def classes(home: Path) -> set[str]:
    tree = ast.parse((home / "voicecall.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def open_sets(bundle: dict[str, Any]) -> set[str]:
    """Names the generator gives to the known values of open sets: those of their members."""
    return {
        name[0].upper() + name[1:]
        for shape in bundle["$defs"].values()
        for name, member in shape.get("properties", {}).items()
        if any("enum" in branch for branch in member.get("anyOf", []))
    }


def test_classes_are_the_types_of_the_bundle(
    python: Path, type_names: Callable[[], set[str]]
) -> None:
    bundle = json.loads((EXAMPLES.parent / "voicecall.schema.json").read_text())
    assert classes(python) == type_names() | open_sets(bundle)


def test_no_class_name_ends_in_a_digit(python: Path) -> None:
    assert [name for name in classes(python) if name[-1].isdigit()] == []


def test_client_is_strictly_typed(python: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "/dev/null", str(CLIENT)],
        cwd=python,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_are_decoded_and_encoded_identically(python: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP, str(EXAMPLES)],
        cwd=python,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == []


def test_client_holds_a_call_with_a_real_sidecar(
    python: Path, drive: Callable[..., dict[str, Any]]
) -> None:
    seen = drive(sys.executable, CLIENT, env={"PYTHONPATH": str(python)})
    assert seen["transcript"] == "Yes, at seven."
    assert seen["metadata"] == {"order": "4711"}
    assert seen["reason"] == seen["state"] == "hangup-bot"
    assert [kind for kind in TALK if kind not in seen["types"]] == []
    assert seen["consecutive"]
    assert seen["resync"] is False
    assert seen["exitCode"] == 0
