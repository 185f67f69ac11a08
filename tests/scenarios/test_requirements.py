"""No requirement without a scenario, and no scenario without a requirement."""

import ast
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent


def listed() -> dict[str, dict[str, str]]:
    requirements = tomllib.loads((FOLDER / "requirements.toml").read_text())
    found: dict[str, dict[str, str]] = {}
    for entry in requirements["requirement"]:
        assert entry["id"] not in found, entry["id"]
        found[entry["id"]] = entry
    return found


def shown() -> dict[str, list[str]]:
    """The requirements that each scenario names."""
    found = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        if path.name == Path(__file__).name:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[f"{path.name}: {node.name}"] = _ids(node)
    return found


def _ids(test: ast.AsyncFunctionDef) -> list[str]:
    return [
        str(argument.value)
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "shows"
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def test_every_requirement_has_a_sentence_and_a_source() -> None:
    for entry in listed().values():
        assert entry["sentence"].endswith("."), entry["id"]
        assert ".md" in entry["source"], entry["id"]


def test_every_requirement_is_shown_by_a_scenario() -> None:
    named = {each for ids in shown().values() for each in ids}
    assert sorted(set(listed()) - named) == []


def test_every_scenario_shows_a_requirement() -> None:
    known = set(listed())
    for scenario, ids in shown().items():
        assert ids, scenario
        assert set(ids) <= known, scenario
