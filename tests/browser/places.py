"""A fleet with a month behind it: cleanups, lost connections, an incident, snapshots, a company without creds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from baileys_tools.state.database import open_state
from baileys_tools.state.observations import Observation, observe
from baileys_tools.state.runs import Run, record
from baileys_tools.watching.kept_incidents import add_entry, close_incident, open_incident
from tests.support import company_folder, run_cli

HOUR = timedelta(hours=1)
PHONE = "919585510685"
"""The bot's number in every creds.json of tests/support.py."""


def sessions(number: int) -> dict[str, timedelta]:
    return {f"session-49170{one}.0.json": HOUR for one in range(number)}


def a_month(company: str, now: datetime, *, per_day: float, cleaned_at: int, ends: int) -> list[Observation]:
    """Hourly observations of a folder that grows and is cleaned, and ends with so many files."""
    looks, counted = [], float(ends)
    for hours in range(30 * 24):
        at = now - timedelta(hours=hours)
        lost = 12 <= hours % 240 < 15
        kinds = {"session": int(counted) - 31, "creds": 1, "pre-key": 30}
        looks.append(
            Observation(
                company, at, int(counted), int(counted), kinds, None, "healthy", "valid", at,
                "disconnected" if lost else "connected",
            )
        )  # fmt: skip
        counted -= per_day / 24
        if counted < 60:
            counted = cleaned_at
    return looks


def fleet(place: Path, companies: int = 3) -> Path:
    """A sessions path, a state and a repository in `place`; returns `place`."""
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(1, companies + 1):
        company_folder(place / "sessions", str(1000 + number), sessions(70 + 40 * (number % 4)))
    backup = run_cli("backup", "--quiet", env=environment(place))
    assert backup.returncode == 0, backup.stderr
    (company_folder(place / "sessions", "2001", sessions(20)) / "creds.json").write_bytes(b"")
    company_folder(place / "sessions", '<img src=x onerror="alert(1)">', sessions(5))
    with open_state(str(place / "state"), now) as state:
        for number in range(1, companies + 1):
            company = str(1000 + number)
            looks = a_month(company, now, per_day=4 + number % 9, cleaned_at=170, ends=71 + 40 * (number % 4))
            observe(state, looks)
            cleanups = [later.at for later, before in pairwise(looks) if before.counted - later.counted > 5]
            record(
                state,
                [
                    Run(f"{company}-{index}", "cleanup", at, at, 0, False, {}, {company: 100})
                    for index, at in enumerate(cleanups)
                ],
            )
        opened = now - timedelta(days=3)
        incident = open_incident(state, "1001", "network", opened)
        add_entry(state, incident, "lost", f"connection closed for {PHONE} <b>", opened)
        close_incident(state, incident, opened + 3 * HOUR, "network")
        open_incident(state, "1002", "logged-out", now - 2 * HOUR)
    return place


def environment(place: Path) -> dict[str, str]:
    return {
        "BAILEYS_SESSIONS_PATH": str(place / "sessions"),
        "BAILEYS_TOOLS_STATE_DIR": str(place / "state"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(place / "backups"),
    }
