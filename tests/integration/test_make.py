"""What make does with npm: it works with the machine's own settings, says why not, and under CI=true fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import COMMAND, require_tool, scrubbed_environment

ROOT = Path(__file__).parents[2]
NPM = """#!/bin/sh
echo "npm $* in $PWD"
if [ -e "$PWD/.npmrc" ]; then mkdir -p node_modules && touch node_modules/.package-lock.json; exit 0; fi
echo "npm error code SELF_SIGNED_CERT_IN_CHAIN" >&2
exit 1
"""
DEMO = ROOT / "fixtures" / "demo.sh"
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


# --- the demo -----------------------------------------------------------------------------------------------


def demo(folder: Path, *before: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo in `folder`, with programs of the folders `before` in the place of others."""
    path = ":".join(map(str, (*before, Path(sys.executable).parent, COMMAND.parent, "/usr/bin", "/bin")))
    environment = scrubbed_environment({"PATH": path})
    return subprocess.run(
        ["sh", DEMO, folder],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_proves_what_it_says_and_its_lines_can_be_pasted(tmp_path: Path) -> None:
    shown = demo(tmp_path / "demo")
    assert shown.returncode == 0, shown.stderr
    assert (
        shown.stdout.splitlines()[-1]
        == "# Shown: 391 files cleaned to 131, undone byte for byte; 30 lost, 30 mended."
    )
    typed = [
        line[2:].replace(f"{tmp_path}/demo", f"{tmp_path}/again")
        for line in shown.stdout.splitlines()
        if line[:2] == "$ "
    ]
    assert len(typed) > 12
    lines = [line for line in typed if not line.startswith("cmp ")]
    path = f"{Path(sys.executable).parent}:{COMMAND.parent}:/usr/bin:/bin"
    pasted = subprocess.run(
        ["bash", "-e"],
        input="\n".join(lines),
        cwd=ROOT,
        env=scrubbed_environment({"PATH": path}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert pasted.returncode == 0, pasted.stderr
    there, here = (
        sorted(
            entry.name
            for entry in (tmp_path / which / "sessions" / "company_2001").iterdir()
            if entry.name[0] != "."
        )
        for which in ("demo", "again")
    )
    assert there == here
    assert len(here) == 131


@pytest.mark.parametrize("verb", ["undo", "restore"])
def test_the_demo_fails_where_a_step_does_nothing(tmp_path: Path, verb: str) -> None:
    fake = tmp_path / "bin" / "baileys-tools"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1" = {verb} ] || exec {COMMAND} "$@"\n')
    fake.chmod(0o755)
    done = demo(tmp_path / "demo", fake.parent)
    assert done.returncode != 0
    assert "Shown:" not in done.stdout
