"""`baileys-tools status` and `trigger` as an operator meets them: tables, JSON, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.observations import Observation, observe
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.support import about, company_folder, require_root, snapshot_tree

OLD = timedelta(days=20)
HOUR = timedelta(hours=1)


def sessions(number: int, age: timedelta = HOUR) -> dict[str, timedelta]:
    return {f"session-49170{one}.0.json": age for one in range(number)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """1001 is healthy and grows, 1002 is full, 1003 has lost its creds."""
    root = tmp_path / "sessions"
    company_folder(root, "1001", sessions(99))
    company_folder(root, "1002", sessions(159) | {f"session-49180{one}.0.json": OLD for one in range(40)})
    (company_folder(root, "1003", sessions(20)) / "creds.json").write_bytes(b"")
    now = datetime.now(UTC)
    with open_state(str(tmp_path / "state"), now) as state:
        looks = [
            Observation(
                "1001", now - timedelta(hours=hours), 0, 100 - hours // 4, {}, None, "healthy", "valid", None
            )
            for hours in range(1, 5 * 24)
        ]
        observe(about(state, root, "1001"), looks)
    return tmp_path


def run(command: str, place: Path, *options: str, columns: str = "80") -> subprocess.CompletedProcess[str]:
    return run_cli(
        command,
        *options,
        env={
            "BAILEYS_SESSIONS_PATH": str(place / "sessions"),
            "BAILEYS_TOOLS_STATE_DIR": str(place / "state"),
            "BAILEYS_TOOLS_BACKUP_PATH": str(place / "backups"),
            "COLUMNS": columns,
        },
    )


def test_all_companies_stand_in_one_table_the_worst_first(place: Path) -> None:
    shown = run("status", place)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0].split("  ")[0] == "COMPANY"
    assert [line.split()[0] for line in lines[1:4]] == ["1003", "1002", "1001"]
    assert "EMPTY" in lines[1]
    assert lines[2].split()[1:4] == ["emergency", "file-count", "200"], "danger is a level, and no state"
    assert "150 in 8d" in lines[3]
    assert lines[1].split()[1:3] == ["emergency", "creds-empty"], "and says why"
    assert lines[5] == "3 companies (2 emergency, 1 warning), 321 files"
    assert lines[6] == "What to do first: baileys-tools inspect --company 1003"
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in shown.stdout


def test_a_wide_terminal_shows_more(place: Path) -> None:
    narrow, wide = run("status", place), run("status", place, columns="160")
    assert "KINDS" not in narrow.stdout
    assert "session:199 creds:1" in wide.stdout
    assert "A wider terminal shows more" in narrow.stdout
    assert "A wider terminal" not in wide.stdout


def test_cleanups_and_snapshots_show_with_their_age(place: Path) -> None:
    assert run("backup", place).returncode == 3, "1003 has nothing worth a snapshot"
    assert run("trigger", place, "--company", "1002").returncode == 0
    document = checked_json(run("status", place, "--json").stdout, "status")
    companies = {one["company"]: one for one in document["companies"]}
    assert companies["1002"]["last_cleanup_removed"] == 40
    assert companies["1002"]["last_cleanup"] is not None
    assert companies["1001"]["last_cleanup"] is None
    assert [bool(companies[one]["last_snapshot"]) for one in ("1001", "1002", "1003")] == [True, True, False]
    assert companies["1001"]["growth_per_day"] == pytest.approx(6, abs=0.6)
    assert companies["1001"]["next_level"]["counted_files"] == 150
    assert companies["1003"]["worst"] == "emergency"
    assert document["totals"]["levels"]["danger"] == 0


def test_a_cleanup_that_was_undone_is_not_held_against_the_folder(place: Path) -> None:
    assert run("cleanup", place, "--company", "1002").returncode == 0
    assert run("cleanup", place, "--company", "1002").returncode == 0
    assert "cleanups-remove-little" in run("inspect", place, "--company", "1002").stdout
    assert run("undo", place, "--company", "1002").returncode == 0
    alone = run("status", place, "--company", "1002").stdout
    assert "0 files removed, and undo has put 40 back since" in " ".join(alone.split())
    inspected = run("inspect", place, "--company", "1002").stdout
    assert "undo has put 40 back since" in " ".join(inspected.split())
    assert "cleanups-remove-little" not in inspected, "there is all to take that was there before"
    wide = run("status", place, columns="160").stdout
    (row,) = [line for line in wide.splitlines() if line.startswith("1002")]
    assert "undone" in row
    document = checked_json(run("status", place, "--json").stdout, "status")
    assert {one["company"]: one["last_cleanup_put_back"] for one in document["companies"]}["1002"] == 40
    assert run("cleanup", place, "--company", "1002").returncode == 0
    assert "undo has put" not in run("status", place, "--company", "1002").stdout


def test_without_a_snapshot_a_lost_session_leads_to_the_way_out_and_in_no_circle(place: Path) -> None:
    run("backup", place)
    shown = " ".join(run("inspect", place, "--company", "1003").stdout.split())
    assert "Take one" not in shown
    assert "Mend that" not in shown
    assert shown.count("backup --import DIR") == 2, "in backup-failed and in snapshot-missing"
    assert "baileys-tools reset --company 1003" in shown
    refused = run("restore", place, "--company", "1003", "--dry-run")
    assert refused.returncode == 10
    assert "baileys-tools backup --import DIR" in refused.stderr
    assert "baileys-tools reset --company 1003" in refused.stderr
    alone = " ".join(run("status", place, "--company", "1003").stdout.split())
    assert "Take one" not in alone


def test_one_company_is_shown_at_length(place: Path) -> None:
    shown = run("status", place, "--company", "1003")
    assert shown.returncode == 0
    assert "creds      empty" in shown.stdout
    assert "[creds-empty]" in shown.stdout
    assert [line for line in shown.stdout.splitlines() if len(line) > 80 and "folder" not in line] == []
    assert (
        "6.0 counted files a day: reaches 150 in 8 days (warning)"
        in run("status", place, "--company", "1001").stdout
    )


def test_a_company_that_has_vanished_is_still_listed(place: Path) -> None:
    run("monitor-once", place)
    shutil.rmtree(place / "sessions" / "company_1001")
    shown = run("status", place)
    (row,) = [line for line in shown.stdout.splitlines() if line.startswith("1001")]
    assert row.split()[1] == "gone"
    assert "(1 gone, 2 emergency)" in shown.stdout
    alone = run("status", place, "--company", "1001")
    assert (alone.returncode, "[folder-gone]" in alone.stdout) == (0, True)
    document = checked_json(run("status", place, "--json").stdout, "status")
    assert document["totals"]["states"]["gone"] == 1
    assert next(one["state"] for one in document["companies"] if one["company"] == "1001") == "gone"


def test_status_changes_nothing_in_the_folders(place: Path) -> None:
    before = snapshot_tree(place / "sessions", ignore=())
    run("status", place)
    assert snapshot_tree(place / "sessions", ignore=()) == before


def test_a_hostile_id_reaches_no_terminal_raw(place: Path) -> None:
    company_folder(place / "sessions", "\x1b]0;owned\x07" + "x" * 60, sessions(3))
    shown = run("status", place)
    assert "\x1b" not in shown.stdout
    assert "\\x1b]0;owned" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    checked_json(run("status", place, "--json").stdout, "status")


@pytest.mark.parametrize("command", ["status", "trigger"])
def test_an_unreadable_folder_is_reported_and_the_others_are_shown(place: Path, command: str) -> None:
    (place / "sessions" / "company_1004").symlink_to(place / "sessions" / "company_1001")
    shown = run(command, place)
    assert shown.returncode == 3
    assert "1004" in shown.stdout
    assert "1002" in shown.stdout
    checked_json(run(command, place, "--json").stdout, command)


@pytest.mark.parametrize("command", ["status", "trigger"])
def test_an_unknown_company_is_not_found(place: Path, command: str) -> None:
    refused = run(command, place, "--company", "1009")
    assert refused.returncode == 10
    assert "1001, 1002, 1003" in refused.stderr


@pytest.mark.parametrize("command", ["status", "trigger"])
def test_help_has_examples_and_fits(command: str) -> None:
    shown = run_cli(command, "--help")
    assert shown.returncode == 0
    assert f"baileys-tools {command}" in shown.stdout
    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("damage", ["damaged", "newer", "read-only", "a file for a folder"])
def test_with_a_state_that_cannot_be_used_it_answers_and_says_so(place: Path, damage: str) -> None:
    state = place / "state"
    database = state / "state.sqlite3"
    if damage == "damaged":
        database.write_bytes(b"no database" * 1_000)
    elif damage == "newer":
        import sqlite3

        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 999")
        connection.commit()
        connection.close()
    elif damage == "read-only":
        require_root()
        from tests.support import require_tool

        subprocess.run([require_tool("mount"), "--bind", "-o", "ro", state, state], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", state, state], check=True)
    else:
        for file in state.iterdir():
            file.unlink()
        state.rmdir()
        state.write_text("")
    try:
        shown = run("status", place)
        assert shown.returncode == 0
        assert "1003" in shown.stdout
        assert "history is not known" in shown.stdout
    finally:
        if damage == "read-only":
            subprocess.run(["umount", state], check=True)


def test_the_trigger_says_the_same_in_words_and_in_json(place: Path) -> None:
    planned = checked_json(run("trigger", place, "--dry-run", "--json").stdout, "trigger")
    assert [one["status"] for one in planned["companies"]] == ["below", "would-clean", "below"]
    shown = run("trigger", place)
    assert "company 1002: cleaned" in shown.stdout
    assert "40 files removed; 160 counted files remain" in shown.stdout
    assert "3 companies: 2 below the limit, 1 cleaned" in shown.stdout
    assert "undo: baileys-tools undo --run" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    done = checked_json(run("trigger", place, "--json").stdout, "trigger")
    assert done["totals"]["cleaned"] == 0
    assert json.dumps(done).isascii()
    assert not os.path.exists(place / "state" / "trigger.lock")
