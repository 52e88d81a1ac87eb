"""Cleans without the guard of pre-keys a folder that even the emergency limits would leave too full with it.

Without it they would take twenty pre-keys more, and so bring the folder below: for that nothing else may go early.
"""

from __future__ import annotations

import json
import os
import subprocess

from tests.support import COMMAND

CLEAN = [str(COMMAND), "cleanup", "--json"]
LEVELS = ("DANGER", "EMERGENCY", "TRIGGER", "CRITICAL", "WARNING")
OUT_OF_REACH = 10


def main() -> None:
    planned = subprocess.run(
        [*CLEAN, "--dry-run"], capture_output=True, check=True, env=os.environ | limits(OUT_OF_REACH)
    )
    (company,) = json.loads(planned.stdout)["companies"]
    danger = company["plan"]["emergency_would_leave"]
    os.execve(CLEAN[0], [*CLEAN, "--no-pre-key-guard"], os.environ | limits(danger))


def limits(danger: int) -> dict[str, str]:
    return {f"BAILEYS_TOOLS_THRESHOLDS__{level}": str(danger - n) for n, level in enumerate(LEVELS)}


if __name__ == "__main__":
    main()
