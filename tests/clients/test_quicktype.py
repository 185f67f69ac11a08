"""What quicktype makes of the bundle for Go, Swift and Kotlin."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "schemas" / "voicecall.schema.json"
LANGUAGES = {
    "go": (["--package", "voicecall"], r"^type (\w+) "),
    "swift": (["--sendable"], r"^(?:struct|enum|class|typealias) (\w+)"),
    "kotlin": (
        ["--framework", "kotlinx"],
        r"^(?:data |enum |sealed |abstract )?(?:class|typealias) (\w+)",
    ),
}


def generate(node_modules: Path, out: Path, language: str) -> str:
    options, _ = LANGUAGES[language]
    target = out / f"voicecall.{language}"
    subprocess.run(
        [
            *(str(node_modules / ".bin" / "quicktype"), "-s", "schema", f"{BUNDLE}#/$defs/"),
            *("-l", language, *options, "-o", str(target)),
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    return target.read_text()


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_object_of_the_bundle_has_a_class_of_its_own(
    node_modules: Path, tmp_path: Path, language: str
) -> None:
    _, pattern = LANGUAGES[language]
    found = set(re.findall(pattern, generate(node_modules, tmp_path, language), re.MULTILINE))
    assert [name for name in found if name[-1].isdigit()] == []
    types = json.loads(BUNDLE.read_text())["$defs"]
    objects = {name.lower() for name, shape in types.items() if shape.get("type") == "object"}
    assert objects - {name.lower() for name in found} == set()


def test_go_code_passes_vet_where_go_exists(node_modules: Path, tmp_path: Path) -> None:
    code = generate(node_modules, tmp_path, "go")
    assert code.count("package voicecall") == 1
    go = shutil.which("go")
    if go is None:
        return
    (tmp_path / "go.mod").write_text("module voicecall\n\ngo 1.21\n")
    subprocess.run([go, "vet", "./..."], cwd=tmp_path, check=True, timeout=50)
