"""`copies check` on a disk: what is there, what is not, what is not what was sent."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.support import company_folder, snapshot_tree


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    for company in ("1001", "1002"):
        company_folder(tmp_path / "sessions", company)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "repository"),
        "BAILEYS_TOOLS_BACKUP__COPIES": f"file://{tmp_path}/disk",
    }


def checked(env: dict[str, str], code: int, *options: str) -> dict[str, Any]:
    done = run_cli("copies", "check", "--json", *options, env=env)
    assert done.returncode == code, done.stderr
    (place,) = checked_json(done.stdout, "copies-check")["places"]
    return dict(place)


def test_what_is_missing_cut_off_and_damaged_is_told_and_nothing_is_touched(
    env: dict[str, str], tmp_path: Path
) -> None:
    assert run_cli("backup", env=env).returncode == 0
    assert run_cli("backup", "--force", "--company", "1001", env=env).returncode == 0
    assert checked(env, 0, "--read")["well"]
    first, newest = sorted((tmp_path / "disk/company_1001").iterdir())
    (other,) = (tmp_path / "disk/company_1002").iterdir()
    first.unlink()
    os.truncate(other, 10)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    tree = snapshot_tree(tmp_path / "disk")

    place = checked(env, 4)
    one, two = place["companies"]
    assert (one["missing"], one["gone"], one["cut_off"], one["damaged"]) == ([1], 1, 0, [])
    assert (two["missing"], two["cut_off"]) == ([1], 1)
    one, two = checked(env, 11, "--read")["companies"]
    assert (one["read"], one["damaged"]) == (1, [2])
    assert two["read"] == 0
    assert snapshot_tree(tmp_path / "disk") == tree

    done = run_cli("copies", "check", "--read", env=env)
    assert "company 1001: 1 snapshot missing; snapshot 2 is damaged there" in done.stdout
    assert "company 1002: 1 snapshot missing (1 cut off)" in done.stdout
    assert max(len(line) for line in done.stdout.split("\n") if str(tmp_path) not in line) <= 80
    assert run_cli("backup", "--quiet", env=env).returncode == 0, "sent, and told by the check already"
    assert first.exists()


def test_a_disk_that_is_not_mounted_and_no_place_at_all(env: dict[str, str], tmp_path: Path) -> None:
    assert run_cli("backup", env=env).returncode == 0
    shutil.rmtree(tmp_path / "disk")
    assert "is its disk mounted?" in checked(env, 1)["trouble"]
    done = run_cli("copies", "check", env=env | {"BAILEYS_TOOLS_BACKUP__COPIES": ""})
    assert done.returncode == 2
    assert "no place of copies is given" in done.stderr


def test_a_check_under_a_backup_remembers_nothing(env: dict[str, str], tmp_path: Path) -> None:
    assert run_cli("backup", env=env).returncode == 0
    (lost,) = (tmp_path / "disk/company_1001").iterdir()
    lost.unlink()
    memory = (tmp_path / "repository/copies.json").read_bytes()
    import fcntl

    handle = os.open(tmp_path / "repository", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        done = run_cli("copies", "check", env=env)
    finally:
        os.close(handle)
    assert done.returncode == 4
    assert "Another run is sending copies now" in done.stdout
    assert (tmp_path / "repository/copies.json").read_bytes() == memory
