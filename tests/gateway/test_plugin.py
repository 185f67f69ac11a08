"""The Gateway plugin: its own tests, what is generated in it, and what is packed.

Needs Node.js 20 or newer; nothing is skipped without it.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "gateway-plugin"
PACK = ROOT / "scripts" / "pack-plugin"
LINES_MAX = 400
SUITES = sorted(path.name for path in (PLUGIN / "test").glob("*.test.js"))


def run(*command: str | Path, timeout_s: float = 110) -> str:
    """The output of a program; its failure fails the test with all it said."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=PLUGIN,
        env={**os.environ, "VOICECALL_COMMAND": str(Path(sys.executable).parent / "voicecall")},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{Path(str(command[0])).name} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("node is missing; install Node.js 20 or newer")
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("suite", SUITES)
def test_the_plugin_passes_its_own_suite(node: str, suite: str) -> None:
    options = ("--experimental-websocket", "--test", "--test-timeout=100000")
    run(node, *options, PLUGIN / "test" / suite)


def test_what_is_generated_in_the_plugin_is_up_to_date() -> None:
    run(sys.executable, PACK, "--check")


def test_no_file_of_the_plugin_is_too_long() -> None:
    long = [
        path.name
        for path in [PLUGIN / "index.js", *PLUGIN.glob("src/**/*.js"), *PLUGIN.glob("test/**/*.js")]
        if path.read_text(encoding="utf-8").count("\n") > LINES_MAX
    ]
    assert long == []


def test_the_plugin_imports_nothing_but_node_and_itself() -> None:
    for path in [PLUGIN / "index.js", *PLUGIN.glob("src/**/*.js")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "} from ")):
                source = line.rsplit(" ", 1)[1].strip('";')
                assert line.endswith("{") or source.startswith(("node:", "./", "../")), line


def test_the_package_holds_what_a_gateway_needs_and_no_test(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for part in ("gateway-plugin", "schemas", "scripts", "skills"):
        shutil.copytree(ROOT / part, tree / part)
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copyfile(ROOT / name, tree / name)
    pack = tree / "scripts" / "pack-plugin"
    printed = run(sys.executable, pack).strip()
    first = (tree / printed).read_bytes()
    assert run(sys.executable, pack).strip() == printed
    assert (tree / printed).read_bytes() == first
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(first))) as tar:
        names = set(tar.getnames())
    wanted = ("openclaw.plugin.json", "package.json", "index.js", "README.md", "LICENSE")
    assert {f"package/{name}" for name in wanted} <= names
    assert "package/skills/voice-call/SKILL.md" in names
    assert not any("test" in Path(name).parts for name in names)
