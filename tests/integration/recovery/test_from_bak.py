"""`creds.json.bak` as the way back: what proves it, what refuses it, and what it touches."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder, creds, write_key

OLD = timedelta(hours=1)
SESSION = "session-4917000000001.0.json"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A linked folder whose program keeps the last creds that parsed."""
    folder = company_folder(tmp_path / "sessions", "1001", {SESSION: OLD, "pre-key-30.json": OLD})
    write_key(folder, "creds.json", OLD, json.dumps(creds()))
    write_key(folder, "creds.json.bak", OLD, json.dumps(creds()))
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    environment = {
        "HOME": str(tmp_path),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
    }

    def run_it(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_cli(*words, env=environment | more)

    return run_it


FROM_BAK = ("restore", "--company", "1001", "--from-bak")


def lose(folder: Path, content: str = "") -> None:
    write_key(folder, "creds.json", OLD, content)


def test_lost_creds_come_back_and_nothing_else_is_touched(folder: Path, run: Run) -> None:
    assert run("monitor-once").returncode == 0
    lose(folder, '{"torn')
    # The monitor remembers the login of creds that it can no longer read.
    assert "--from-bak --dry-run" in run("monitor-once").stdout
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    planned = run(*FROM_BAK, "--dry-run")
    assert "of the login" in planned.stdout, planned.stderr
    assert "no message is late" in planned.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert run(*FROM_BAK, "--yes").returncode == 0
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before | {"creds.json": before["creds.json.bak"]}
    (kept,) = folder.glob(".baileys-tools/quarantine/*/creds.json")
    assert kept.read_text() == '{"torn'
    assert "nothing to repair" in run(*FROM_BAK, "--yes").stdout


@pytest.mark.parametrize("known", ["look", "nothing"])
def test_recover_takes_it_first_and_says_what_proves_it(folder: Path, run: Run, known: str) -> None:
    if known == "look":
        run("monitor-once")
    lose(folder)
    found = json.loads(run("recover", "--dry-run", "--json").stdout)
    (company,) = found["companies"]
    assert company["steps"][0]["step"] == "restore-from-bak"
    assert ("of the same login" if known == "look" else "unproven") in company["steps"][0]["text"]
    run("recover", "--yes", "--json")
    assert json.loads((folder / "creds.json").read_text()) == creds()


def test_a_missing_creds_json_comes_back_too(folder: Path, run: Run) -> None:
    (folder / "creds.json").unlink()
    result = run(*FROM_BAK, "--yes")
    assert result.returncode == 0, result.stderr
    assert "unproven" in result.stdout
    assert json.loads((folder / "creds.json").read_text()) == creds()


@pytest.mark.parametrize(
    ("bak", "why"),
    [
        (None, "missing"),
        ("", "empty"),
        ('{"torn', "unreadable"),
        ('{"me": {"id": "1:2@s.whatsapp.net"}}', "unpaired"),
        (json.dumps(creds(noiseKey=None)), "incomplete"),
        (json.dumps(creds(registrationId=4242)), "another login"),
    ],
)
def test_what_is_no_way_back_is_refused(folder: Path, run: Run, bak: str | None, why: str) -> None:
    run("monitor-once")
    lose(folder)
    (folder / "creds.json.bak").unlink()
    if bak is not None:
        write_key(folder, "creds.json.bak", OLD, bak)
    result = run(*FROM_BAK, "--yes")
    assert (result.returncode, why in result.stderr) == (13, True), result.stderr
    assert (folder / "creds.json").read_bytes() == b""
    steps = json.loads(run("recover", "--dry-run", "--json").stdout)["companies"][0]["steps"]
    assert "restore-from-bak" not in {step["step"] for step in steps}


@pytest.mark.parametrize(
    "name",
    [
        "creds.json.backup",
        "creds.json.backup.1790000000000",
        "creds.backup.json",
        "creds-backup.json",
        "creds.json~",
        "creds.json.1",
        "creds.json.tmp",
        "creds.json.tmp.1790000000000",
        "creds (copy).json",
    ],
)
def test_a_copy_under_any_name_of_the_field_is_a_way_back(folder: Path, run: Run, name: str) -> None:
    run("monitor-once")
    (folder / "creds.json.bak").rename(folder / name)
    lose(folder)
    assert f"{name} is there" in run("monitor-once").stdout
    assert f"bring creds.json back from {name}" in " ".join(run("recover", "--dry-run").stdout.split())
    assert run(*FROM_BAK, "--yes").returncode == 0
    assert json.loads((folder / "creds.json").read_text()) == creds()


def test_of_several_copies_the_newest_of_the_login_comes_back(folder: Path, run: Run) -> None:
    run("monitor-once")
    lose(folder)
    write_key(folder, "creds.json.bak", OLD, '{"torn')
    write_key(folder, "creds.json.backup.1", OLD, json.dumps(creds(accountSyncCounter=40)))
    write_key(folder, "creds.json.backup.2", timedelta(minutes=30), json.dumps(creds(accountSyncCounter=41)))
    write_key(folder, "creds.json.backup.3", timedelta(minutes=5), json.dumps(creds(registrationId=4242)))
    (folder / "creds.json.backup.4").symlink_to("creds.json.backup.1")
    assert run(*FROM_BAK, "--yes").returncode == 0
    assert json.loads((folder / "creds.json").read_text())["accountSyncCounter"] == 41


def test_a_linked_bak_is_not_followed(folder: Path, run: Run) -> None:
    (folder / "creds.json.bak").rename(folder.parent / "elsewhere.json")
    (folder / "creds.json.bak").symlink_to(folder.parent / "elsewhere.json")
    lose(folder)
    assert run(*FROM_BAK, "--yes").returncode == 13


def test_the_newest_snapshot_proves_it_where_no_look_does(folder: Path, run: Run, tmp_path: Path) -> None:
    backups = {"BAILEYS_TOOLS_BACKUP__PATH": str(tmp_path / "backups")}
    taken = run("backup", **backups)
    assert taken.returncode == 0, taken.stderr
    lose(folder)
    assert "of the login" in run(*FROM_BAK, "--dry-run", **backups).stdout
    # Another pairing has another identity key; the snapshot knows no registrationId.
    other: dict[str, Any] = creds()
    other["me"] = other["me"] | {"id": "919585510685:18@s.whatsapp.net"}
    write_key(folder, "creds.json.bak", OLD, json.dumps(other))
    assert run(*FROM_BAK, "--dry-run", **backups).returncode == 13


def test_it_is_refused_while_the_bot_writes(folder: Path, run: Run) -> None:
    lose(folder)
    os.utime(folder / SESSION)
    result = run(*FROM_BAK, "--yes")
    assert (result.returncode, "seems to run" in result.stderr) == (13, True)


@pytest.mark.parametrize("more", [["7"], ["--target", "/tmp/x"], ["--mode", "rollback"], ["--keep-sessions"]])
def test_it_goes_with_no_snapshot(folder: Path, run: Run, more: list[str]) -> None:
    result = run(*FROM_BAK, *more)
    assert (result.returncode, "--from-bak" in result.stderr) == (2, True)
