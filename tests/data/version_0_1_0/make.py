"""Writes what version 0.1.0 left behind: run with that version's code, from this folder.

    git archive v0.1.0 | tar -x -C /tmp/old && PYTHONPATH=/tmp/old:REPOSITORY python make.py /tmp/old

`sessions` is at ROOT, which is written as `@ROOT@`; moments lie before 2026-01-15 12:00 UTC.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
WORK = Path("/tmp/baileys-tools-fixture")
ROOT, STATE, REPOSITORY = WORK / "sessions", WORK / "state", WORK / "repository"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lay(root: Path, company: str, number: int) -> None:
    """Make one of the session folders as they were then."""
    from tests.support import creds

    folder = root / f"company_{company}"
    folder.mkdir(parents=True)
    me = {"id": f"4477009001{number}:1@s.whatsapp.net"}
    (folder / "creds.json").write_text(json.dumps(creds(me=me, registrationId=number)))
    (folder / "session-1.0.json").write_text("{}")
    for file in folder.iterdir():
        os.utime(file, (NOW.timestamp() - 7200,) * 2)


def main(old: str) -> None:
    sys.path.insert(0, old)
    from baileys_tools.commands.backup import run_backup
    from baileys_tools.commands.monitor import run_monitor
    from baileys_tools.domain.log_events import LogEvent
    from baileys_tools.state.log_hours import add_hours

    from baileys_tools import __version__
    from baileys_tools.config import load_settings
    from baileys_tools.state import incidents, links, runs
    from baileys_tools.state.cooldowns import set_cooldown
    from baileys_tools.state.database import open_state
    from baileys_tools.state.observations import Observation, observe

    assert __version__ == "0.1.0"
    shutil.rmtree(WORK, ignore_errors=True)
    for number, company in enumerate(("1001", "1002", "gone")):
        lay(ROOT, company, number)
    environ = {
        "BAILEYS_SESSIONS_PATH": str(ROOT),
        "BAILEYS_TOOLS_STATE_DIR": str(STATE),
        "BAILEYS_TOOLS_BACKUP_PATH": str(REPOSITORY),
        "NOTIFICATION_WEBHOOK": "http://127.0.0.1:9/nobody",
    }
    settings = load_settings({}, environ, cwd="/", home=str(WORK), euid=os.geteuid())
    for hours in (3, 2):
        run_backup(settings.settings, str(ROOT), str(REPOSITORY), NOW - hours * HOUR, force=True)
    (lost := ROOT / "company_1002" / "creds.json").write_text("")
    os.utime(lost, (NOW.timestamp() - 5400,) * 2)
    with open_state(str(STATE), NOW) as state:
        run_monitor(settings, state, NOW - HOUR)
        shutil.rmtree(ROOT / "company_gone")
        run_monitor(settings, state, NOW)
        for company in ("1001", "1002"):
            set_cooldown(state, "trigger", company, NOW - HOUR)
            set_cooldown(state, "trigger-begun", company, NOW - HOUR)
            add_hours(state, company, {(int(NOW.timestamp()) // 3600 - 1, LogEvent.OPENED): 3})
            links.add_look(
                state, company, links.Link.UP, [links.Spell("2026-01-14", 80_000, 400)], NOW - HOUR
            )
            for at, counted in ((NOW - n * 24 * HOUR, 8 - n) for n in range(1, 4)):
                seen = Observation(company, at, 9, counted, {"session": 8}, 900, "healthy", "valid", at)
                observe(state, [seen])
        incident = incidents.open_incident(state, "1002", "creds-lost", NOW - HOUR)
        incidents.add_entry(state, incident, "seen", "creds-lost: creds.json is empty", NOW - HOUR)
        for command, changed in (("cleanup", 3), ("backup", 1)):
            run = runs.Run(
                command, command, NOW - HOUR, NOW - HOUR, 0, False, {}, {"1001": changed, "1002": 0}, True
            )
            runs.record(state, [run])
    with sqlite3.connect(STATE / "state.sqlite3") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        dump = [*database.iterdump(), f"PRAGMA user_version = {version};"]
    # Paths are those of the test; the second name is how `HERE` writes them.
    (HERE / "state.sql").write_text("\n".join(dump).replace(str(ROOT), "@ROOT@") + "\n")
    shutil.rmtree(HERE / "repository", ignore_errors=True)
    shutil.copytree(REPOSITORY, HERE / "repository")
    for index in (HERE / "repository").glob("*/index.json"):
        index.write_text(index.read_text().replace(str(ROOT), "@ROOT@"))
    shutil.rmtree(WORK)


if __name__ == "__main__":
    main(sys.argv[1])
