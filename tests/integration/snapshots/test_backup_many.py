"""Backups of many companies, which are shared among processes: as good as those of one."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.config import load_settings
from baileys_tools.sessions import reading
from baileys_tools.sessions.reading import ReadFolder
from baileys_tools.snapshots import backup, company_writer
from baileys_tools.snapshots.archive import DamagedSnapshot
from baileys_tools.snapshots.backup import run_backup
from baileys_tools.snapshots.encryption import WrongKey
from baileys_tools.snapshots.imports import run_import
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import BackupStatus
from baileys_tools.snapshots.snapshot_names import PARTIAL_PREFIX
from tests.integration.faults.forked import run_cli
from tests.integration.faults.injection import traced
from tests.support import COMMAND, company_folder, creds, scrubbed_environment, write_key

COMPANIES = 12
OLD = timedelta(hours=5)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    for number in range(COMPANIES):
        folder = company_folder(tmp_path / "sessions", str(number), {"session-1.0.json": OLD})
        write_key(folder, "creds.json", OLD, json.dumps(creds(nextPreKeyId=31 + number)))
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
    }


def whole_snapshots(repository: Path) -> dict[str, int]:
    """The number of snapshots by company; each of them was read from its first to its last byte."""
    with Repository(str(repository)) as opened:
        listed = {company: opened.snapshots(company) for company in opened.companies()}
        for infos in listed.values():
            for info in infos:
                opened.read_whole(info)
        return {company: len(infos) for company, infos in listed.items()}


def test_each_company_is_taken_once_and_bad_ones_are_named(env, tmp_path):
    (tmp_path / "sessions/company_3/creds.json").write_bytes(b"")
    (tmp_path / "sessions/company_7/creds.json").unlink()
    document = json.loads(run_cli("backup", "--json", env=env).stdout)
    statuses = {company["company"]: company["status"] for company in document["companies"]}
    assert document["exit_code"] == 3
    assert [company["company"] for company in document["companies"]] == sorted(statuses, key=int)
    assert {company for company, status in statuses.items() if status == "unfit"} == {"3", "7"}
    assert len(statuses) == COMPANIES
    taken = {company for company, count in whole_snapshots(tmp_path / "repository").items() if count}
    assert taken == statuses.keys() - {"3", "7"}
    again = json.loads(run_cli("backup", "--json", env=env).stdout)
    assert {one["status"] for one in again["companies"]} == {"unchanged", "unfit"}


def test_the_folders_of_new_companies_are_synced_after_the_last_of_them(env, tmp_path):
    """A worker makes the folder, and its parent must not call anything done before that is on disk."""
    run, calls = traced(
        [COMMAND, "backup", "--quiet"], "-f", "-y", calls=["fsync", "mkdirat", "renameat"], env=env
    )
    assert run.returncode == 0, run.stderr
    made = [index for index, call in enumerate(calls) if call.name == "mkdirat" and '"company_' in call.text]
    synced = [
        index
        for index, call in enumerate(calls)
        if call.name == "fsync" and f"<{tmp_path}/repository>" in call.text
    ]
    assert len(made) == COMPANIES
    assert synced
    assert synced[-1] > max(made)


def test_a_worker_that_dies_fails_its_company_and_no_other(env, tmp_path, monkeypatch):
    real = reading.read_session

    def read(folder: int) -> ReadFolder:
        if os.readlink(f"/proc/self/fd/{folder}").endswith("company_5"):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(folder)

    monkeypatch.setattr(backup, "read_session", read)
    settings = load_settings({}, env).settings
    places = env["BAILEYS_SESSIONS_PATH"], env["BAILEYS_TOOLS_BACKUP_PATH"]
    report = run_backup(settings, *places, datetime.now(UTC))
    failed = [company for company in report.companies if company.status is BackupStatus.FAILED]
    assert "5" in {company.id for company in failed}
    # What a worker had done a moment before it died is called lost as well: the safe side.
    assert len(failed) <= 4
    assert all("was killed (SIGKILL" in company.trouble for company in failed)

    monkeypatch.undo()
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    assert set(whole_snapshots(tmp_path / "repository").values()) == {1}


@pytest.mark.parametrize("chosen", [(), ("4", "5", "6")], ids=["workers", "one process"])
def test_a_disk_that_stores_other_bytes_fails_its_company_and_no_other(env, tmp_path, monkeypatch, chosen):
    write = company_writer._write_all

    def bad(fd: int, content: bytes) -> None:
        in_five = os.readlink(f"/proc/self/fd/{fd}").split("/")[-2] == "company_5"
        write(fd, b"X" + bytes(content)[1:] if in_five else content)

    monkeypatch.setattr(company_writer, "_write_all", bad)
    settings = load_settings({"sessions.companies": chosen} if chosen else {}, env).settings
    places = env["BAILEYS_SESSIONS_PATH"], env["BAILEYS_TOOLS_BACKUP_PATH"]
    report = run_backup(settings, *places, datetime.now(UTC))
    statuses = {company.id: company.status for company in report.companies}
    assert {company for company, status in statuses.items() if status is not BackupStatus.TAKEN} == {"5"}
    (failed,) = [company for company in report.companies if company.id == "5"]
    assert failed.status is BackupStatus.FAILED
    assert "does not fit the hash" in failed.trouble
    assert len(whole_snapshots(tmp_path / "repository")) == len(statuses)
    imported = run_import(settings, places[0], str(tmp_path / "imported"), datetime.now(UTC), dry_run=False)
    assert [one.id for one in imported.companies if one.status is BackupStatus.FAILED] == ["5"]


@pytest.mark.parametrize(
    "error", [DamagedSnapshot("7.tar.zst", "it is cut off"), WrongKey("7.tar.zst.age", no_key=True)]
)
def test_what_a_snapshot_suffers_from_gets_from_a_worker_to_its_parent(error):
    there = pickle.loads(pickle.dumps(error))
    assert (type(there), there.message, there.hint, there.exit_code) == (
        type(error),
        error.message,
        error.hint,
        error.exit_code,
    )


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_whole_snapshots_and_the_next_one_takes_the_rest(env, tmp_path, end):
    chance = random.Random(end)
    for _ in range(3):
        run = subprocess.Popen(
            [COMMAND, "backup", "--quiet", "--force"],
            env=scrubbed_environment(env),
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.12, 0.4))
        run.send_signal(end)
        run.wait(20)
        if (tmp_path / "repository").exists():
            whole_snapshots(tmp_path / "repository")
    assert run_cli("backup", "--quiet", env=env).returncode == 0
    counts = whole_snapshots(tmp_path / "repository")
    assert len(counts) == COMPANIES
    assert min(counts.values()) >= 1
    # Where nothing has changed since, nothing is written: there the daily prune tidies up.
    assert run_cli("prune", "--quiet", env=env).returncode == 0
    assert not list((tmp_path / "repository").rglob(f"{PARTIAL_PREFIX}*"))
