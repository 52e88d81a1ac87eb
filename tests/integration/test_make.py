"""What make does with npm: it works with the machine's own settings, says why not, and under CI=true fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import require_tool

ROOT = Path(__file__).parents[2]
NPM = """#!/bin/sh
echo "npm $* in $PWD"
if [ -e "$PWD/.npmrc" ]; then mkdir -p node_modules && touch node_modules/.package-lock.json; exit 0; fi
echo "npm error code SELF_SIGNED_CERT_IN_CHAIN" >&2
exit 1
"""
FOLDERS = ("fixtures/generate", "tests/browser")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The Makefile and what it needs for npm, which is one that works only with the settings of its folder."""
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(ROOT / folder / "package-lock.json", tmp_path / folder)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/npm").write_text(NPM)
    (tmp_path / "bin/npm").chmod(0o755)
    return tmp_path


def make(project: Path, folder: str, *, ci: str = "", path: str | None = None) -> tuple[int, str]:
    environment = os.environ | {"CI": ci, "PATH": path or f"{project}/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        [require_tool("make"), f"{folder}/node_modules/.package-lock.json"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("folder", FOLDERS)
def test_npm_works_in_the_folder_with_its_settings(project: Path, folder: str) -> None:
    (project / folder / ".npmrc").write_text("cafile=/etc/ssl/company.pem\n")
    code, said = make(project, folder, ci="true")
    assert (code, said.splitlines()[0]) == (0, f"npm ci --no-audit --no-fund in {project}/{folder}")
    assert make(project, folder)[1].startswith("make: "), "up to date"


@pytest.mark.parametrize("folder", FOLDERS)
def test_why_npm_failed_is_shown_and_fails_ci_alone(project: Path, folder: str) -> None:
    code, said = make(project, folder)
    assert code == 0
    assert "SELF_SIGNED_CERT_IN_CHAIN" in said
    assert f"npm could not install what {folder} needs" in said
    assert make(project, folder, ci="true")[0] == 2


def test_without_npm_it_is_said_and_fails_ci_alone(project: Path) -> None:
    tools = project / "tools"
    tools.mkdir()
    for name in ("sh", "touch", "test"):
        (tools / name).symlink_to(require_tool(name))
    code, said = make(project, FOLDERS[0], path=str(tools))
    assert (code, said) == (0, "npm is missing: no tests against the real Baileys\n")
    assert make(project, FOLDERS[0], ci="true", path=str(tools))[0] == 2
