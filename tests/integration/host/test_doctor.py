"""The doctor on real hosts in small: each line is seen well and ill."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import jsonschema
import pytest

from baileys_tools.config import load_settings
from baileys_tools.host.doctor import run_doctor
from baileys_tools.host.other_cleaners import other_tools_checks
from baileys_tools.host.rules.doctor import Check, CheckOutcome
from tests.bot import Bot, bot_api
from tests.integration.faults.forked import run_cli
from tests.integration.faults.places import read_only
from tests.support import (
    COMMAND,
    company_folder,
    missing,
    require_leases,
    require_root,
    require_tool,
    snapshot_tree,
)

ROOT = Path(__file__).parents[3]
Doctor = Callable[..., dict[str, Check]]


@pytest.fixture
def tab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crontab program that lists this file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "crontab"
    program.write_text(f'#!/bin/sh\n[ "$1" = -l ] && exec cat "{tmp_path}/tab"\ncp "$1" "{tmp_path}/tab"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (tmp_path / "tab").touch()
    return tmp_path / "tab"


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    return company_folder(tmp_path / "sessions").parent


@pytest.fixture
def doctor(tab: Path, sessions: Path) -> Doctor:
    """Ask the doctor with these variables; the worst check of each name."""

    def ask(**environ: str) -> dict[str, Check]:
        loaded = load_settings({"sessions.path": str(sessions)}, {**os.environ, **environ})
        order = list(CheckOutcome)
        checks = run_doctor(loaded, datetime.now(UTC))
        return {check.name: check for check in sorted(checks, key=lambda check: order.index(check.outcome))}

    return ask


def test_a_folder_that_was_taken_from_its_files_owner_is_given_back(
    doctor: Doctor, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their owner is not told to run the jobs as root."""
    require_root()
    folder = sessions / "company_1001"
    for path in folder.iterdir():
        os.chown(path, 65534, 65534)
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    check = doctor()["sessions"]
    assert check.outcome is CheckOutcome.CRITICAL
    assert check.action == f"sudo chown -R nobody -- {folder}"
    os.chown(folder, 65534, 65534)
    assert doctor()["sessions"].outcome is CheckOutcome.OK


def outcome(checks: dict[str, Check], name: str) -> CheckOutcome:
    return checks[name].outcome


def test_a_healthy_host_is_told_so(doctor: Doctor, tmp_path: Path, sessions: Path) -> None:
    require_leases(tmp_path)
    config = tmp_path / "config.yaml"
    config.write_text(f"sessions: {{path: {sessions}}}\nbackup: {{path: {tmp_path}/backups}}\n")
    config.chmod(0o600)
    assert run_cli("backup", "--config", config).returncode == 0
    assert run_cli("cron", "install", "--config", config).returncode == 0
    checks = doctor(BAILEYS_TOOLS_CONFIG=str(config))
    troubles = {
        name
        for name, check in checks.items()
        if check.outcome in (CheckOutcome.WARNING, CheckOutcome.CRITICAL)
    }
    assert {name for name in troubles if not name.startswith("disk")} <= {"notifications"}, checks
    for name in ("sessions", "locks", "leases", "state", "repository", "cron", "other cleaners", "python"):
        assert checks[name].outcome is CheckOutcome.OK, checks[name]
    assert not list(sessions.glob(".baileys-tools-doctor*")), "the scratch file is gone"


def test_every_trouble_says_what_to_do(doctor: Doctor) -> None:
    for check in doctor().values():
        assert (
            bool(check.action) is (check.outcome is not CheckOutcome.OK) or check.outcome is CheckOutcome.NOTE
        ), check


def test_settings_that_nobody_can_want(doctor: Doctor, tmp_path: Path, sessions: Path) -> None:
    checks = doctor(
        DRY_RUN="true",
        BAILEYS_TOOLS_CLEANUP__UNDO_WINDOW="0",
        BAILEYS_TOOLS_PRE_KEYS__GUARD="off",
        BAILEYS_TOOLS_BACKUP_PATH=str(sessions / "backups"),
    )
    assert outcome(checks, "dry run") is CheckOutcome.WARNING
    assert outcome(checks, "undo") is CheckOutcome.WARNING
    assert outcome(checks, "pre-key guard") is CheckOutcome.WARNING
    assert outcome(checks, "backup.path") is CheckOutcome.CRITICAL


def test_a_wrong_sessions_path(doctor: Doctor, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    loaded = load_settings({"sessions.path": str(empty)}, os.environ)
    assert any(
        check.name == "sessions" and check.outcome is CheckOutcome.CRITICAL
        for check in run_doctor(loaded, datetime.now(UTC))
    )
    nowhere = load_settings({"sessions.path": str(tmp_path / "nowhere")}, os.environ)
    assert any(
        check.name == "sessions" and check.outcome is CheckOutcome.CRITICAL
        for check in run_doctor(nowhere, datetime.now(UTC))
    )
    none = load_settings({}, os.environ)
    assert any(
        check.name == "sessions" and check.outcome is CheckOutcome.CRITICAL
        for check in run_doctor(none, datetime.now(UTC))
    )


def test_the_repository(doctor: Doctor, tmp_path: Path) -> None:
    assert outcome(doctor(), "repository") is CheckOutcome.WARNING
    backups = tmp_path / "backups"
    assert outcome(doctor(BAILEYS_TOOLS_BACKUP_PATH=str(backups)), "repository") is CheckOutcome.NOTE
    backups.mkdir(mode=0o700)
    backups.chmod(0o700)
    checks = doctor(BAILEYS_TOOLS_BACKUP_PATH=str(backups))
    assert outcome(checks, "repository") is CheckOutcome.OK
    assert outcome(checks, "one disk") is CheckOutcome.NOTE
    backups.chmod(0o755)
    assert outcome(doctor(BAILEYS_TOOLS_BACKUP_PATH=str(backups)), "repository") is CheckOutcome.WARNING


def test_encryption_and_copies_are_tried(doctor: Doctor, tmp_path: Path) -> None:
    import pyrage

    (tmp_path / "backups").mkdir()
    (tmp_path / "copies").mkdir()
    key = str(pyrage.x25519.Identity.generate().to_public())
    checks = doctor(
        BAILEYS_TOOLS_BACKUP_PATH=str(tmp_path / "backups"),
        BAILEYS_TOOLS_BACKUP__RECIPIENTS=key,
        BAILEYS_TOOLS_BACKUP__COPIES=f"file://{tmp_path}/copies",
    )
    assert outcome(checks, "encryption") is CheckOutcome.OK
    assert outcome(checks, "copies") is CheckOutcome.OK
    checks = doctor(
        BAILEYS_TOOLS_BACKUP_PATH=str(tmp_path / "backups"),
        BAILEYS_TOOLS_BACKUP__RECIPIENTS="age1wrong",
        BAILEYS_TOOLS_BACKUP__COPIES="sftp://nobody@127.0.0.1:9/copies",
    )
    assert outcome(checks, "repository") is CheckOutcome.CRITICAL
    assert outcome(checks, "copies") is CheckOutcome.WARNING


def test_a_place_of_copies_that_is_not_there_is_no_answer(
    doctor: Doctor, tmp_path: Path, sessions: Path
) -> None:
    disk = tmp_path / "mnt"
    env = {
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
        "BAILEYS_TOOLS_BACKUP__COPIES": f"file://{disk}/copies",
    }
    missing = doctor(**env)["copies"]
    assert missing.outcome is CheckOutcome.NOTE
    assert missing.message == f"file://{disk}/copies is not there yet"
    assert run_cli("backup", "--sessions", sessions, env=env).returncode == 0
    found = doctor(**env)["copies"]
    assert (found.outcome, found.message) == (CheckOutcome.OK, f"file://{disk}/copies answers, 1 company")
    # The disk is gone: what backup does then is to wait.
    shutil.rmtree(disk)
    for _ in ("missing", "an empty mount point"):
        lost = doctor(**env)["copies"]
        assert lost.outcome is CheckOutcome.WARNING
        assert f"nothing is left in {disk}/copies: is its disk mounted?" in lost.message
        (disk / "copies").mkdir(parents=True, exist_ok=True)


def test_other_cleaners_are_found(doctor: Doctor, tab: Path, sessions: Path) -> None:
    assert outcome(doctor(), "other cleaners") is CheckOutcome.OK
    tab.write_text(f"MAILTO=\n0 3 * * * find {sessions} -name 'pre-key-*' -mtime +3 -delete\n")
    assert outcome(doctor(), "other cleaners") is CheckOutcome.WARNING
    tab.write_text(f"# 0 3 * * * find {sessions} -name 'pre-key-*' -mtime +3 -delete\n")
    assert outcome(doctor(), "other cleaners") is CheckOutcome.OK
    lock = sessions / "company_1001" / ".cleanup.lock"
    lock.write_text(json.dumps({"timestamp": time.time() * 1000, "pid": 1, "hostname": "old"}))
    assert outcome(doctor(), "other cleaners") is CheckOutcome.WARNING
    os.utime(lock, (0, 0))
    assert outcome(doctor(), "other cleaners") is CheckOutcome.OK


def test_other_cleaners_of_any_root_are_found(tab: Path, sessions: Path) -> None:
    second = company_folder(sessions.parent / "more", "2002").parent
    loaded = load_settings({"sessions.roots": [str(sessions), str(second)]}, {**os.environ})
    tab.write_text(f"0 3 * * * find {second} -name 'pre-key-*' -mtime +3 -delete\n")
    (found,) = other_tools_checks(loaded.settings)
    assert found.outcome is CheckOutcome.WARNING


class Hook(BaseHTTPRequestHandler):
    """A webhook that takes everything."""

    taken: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name http.server gives it)
        pass


def test_alerts_are_really_sent(sessions: Path, tab: Path, doctor: Doctor) -> None:
    assert outcome(doctor(), "notifications") is CheckOutcome.WARNING
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hook = {"NOTIFICATION_WEBHOOK": f"http://127.0.0.1:{server.server_address[1]}/secret-path"}
        assert outcome(doctor(**hook), "notifications") is CheckOutcome.OK
        assert Hook.taken == [], "not without --send-test"
        run = run_cli("doctor", "--send-test", "--sessions", sessions, env=hook)
        assert "webhook: delivered" in run.stdout
        assert len(Hook.taken) == 1
        server.shutdown()
    run = run_cli("doctor", "--send-test", "--sessions", sessions, env=hook)
    assert "delivered" not in run.stdout
    assert "secret-path" not in run.stdout + run.stderr


def test_jobs_that_are_not_there(doctor: Doctor) -> None:
    assert outcome(doctor(), "cron") is CheckOutcome.WARNING


def test_a_state_folder_that_cannot_be_used(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert outcome(doctor(BAILEYS_TOOLS_STATE_DIR=str(tmp_path / "file")), "state") is CheckOutcome.WARNING


@pytest.mark.root
def test_an_owner_that_the_user_namespace_does_not_know_is_nobody_to_work_as(tmp_path: Path) -> None:
    """The root of a rootless container, and a volume of another user: each of them shows there as nobody's."""
    require_root()
    sessions = company_folder(tmp_path / "sessions", "1", {"session-1.0.json": timedelta(days=40)}).parent
    folder = sessions / "company_1"
    for place in (*folder.iterdir(), folder):
        os.chown(place, 12_345, 12_345)
        place.chmod(0o755 if place == folder else 0o644)
    before = snapshot_tree(folder)
    inside = [require_tool("unshare"), "--user", "--map-root-user", str(COMMAND)]

    def told(*words: str) -> str:
        ran = [*inside, *words, "--sessions", str(sessions)]
        return " ".join(subprocess.run(ran, capture_output=True, text=True, check=False).stdout.split())

    assert "belong to a user that this user namespace has no number for" in told("doctor")
    cleaned = told("cleanup")
    assert "failed its owner is none of the users of this user namespace" in cleaned
    assert snapshot_tree(folder) == before


def test_a_folder_that_this_user_may_not_write_is_looked_at_all_the_same(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("baileys_tools.host.host_facts.try_file_system", refused)
    checks = doctor()
    assert checks["locks"].outcome is CheckOutcome.NOTE
    assert outcome(doctor(), "sessions") is CheckOutcome.OK
    assert "disk: sessions" in checks and "clock" in checks


@pytest.mark.root
def test_folders_of_somebody_else(tmp_path: Path, sessions: Path, doctor: Doctor) -> None:
    require_root()
    os.chown(sessions / "company_1001", 65534, 65534)
    (sessions / "company_1002").mkdir()
    assert ": 1 of nobody, 1 of root; root works" in doctor()["sessions"].message
    (sessions / "company_1002").rmdir()
    assert "root works there as the owner" in doctor()["sessions"].message
    sessions.chmod(0o777)
    assert outcome(doctor(), "sessions") is CheckOutcome.WARNING
    assert "(mode 777)" in doctor()["sessions"].message
    if not os.path.exists("/proc/self/fd"):
        missing("/proc")


@pytest.mark.root
def test_sessions_on_a_read_only_file_system(sessions: Path, doctor: Doctor) -> None:
    with read_only(sessions):
        check = doctor()["sessions"]
    assert check.outcome is CheckOutcome.CRITICAL
    assert "is on a read-only file system" in check.message
    assert f"findmnt -T {sessions}" in check.action


def test_the_command_and_its_json(tab: Path, sessions: Path) -> None:
    text = run_cli("doctor", "--sessions", sessions)
    assert text.returncode == 4, text
    assert "baileys-tools cron install" in text.stdout
    assert all(len(line) <= 80 or "/" in line for line in text.stdout.splitlines())
    run = run_cli("doctor", "--json", "--sessions", sessions)
    document = json.loads(run.stdout)
    jsonschema.Draft202012Validator(json.loads((ROOT / "docs/json/doctor.schema.json").read_text())).validate(
        document
    )
    assert run.returncode == document["exit_code"] == 4
    quiet = run_cli("doctor", "--quiet", "--sessions", sessions)
    assert quiet.stdout == ""
    assert "repository" in quiet.stderr
    assert "python" not in quiet.stderr


def test_the_api_of_the_bots_is_asked_and_their_logs_are_opened(
    doctor: Doctor, tmp_path: Path, sessions: Path
) -> None:
    assert not {"bot API", "logs"} & set(doctor())
    company_folder(sessions, "1002")
    log = tmp_path / "1001.log"
    log.touch()
    config = tmp_path / "config.yaml"
    with bot_api(Bot(connected=True)) as well, bot_api(Bot(fail=401)) as refuses:
        config.write_text(
            f"bot_api: {{preset: ai-admin, url: '{well.url}'}}\n"
            f"companies: {{1002: {{bot_api: {{url: '{refuses.url}'}}}}}}\n"
            f"logs: ['{tmp_path}/{{company}}.log', 1003=/no/such.log]\n"
        )
        found = doctor(BAILEYS_TOOLS_CONFIG=str(config))
        assert found["bot API"].outcome is CheckOutcome.WARNING
        assert found["bot API"].message == "company 1002: it answered 401: see bot_api.token"
        assert found["logs"].outcome is CheckOutcome.WARNING
        assert found["logs"].message == f"{tmp_path}/1002.log, /no/such.log: No such file or directory"
        config.write_text(
            f"bot_api: {{preset: ai-admin, url: '{well.url}'}}\nlogs: [1001={log}, 1002={log}.2]\n"
        )
        os.mkfifo(f"{log}.2")
        found = doctor(BAILEYS_TOOLS_CONFIG=str(config))
        assert found["bot API"].outcome is CheckOutcome.OK
        assert found["bot API"].message == "says how 2 companies are connected"
        assert found["logs"].message == f"{log}.2: is not a plain file"
        config.write_text(f"logs: [1001={log}]\n")
        found = doctor(BAILEYS_TOOLS_CONFIG=str(config))
    assert found["logs"].outcome is CheckOutcome.OK
    assert found["logs"].message.startswith("1 log can be read; in 1 log no line")
    assert "bot API" not in found


def test_a_process_that_its_manager_does_not_know_and_a_pm2_that_cron_does_not_find(
    doctor: Doctor, tmp_path: Path, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pidfile = tmp_path / "bot.pid"
    pidfile.write_text("no number")
    checks = doctor(BAILEYS_TOOLS_PROCESS__PIDFILE=str(pidfile))
    assert outcome(checks, "processes") is CheckOutcome.WARNING
    assert "the pidfile holds no process id" in checks["processes"].message
    pidfile.write_text(str(os.getpid()))
    assert outcome(doctor(BAILEYS_TOOLS_PROCESS__PIDFILE=str(pidfile)), "processes") is CheckOutcome.OK
    assert "processes" not in doctor()

    config = tmp_path / "config.yaml"
    config.write_text(f"sessions: {{path: {sessions}}}\nprocess: {{pm2: shop}}\n")
    config.chmod(0o600)
    assert run_cli("cron", "install", "--config", config).returncode == 0
    if not shutil.which("pm2", path="/usr/bin:/bin"):
        assert "the jobs find no pm2" in doctor(BAILEYS_TOOLS_CONFIG=str(config))["cron"].message
    programs = tmp_path / "node"
    programs.mkdir()
    (programs / "pm2").write_text("#!/bin/sh\n")
    (programs / "pm2").chmod(0o755)
    path = {"PATH": f"{programs}:{os.environ['PATH']}"}
    assert run_cli("cron", "install", "--config", config, env=path).returncode == 0
    assert outcome(doctor(BAILEYS_TOOLS_CONFIG=str(config)), "cron") is CheckOutcome.OK
