"""Runs a script of this folder with Node and the two versions of Baileys that are installed beside the fixtures."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import missing, require_tool, scrubbed_environment

HERE = Path(__file__).parent
GENERATE = HERE.parents[1] / "fixtures" / "generate"


def require_node() -> str:
    """Return Node, or end the test where that or the packages are missing."""
    program = require_tool("node")
    if not (GENERATE / "node_modules").exists():
        missing("the Baileys packages (make test installs them)")
    return program


def run_script(
    script: str,
    *words: str | Path,
    home: Path,
    env: Mapping[str, str] | None = None,
    timeout: int = 800,
) -> str:
    """Run a script with words behind it and return what it printed. What it and its commands write is below `home`."""
    finished = subprocess.run(
        [require_node(), HERE / script, *words],
        env=scrubbed_environment(
            {"HOME": str(home), "BAILEYS_TOOLS_STATE_DIR": str(home / "state"), **(env or {})}
        ),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout
