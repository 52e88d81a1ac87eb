"""`backup --import` of what people keep: copies of any name, of one bot at several times, of a fleet, and archives."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import creds


def bare(path: Path, **changes: Any) -> Path:
    path.mkdir(parents=True)
    (path / "creds.json").write_text(json.dumps(creds(**changes)))
    return path


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    bare(tmp_path / "fleet" / "shop")
    bare(tmp_path / "fleet" / "clinic", me={"id": "919585510686:3@s.whatsapp.net"}, registrationId=7)
    return tmp_path / "fleet"


def take_in(fleet: Path, source: Path | str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"BAILEYS_TOOLS_BACKUP_PATH": str(fleet.parent / "repository")}
    return run_cli("backup", "--import", source, "--sessions", fleet, *words, env=env)


def shelves(fleet: Path) -> set[str]:
    return {path.name.removeprefix("company_") for path in (fleet.parent / "repository").glob("company_*")}


def test_copies_of_one_bot_at_several_times_are_no_companies(fleet: Path, tmp_path: Path) -> None:
    for day, number in (("2026-11-02", 2), ("2026-11-01", 1)):
        copy = bare(tmp_path / "old" / day, accountSyncCounter=number)
        os.utime(copy / "creds.json", (1_790_000_000 + number,) * 2)
    done = take_in(fleet, tmp_path / "old")
    assert (done.returncode, "--company ID" in done.stderr) == (2, True)
    assert shelves(fleet) == set()
    done = take_in(fleet, tmp_path / "old", "--company", "shop")
    assert done.stdout.count("company shop: taken") == 2, done.stderr
    assert "snapshot 1" in done.stdout.splitlines()[0] and "snapshot 2" in done.stdout.splitlines()[1]
    assert shelves(fleet) == {"shop"}


def test_copies_of_several_accounts_are_never_taken_for_one(fleet: Path, tmp_path: Path) -> None:
    bare(tmp_path / "old" / "alice")
    bare(tmp_path / "old" / "bob", me={"id": "919585510699:3@s.whatsapp.net"})
    done = take_in(fleet, tmp_path / "old", "--company", "shop")
    assert (done.returncode, "2 accounts" in done.stderr) == (2, True)
    assert shelves(fleet) == set()


def test_a_copy_of_the_fleet_keeps_whom_nobody_knows_any_more(fleet: Path, tmp_path: Path) -> None:
    shutil.copytree(fleet, tmp_path / "rsynced")
    bare(tmp_path / "rsynced" / "retired", registrationId=9)
    assert take_in(fleet, tmp_path / "rsynced").returncode == 0
    assert shelves(fleet) == {"shop", "clinic", "retired"}


def test_a_folder_around_a_copy_by_its_name_is_one_of_copies(fleet: Path, tmp_path: Path) -> None:
    bare(tmp_path / "kept" / "shop-backup")
    done = take_in(fleet, tmp_path / "kept")
    assert (done.returncode, "did you mean shop?" in done.stderr) == (2, True)
    assert "company shop: taken" in take_in(fleet, tmp_path / "kept", "--company", "shop").stdout
    assert shelves(fleet) == {"shop"}


@pytest.mark.parametrize("way", ["2026-11-01", "host/2026-11-01/auth"])
def test_copies_that_stand_deeper_are_told_by_a_command(fleet: Path, tmp_path: Path, way: str) -> None:
    shutil.copytree(fleet, tmp_path / "kept" / way)
    done = take_in(fleet, tmp_path / "kept")
    assert done.returncode == 10
    hint = shlex.split(done.stderr.rpartition("baileys-tools backup ")[2])
    assert hint[:2] == ["--import", str(tmp_path / "kept" / way)]
    assert take_in(fleet, hint[1]).returncode == 0
    assert shelves(fleet) == {"shop", "clinic"}


def test_an_archive_is_told_how_it_is_taken_in(fleet: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "auth 2026-11-01"), "gztar", tmp_path, "fleet")
    done = take_in(fleet, archive)
    assert done.returncode == 2
    unpack, again = (line.strip() for line in done.stderr.splitlines()[-2:])
    subprocess.run(unpack, shell=True, check=True)
    (hint,) = [word for word in shlex.split(again) if word.startswith(str(tmp_path / "auth"))]
    assert (Path(hint).stat().st_mode & 0o777, os.listdir(hint)) == (0o700, ["fleet"])
    assert take_in(fleet, f"{hint}/fleet").returncode == 0
    assert shelves(fleet) == {"shop", "clinic"}
