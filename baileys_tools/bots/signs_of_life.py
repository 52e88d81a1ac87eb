"""What speaks against touching a folder: signs that its bot lives."""

from __future__ import annotations

from datetime import datetime

from baileys_tools.bots.asking import signs_of_a_session_in_use
from baileys_tools.config import Settings
from baileys_tools.sessions.rules.restore_plan import QUIET_FOR, LiveFolder
from baileys_tools.units import counted


def objections_to(settings: Settings, company: str, live: LiveFolder, now: datetime) -> list[str]:
    """Return in words what shows that a session which is to be replaced is in use."""
    signs = signs_of_a_session_in_use(settings, company)
    limit = int((now - QUIET_FOR).timestamp()) * 1_000_000_000
    lately = sum(file.stat.st_mtime_ns > limit for file in live.files.values())
    if lately:
        signs.append(
            f"{counted(lately, 'file')} {'was' if lately == 1 else 'were'} written in the last 2 minutes"
        )
    return signs
