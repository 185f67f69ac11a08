"""Generated clients: the generators, what they made of `schemas/`, and a sidecar to drive.

Nothing is skipped: a generator that is missing is a failure that says what to install.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
BUNDLE = SCHEMAS / "voicecall.schema.json"
BIN = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """The output of a program; its failure fails the test with all it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{Path(str(command[0])).name} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The Node.js generators, installed outside the tree on first use."""
    return Path(run(ROOT / "scripts" / "clients", cwd=ROOT).strip()) / "node_modules"


@pytest.fixture(scope="session")
def typescript(node_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `voicecall.d.ts`, the hand-written clients, and what tsc made of them."""
    home = tmp_path_factory.mktemp("typescript")
    run(
        *(node_modules / ".bin" / "json2ts", "-i", BUNDLE, "-o", home / "voicecall.d.ts"),
        "--no-additionalProperties",
        cwd=home,
    )
    for source in (Path(__file__).parent / "typescript").glob("*.ts"):
        (home / source.name).write_text(source.read_text())
    (home / "examples.ts").write_text(typed_examples())
    (home / "package.json").write_text('{"type": "module"}\n')
    options = {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noUnusedLocals": True,
        "target": "es2022",
        "module": "nodenext",
        "outDir": "built",
        "types": ["node"],
        "typeRoots": [str(node_modules / "@types")],
    }
    (home / "tsconfig.json").write_text(
        json.dumps({"compilerOptions": options, "include": ["*.ts"]})
    )
    run(node_modules / ".bin" / "tsc", "-p", home, cwd=home)
    return home


def typed_examples() -> str:
    """Every example as a constant of its type: the compiler checks each member of each."""
    lines = ['import type * as wire from "./voicecall.js";']
    for name, text in examples().items():
        lines.append(f"const {name}: wire.{name} = {text.strip()};")
    lines.append(f"console.log(JSON.stringify({{ {', '.join(examples())} }}));")
    return "\n".join(lines) + "\n"


def examples() -> dict[str, str]:
    """The text of each example by the name of its type."""
    return {path.stem: path.read_text() for path in sorted((SCHEMAS / "examples").glob("*.json"))}


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `voicecall.py`, the models datamodel-codegen made."""
    home = tmp_path_factory.mktemp("python")
    run(
        *(sys.executable, "-W", "ignore", "-m", "datamodel_code_generator"),
        *("--input", BUNDLE, "--input-file-type", "jsonschema", "--output", home / "voicecall.py"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--target-python-version", "3.11"),
        *("--disable-timestamp", "--use-annotated", "--use-standard-collections"),
        *("--use-union-operator", "--snake-case-field", "--allow-population-by-field-name"),
        *("--use-title-as-name", "--strict-nullable"),
        cwd=home,
    )
    return home


@dataclass(frozen=True)
class Drive:
    """Starts clients with the command line of a sidecar on the mock line."""

    home: Path
    config: Path

    def __call__(self, *client: str | Path, env: dict[str, str] | None = None) -> dict[str, Any]:
        """What the client printed after its call."""
        sidecar = (BIN / "voicecall", "serve", "--stdio", "--no-cli-socket", "--config")
        own = {"HOME": str(self.home), "OPENCLAW_STATE_DIR": str(self.home / "state")}
        output = run(*client, *sidecar, self.config, cwd=self.home, env={**own, **(env or {})})
        seen: dict[str, Any] = json.loads(output)
        return seen


@pytest.fixture
def drive(tmp_path: Path) -> Drive:
    config = tmp_path / "voicecall.json"
    config.write_text(
        json.dumps(
            {
                "provider": "mock",
                "mock": {"speed": 0, "replies": ["Yes, at seven."]},
                "serve": {"port": 0},
                "store": str(tmp_path / "calls.db"),
            }
        )
    )
    return Drive(tmp_path, config)


@pytest.fixture(scope="session")
def type_names() -> Callable[[], set[str]]:
    """The names under `$defs`, and the catalogue's own."""

    def names() -> set[str]:
        document = json.loads(BUNDLE.read_text())
        return {*document["$defs"], document["title"]}

    return names
