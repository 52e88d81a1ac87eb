"""A company's lock that somebody holds for ever: every job that skips it says so, and by whom."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.integration.frame.test_fleet import wait_until
from tests.support import COMMAND, company_folder, require_root, scrubbed_environment

OLD = timedelta(days=30)

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)  # by root: the folders of a test are closed to others
if uid := int(sys.argv[2]):
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, uid: int = 0) -> Iterator[int]:
    """Have another process hold the lock of a folder or file; yield its number."""
    holder = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", HOLD, path, str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder.pid
    finally:
        holder.communicate()


def settings(tmp_path: Path, patience: str) -> dict[str, str]:
    config = tmp_path / "settings.yaml"
    config.write_text(
        json.dumps(
            {
                "sessions": {"path": str(tmp_path / "sessions")},
                "backup": {"path": str(tmp_path / "backups")},
                "locks": {"patience": patience},
                "thresholds": {"warning": 1, "critical": 2, "trigger": 3, "emergency": 185, "danger": 190},
            }
        )
    )
    config.chmod(0o600)
    return {"BAILEYS_TOOLS_CONFIG": str(config)}


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    root = tmp_path / "sessions"
    for company in ("1001", "1002", "1003"):
        company_folder(root, company, {f"session-49170{n}.0.json": OLD for n in range(3)})
    return root


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("command", ["cleanup", "backup", "trigger"])
def test_a_lock_that_is_held_for_too_long_is_told_with_its_holder(
    command: str, what: str, fleet: Path, tmp_path: Path
) -> None:
    target = fleet / "company_1002"
    if what == "file":
        if command == "backup":
            pytest.skip("a backup writes nothing into the folder, and asks for the folder's lock alone")
        target = target / ".cleanup.lock"
        target.touch(mode=0o600)
    with held(target) as pid:
        env = settings(tmp_path, "2s")
        time.sleep(2.1)
        done = run_cli(command, "--quiet", env=env)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert f"process {pid}" in done.stderr
    assert "locks.patience (2s)" in done.stderr
    assert "1002" in done.stderr
    assert "1001" not in done.stderr
    others = [fleet / f"company_{company}" for company in ("1001", "1003")]
    if command == "backup":
        assert len(list((tmp_path / "backups").glob("company_*/*.tar*"))) == 2
    else:
        assert not any(path for folder in others for path in folder.glob("session-*"))


@pytest.mark.parametrize("command", ["cleanup", "backup", "trigger"])
def test_a_lock_of_a_moment_is_still_no_trouble(command: str, fleet: Path, tmp_path: Path) -> None:
    with held(fleet / "company_1002"):
        done = run_cli(command, "--quiet", env=settings(tmp_path, "1h"))
    assert (done.returncode, done.stderr) == (0, "")


def test_how_long_is_remembered_where_the_holder_was_started_a_moment_ago(
    fleet: Path, tmp_path: Path
) -> None:
    """The age of a process can be hidden from us (another container): the first sight of it is remembered."""
    from datetime import UTC, datetime

    from baileys_tools.config import Settings
    from baileys_tools.frame.held_locks import held_too_long
    from baileys_tools.sessions.rules.held_locks import Holder
    from baileys_tools.state.database import open_state

    unknown, begin = Holder(), datetime(2026, 1, 15, 12, tzinfo=UTC)
    with open_state(str(tmp_path / "state"), begin) as state:

        def look(after: timedelta, holder: Holder | None) -> dict[str, object]:
            holders = {"1": holder} if holder is not None else {}
            free = () if holder is not None else ("1",)
            return dict(held_too_long(state, Settings(), holders, free, begin + after))

        hour = timedelta(hours=1)
        assert look(timedelta(0), unknown) == {}
        assert look(hour - timedelta(seconds=1), unknown) == {}
        assert set(look(hour, unknown)) == {"1"}
        # Another one, or a lock that was free in between, begins anew.
        assert look(2 * hour, Holder(pid=7, ticks=1)) == {}
        assert look(4 * hour, None) == {}
        assert look(5 * hour, Holder(pid=7, ticks=1)) == {}
        assert set(look(6 * hour, Holder(pid=7, ticks=1))) == {"1"}
        assert look(7 * hour, Holder(pid=7, ticks=2)) == {}


def test_monitor_and_doctor_tell_of_it_and_the_monitor_when_it_is_over(fleet: Path, tmp_path: Path) -> None:
    env = settings(tmp_path, "2s")
    with held(fleet / "company_1002") as pid:
        time.sleep(2.1)
        seen = json.loads(run_cli("monitor-once", "--json", env=env).stdout)
        doctor = run_cli("doctor", env=env)
    assert locked_companies(seen) == {"1002": pid}
    assert f"process {pid}" in " ".join(doctor.stdout.split())
    after = json.loads(run_cli("monitor-once", "--json", env=env).stdout)
    assert locked_companies(after) == {}


def locked_companies(document: dict[str, object]) -> dict[str, int]:
    companies = document["companies"]
    assert isinstance(companies, list)
    return {
        company["company"]: finding["facts"]["pid"]
        for company in companies
        for finding in company["findings"]
        if finding["code"] == "lock-held"
    }


@pytest.mark.root
def test_the_lock_file_of_the_owner_cannot_tell_of_somebody_else(fleet: Path, tmp_path: Path) -> None:
    """The file is the word of whoever owns the folder: it may accuse anybody, or send escape codes."""
    require_root()
    uid = 4321
    folder = fleet / "company_1002"
    (folder / ".cleanup.lock").write_text('{"pid": 1, "hostname": "\\u001b[2Jinit", "timestamp": 1e999}')
    with held(folder, uid) as pid:
        env = settings(tmp_path, "2s")
        time.sleep(2.1)
        done = run_cli("cleanup", "--quiet", env=env)
    assert done.returncode == 3
    assert f"process {pid} of {uid}" in done.stderr
    assert "process 1 " not in done.stderr
    assert "\x1b" not in done.stderr


# --- questions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["reset", "restore"])
def test_nobody_waits_for_a_person_who_is_asked(command: str, fleet: Path, tmp_path: Path) -> None:
    env = settings(tmp_path, "1h")
    aged(fleet)
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    (fleet / "company_1001" / "session-491700.0.json").write_text("")
    aged(fleet)
    extra = ("--no-pair",) if command == "reset" else ()
    with asked(command, "--company", "1001", *extra, env=env) as (person, terminal):
        done = run_cli("cleanup", "--company", "1002", "--json", env=env)
        locked = run_cli("cleanup", "--company", "1001", "--json", env=env)
        os.write(terminal, b"n\n")
        person.wait(30)
    assert done.returncode == 0
    assert locked.returncode == 0, "the company is locked while somebody is asked"


def test_what_changed_while_somebody_was_asked_is_seen(fleet: Path, tmp_path: Path) -> None:
    env = settings(tmp_path, "1h")
    aged(fleet)
    with asked("reset", "--company", "1001", "--no-pair", env=env) as (person, terminal):
        assert run_cli("cleanup", "--company", "1001", env=env).returncode == 0
        os.write(terminal, b"y\n")
        person.wait(30)
    assert person.returncode == 13
    assert (fleet / "company_1001" / "creds.json").exists()


def aged(fleet: Path) -> None:
    """No bot has written here for a while."""
    for path in fleet.glob("company_*/*"):
        if path.stat().st_mtime > time.time() - 600:
            os.utime(path, (time.time() - 600,) * 2)


@contextmanager
def asked(*arguments: str, env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a command at a terminal until it asks; yield it and the terminal."""
    terminal, inside = pty.openpty()
    person = subprocess.Popen(
        [COMMAND, *arguments], env=scrubbed_environment(env), stdin=inside, stdout=inside, stderr=inside
    )
    os.close(inside)
    said = b""

    def is_asked() -> bool:
        nonlocal said
        if select.select([terminal], [], [], 0.05)[0]:
            said += os.read(terminal, 4096)
        return b"Go on?" in said or b"[y/N]" in said

    try:
        wait_until(is_asked, within=30)
        yield person, terminal
    finally:
        person.kill()
        person.wait()
        os.close(terminal)
