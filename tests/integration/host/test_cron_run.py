"""`cron run`, the cron of containers: starts what is due, not twice, and ends in good order."""

from __future__ import annotations

import json
import os
import pwd
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import jsonschema
import pytest

from baileys_tools.errors import ExitCode
from baileys_tools.host.cron_run import Scheduler, run_command
from baileys_tools.host.rules.cron import JOBS, CronEntry, due_at
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, company_folder, require_tool, scrubbed_environment

STATUS_SCHEMA = Path(__file__).parents[3] / "docs/json/cron-status.schema.json"


def test_what_is_due_in_a_minute() -> None:
    entries = [CronEntry(JOBS[0], time, ()) for time in ("* * * * *", "*/5 * * * *", "0 3 * * *")]
    assert due_at(entries, datetime(2026, 1, 15, 3, 0, 30)) == entries
    assert due_at(entries, datetime(2026, 1, 15, 3, 1)) == entries[:1]
    assert due_at(entries, datetime(2026, 1, 15, 3, 5)) == entries[:2]


def was_recorded(state: Path, command: str) -> bool:
    """Whether a run of a command has ended and is in the database, or waits for it."""
    if any(command in file.name for file in state.glob("runs/[!.]*")):
        return True
    try:
        database = sqlite3.connect(f"file:{state}/state.sqlite3?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return False  # not there yet
    with closing(database):
        try:
            return database.execute("SELECT 1 FROM runs WHERE command = ?", (command,)).fetchone() is not None
        except sqlite3.OperationalError:
            return False  # being made


def test_jobs_run_each_minute_and_speak_for_themselves(tmp_path: Path) -> None:
    """The clock of the scheduler and of its jobs runs twenty times as fast."""
    faketime = require_tool("faketime")
    sessions = company_folder(tmp_path / "sessions").parent
    state = tmp_path / "state"
    environment = {
        "BAILEYS_SESSIONS_PATH": str(sessions),
        "BAILEYS_TOOLS_STATE_DIR": str(state),
        "BAILEYS_TOOLS_CRON__CLEANUP": "* * * * *",
        "BAILEYS_TOOLS_CRON__REPORT": "* * * * *",
    }
    with subprocess.Popen(
        [faketime, "-f", "+0 x20", COMMAND, "cron", "run"],
        env=scrubbed_environment(environment),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(300):
            time.sleep(0.1)
            if was_recorded(state, "cleanup"):
                break
        else:
            pytest.fail("no run of cleanup was recorded")
        assert (state / "cron.alive").exists()
        # faketime waits for the command that it started.
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert process.stderr is not None
        assert "cleanup --quiet" in process.stderr.read()
    doctor = run_cli("doctor", "--sessions", sessions, env=environment)
    assert "`cron run` is at work" in doctor.stdout
    status = run_cli("cron", "status", "--json", env=environment)
    document = json.loads(status.stdout)
    jsonschema.Draft202012Validator(json.loads(STATUS_SCHEMA.read_text())).validate(document)
    assert (document["place"], document["log"]) == ("`cron run`", None)
    jobs = {job["command"]: job for job in document["jobs"]}
    assert set(jobs) == {job.command for job in JOBS if not job.needs_repository}
    # A minute is three seconds here: the next run may have begun, and was ended with the rest.
    assert jobs["cleanup"]["last_exit_code"] in (0, 143)
    shown = run_cli("cron", "status", env=environment).stdout
    assert "jobs in `cron run`" in shown
    assert "crontab" not in shown


def test_a_container_gives_secrets_by_its_environment_and_its_user_need_have_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(uid: int) -> NoReturn:
        raise KeyError(uid)

    seen: list[dict[str, str]] = []

    def run(self: Scheduler) -> ExitCode:
        seen.append(dict(self._environ))
        return ExitCode.DONE

    monkeypatch.setattr(pwd, "getpwuid", nameless)
    monkeypatch.setattr(Scheduler, "run", run)
    monkeypatch.setenv("NOTIFICATION_WEBHOOK", "https://hooks.example.org/T0/B0")
    sessions = company_folder(tmp_path / "sessions").parent
    assert run_command({"sessions.path": str(sessions)}, None) is ExitCode.DONE
    assert seen[0]["NOTIFICATION_WEBHOOK"] == "https://hooks.example.org/T0/B0"
    assert seen[0]["BAILEYS_SESSIONS_PATH"] == str(sessions)


class Watched(Scheduler):
    """A scheduler whose minute is now."""

    def start_now(self) -> None:
        self._start(datetime(2026, 1, 15, 3, 0))

    def reap(self) -> int:
        self._reap()
        return len(self._running)


def test_a_job_that_still_runs_is_not_started_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = (
        sys.executable,
        "-c",
        f"import time; open({str(tmp_path / 'ran')!r}, 'a', buffering=1).write('x\\n'); time.sleep(60)",
    )
    scheduler = Watched([CronEntry(JOBS[0], "* * * * *", words)], os.environ, str(tmp_path / "alive"))
    scheduler.start_now()
    for _ in range(100):
        if (tmp_path / "ran").exists() and (tmp_path / "ran").read_text():
            break
        time.sleep(0.1)
    scheduler.start_now()
    assert "still runs" in capfd.readouterr().err
    assert scheduler.reap() == 1
    assert scheduler._end() is ExitCode.DONE
    assert scheduler.reap() == 0, "it was ended"
    assert (tmp_path / "ran").read_text() == "x\n"


def test_a_job_that_cannot_be_started_stops_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    entries = [
        CronEntry(JOBS[0], "* * * * *", ("/nowhere/baileys-tools",)),
        CronEntry(JOBS[1], "* * * * *", (sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')")),
    ]
    scheduler = Watched(entries, os.environ, str(tmp_path / "alive"))
    scheduler.start_now()
    while scheduler.reap():
        time.sleep(0.05)
    assert (tmp_path / "ran").exists()
    assert "cannot be started" in capfd.readouterr().err
    assert threading.active_count() >= 1
