"""What a restore does with `X.json.bak` and `X.json.tmp`, in the folder and in the snapshot."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration.faults.forked import run_cli
from tests.support import company_folder, write_key

AGE = timedelta(hours=2)
ONE, TWO, THREE = (f"session-491700000000{number}.0.json" for number in (1, 2, 3))
LIST = "device-list-4917000000001.json"
MAPPING = "lid-mapping-4917000000001.json"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the next Baileys. One mapping was being rewritten when the bot died: only its .bak is left."""
    folder = company_folder(tmp_path / "sessions", "1001")
    write_key(folder, "creds.json", AGE, (folder / "creds.json").read_text())
    write_key(folder, "creds.json.bak", AGE, (folder / "creds.json").read_text())
    for name in (ONE, TWO, THREE, LIST):
        write_key(folder, name, AGE, '"now"')
        write_key(folder, f"{name}.bak", AGE, '"before"')
    write_key(folder, f"{MAPPING}.bak", AGE, '"lid"')
    return folder


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    environment = {
        "HOME": str(tmp_path),
        "BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "state"),
        "BAILEYS_SESSIONS_PATH": str(folder.parent),
        "BAILEYS_TOOLS_BACKUP__PATH": str(tmp_path / "backups"),
    }

    def run_it(*words: str) -> subprocess.CompletedProcess[str]:
        return run_cli(*words, env=environment)

    taken = run_it("backup", "--quiet")
    assert taken.returncode == 0, taken.stderr
    return run_it


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_a_torn_key_that_cannot_come_back_goes_with_its_companion(folder: Path, run: Run) -> None:
    write_key(folder, ONE, AGE - timedelta(minutes=30), "")  # messages since: the session may not come back
    result = run("restore", "--company", "1001", "--yes", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["result"]["set_aside"] == [ONE]
    assert not {ONE, f"{ONE}.bak"} & names(folder)
    assert (folder / f"{TWO}.bak").read_text() == '"before"'
    assert run("undo", "--run", json.loads(result.stdout)["result"]["run"]).returncode == 0
    assert {ONE, f"{ONE}.bak"} <= names(folder)


def test_a_lost_key_comes_back_alone_and_one_with_a_companion_is_not_lost(folder: Path, run: Run) -> None:
    (folder / LIST).unlink()
    (folder / f"{LIST}.bak").unlink()
    (folder / THREE).unlink()
    result = run("restore", "--company", "1001", "--yes", "--json")
    assert json.loads(result.stdout)["result"]["brought_back"] == [LIST], result.stderr
    assert f"{LIST}.bak" not in names(folder)
    assert THREE not in names(folder), "the bot reads its .bak, which is newer than any snapshot"


def test_a_rollback_brings_keys_without_companions(folder: Path, run: Run) -> None:
    (folder / f"{MAPPING}.bak").unlink()
    result = run("restore", "--company", "1001", "--mode", "rollback", "--yes")
    assert result.returncode == 0, result.stderr
    assert {name for name in names(folder) if not name.startswith(".")} == {
        "creds.json",
        ONE,
        TWO,
        THREE,
        MAPPING,
        LIST,
    }
    assert (folder / ONE).read_text() == '"now"'
    assert (folder / MAPPING).read_text() == '"lid"'


def test_what_is_unpacked_elsewhere_is_the_folder_as_it_was(folder: Path, run: Run, tmp_path: Path) -> None:
    result = run("restore", "--company", "1001", "--target", str(tmp_path / "copy"))
    assert result.returncode == 0, result.stderr
    assert set(os.listdir(tmp_path / "copy")) == names(folder)
