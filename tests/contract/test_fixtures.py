"""The fixtures and the program that lays them out."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.lay import FIXTURES, HOSTILE, REFERENCE_NOW, lay, names
from tests.support import creds, snapshot_tree

RECORDED = [name for name in names() if name != HOSTILE]


def run_lay(*words: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(FIXTURES / "lay.py")]
    return subprocess.run([*program, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", RECORDED)
def test_the_ages_name_just_the_files_of_the_fixture(name: str) -> None:
    root = FIXTURES / name
    ages = json.loads((root / "ages.json").read_text())["age_seconds"]
    assert set(ages) == {str(path.relative_to(root)) for path in root.glob("*/*")}


@pytest.mark.parametrize("name", RECORDED)
def test_each_file_is_laid_with_its_age_its_mode_and_its_bytes(name: str, tmp_path: Path) -> None:
    lay(name, tmp_path / "sessions", REFERENCE_NOW)
    record = json.loads((FIXTURES / name / "ages.json").read_text())
    for relative, seconds in record["age_seconds"].items():
        laid = tmp_path / "sessions" / relative.removeprefix("session/")
        modified = REFERENCE_NOW - timedelta(seconds=seconds)
        assert laid.stat().st_mtime_ns == int(modified.timestamp()) * 1_000_000_000
        assert stat.S_IMODE(laid.stat().st_mode) == int(record["modes"].get(relative, "0644"), 8)
        assert laid.read_bytes() == (FIXTURES / name / relative).read_bytes()


def test_baileys_writes_every_fact_that_the_handmade_creds_of_other_tests_have() -> None:
    written = json.loads((FIXTURES / "fresh-v7" / "company_3001" / "creds.json").read_text())
    assert set(creds()) <= set(written)


def test_the_hostile_fixture_has_one_of_each_kind(tmp_path: Path) -> None:
    lay(HOSTILE, tmp_path / "sessions", REFERENCE_NOW)
    company = tmp_path / "sessions" / "company_7001"
    tree = snapshot_tree(company)
    assert {entry.kind for entry in tree.values()} == {"file", "folder", "link", "fifo", "socket"}
    assert {b"-rf", max(tree, key=len)} <= set(tree)
    assert len(max(tree, key=len)) == 255
    assert (company / "session-910000000003.0.json").stat().st_nlink == 2
    assert (tmp_path / "sessions" / "company_7002").is_symlink()


def test_a_target_that_holds_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(FileExistsError, match="is not empty"):
        lay("single", tmp_path, REFERENCE_NOW)
    assert os.listdir(tmp_path) == ["mine"]


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        lay("single", tmp_path, datetime(2026, 1, 15, 12))


def test_an_unknown_name_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    finished = run_lay("helthy", str(tmp_path / "sessions"))
    assert finished.returncode == 1
    assert "healthy-v6" in finished.stderr
    assert not (tmp_path / "sessions").exists()


def test_the_program_lays_out_what_it_is_told(tmp_path: Path) -> None:
    finished = run_lay("single", str(tmp_path / "sessions"), "--now", REFERENCE_NOW.isoformat())
    assert finished.returncode == 0, finished.stderr
    logged_in = (tmp_path / "sessions" / "creds.json").stat().st_mtime
    assert datetime.fromtimestamp(logged_in, UTC) == REFERENCE_NOW - timedelta(hours=5)
