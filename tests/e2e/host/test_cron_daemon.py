"""The real cron daemon of Debian runs what `cron install` wrote, against a real folder that grows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.cli import MODULES
from baileys_tools.host.rules.cron import JOBS
from tests.cronhost import SYSTEM_PATH, CronHost
from tests.support import COMMAND, company_folder, require_tool, scrubbed_environment, write_key

KNOWN = {command for commands in MODULES.values() for command in commands}
HERE = [job for job in JOBS if job.command in KNOWN]

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("cron-daemon")]


@contextmanager
def daemon(host: CronHost, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run cron in the foreground on this host; `before` are words in front of it."""
    process = subprocess.Popen(
        host.command(*before, "/usr/sbin/cron", "-f"),
        env=scrubbed_environment({"PATH": SYSTEM_PATH}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Faketime waits for the cron that it started, and takes away what it shared with it.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]) if before else process.pid, signal.SIGTERM)
        process.wait(timeout=30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def settings_file(folder: Path, times: str) -> Path:
    """Settings in which every job that exists runs at each of `times`."""
    file = folder / "config 50%.yaml"
    sections: dict[str, Any] = {
        "sessions": {"path": str(folder / "the sessions")},
        "backup": {"path": str(folder / "backups")},
        "cron": {job.setting: times if job in HERE else "off" for job in JOBS},
    }
    file.write_text(json.dumps(sections))
    return file


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    """Look every half second whether something is so, for at most `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.5)
    return what()


class Watched:
    """A host with one company, its crontab installed beside a line of somebody else that says something."""

    said = ""
    """What the last look said of troubles."""

    def __init__(self, folder: Path) -> None:
        self.host = CronHost(folder)
        self.state = Path(os.environ["BAILEYS_TOOLS_STATE_DIR"])
        self.company = company_folder(folder / "the sessions", keys={"session-1.0.json": timedelta(hours=1)})
        self.config = settings_file(folder, "* * * * *")
        tab = folder / "tab"
        tab.write_text("* * * * * echo somebody else has something to say\n")
        assert self.host.run("crontab", tab).returncode == 0
        install = self.host.run(COMMAND, "cron", "install", "--config", self.config)
        assert install.returncode == 0, install.stderr

    def status(self) -> dict[str, Any]:
        run = self.host.run(COMMAND, "cron", "status", "--json", "--config", self.config)
        self.said = run.stderr.decode()
        return {job["command"]: job for job in json.loads(run.stdout)["jobs"]}

    def all_ran(self) -> bool:
        return all(job["last_started"] for job in self.status().values())

    def log(self) -> str:
        return (self.state / "cron.log").read_text()


def check(watched: Watched, minute: float) -> None:
    """Let it run until every job ran, then have the folder grow, and see it cleaned."""
    assert wait_for(watched.all_ran, 2.5 * minute + 30), (watched.status(), watched.log())
    old = [write_key(watched.company, f"session-{n}.0.json", timedelta(days=20)) for n in range(100, 300)]
    assert wait_for(lambda: not any(key.exists() for key in old), 2.5 * minute + 30), watched.log()
    assert (watched.company / "session-1.0.json").exists()

    def all_fine() -> bool:
        return {job["verdict"] for job in watched.status().values()} == {"ok"}

    # Five jobs that end at once can keep a busy disk's state for longer than a look waits for it, which then says so.
    assert all_fine() or (watched.said and wait_for(all_fine, 30)), (watched.status(), watched.log())
    assert set(watched.status()) == {job.command for job in HERE}
    assert "away" not in watched.log(), "nothing here could tell whether a bot is away"
    mails = watched.host.mails()
    assert mails, "cron can send mail here: somebody else's line does"
    assert all("somebody else has something to say" in mail for mail in mails)


def test_cron_runs_the_jobs_while_its_clock_runs_fast(tmp_path: Path) -> None:
    """One minute of cron is three seconds here; the jobs themselves live in real time."""
    require_tool("faketime")
    watched = Watched(tmp_path)
    with daemon(watched.host, "faketime", "-f", "+0 x20"):
        check(watched, minute=3)


@pytest.mark.faults
def test_cron_runs_the_jobs_for_several_real_minutes(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with daemon(watched.host):
        check(watched, minute=60)
        time.sleep(120)
    assert {job["verdict"] for job in watched.status().values()} == {"ok"}
    assert len(watched.host.mails()) >= 4, "a mail a minute from the other line, and none from ours"
    assert all("somebody else" in mail for mail in watched.host.mails())
