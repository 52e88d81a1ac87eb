"""Runs a script of this folder with Node and the two versions of Baileys that are installed beside the fixtures."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.support import missing, require_tool, scrubbed_environment

HERE = Path(__file__).parent
GENERATE = HERE.parents[1] / "fixtures" / "generate"
MEMORY = Path("/dev/shm")
ROOM = 2**30


def require_node() -> str:
    """Return Node, or end the test where that or the packages are missing."""
    program = require_tool("node")
    if not (GENERATE / "node_modules").exists():
        missing("the Baileys packages (make test installs them)")
    return program


def scene(
    *values: object, group: str, long: pytest.MarkDecorator | None = None, name: str | None = None
) -> ParameterSet:
    """Values of a test that asks for what others have measured too: one worker has all of a group.

    `long` is the mark of what is measured outside of the default run only.
    """
    marks = [pytest.mark.xdist_group(group), *([long] if long else [])]
    return pytest.param(*values, marks=marks, id=name)


def scratch_of(home: Path) -> Path:
    """Where a script lays its folders: in memory where that has room, as a life is a hundred copies of a folder."""
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if has_room else home


def run_script(
    script: str,
    *words: str | Path,
    home: Path,
    env: Mapping[str, str] | None = None,
    timeout: int = 800,
) -> str:
    """Run a script with words behind it and return what it printed. What its commands keep is below `home`."""
    finished = subprocess.run(
        [require_node(), HERE / script, *words],
        env=scrubbed_environment(
            {
                "HOME": str(home),
                "BAILEYS_TOOLS_STATE_DIR": str(home / "state"),
                "TMPDIR": str(scratch_of(home)),
                **(env or {}),
            }
        ),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
