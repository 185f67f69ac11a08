"""Every command of the README works as it stands there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    command
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for command in block.splitlines()
    if command.strip()
]
RUN_BY_CI = ("scripts/check", "scripts/test")
"""These run this very test; `.ci/run` runs them as they stand in the README."""


def test_the_readme_opens_with_the_two_commands() -> None:
    assert COMMANDS[:2] == ["scripts/demo", "scripts/test"]


def test_check_and_test_are_run_by_ci_as_the_readme_has_them() -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for command in RUN_BY_CI:
        assert command in COMMANDS
        assert command in steps


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(RUN_BY_CI)))
def test_a_command_of_the_readme_succeeds(command: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if "VOICECALL" not in name}
    environ |= {"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path / "state")}
    environ["UV_CACHE_DIR"] = os.environ.get("UV_CACHE_DIR", os.path.expanduser("~/.cache/uv"))
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\(#([^)]+)\)", README))
def test_a_link_within_the_readme_leads_somewhere(link: str) -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    assert link in {heading.lower().replace(" ", "-") for heading in headings}
