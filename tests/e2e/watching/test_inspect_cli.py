"""`baileys-tools inspect` as an operator meets it."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.runs import runs_since
from fixtures.lay import lay, names
from tests.e2e.cleanup.test_cleanup_cli import checked_json
from tests.integration.faults.forked import run_cli
from tests.log_lines import as_bytes, stream_error
from tests.support import company_folder, require_root, snapshot_tree, write_key

NOW = datetime.now(UTC).replace(microsecond=0)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A healthy company and one whose creds.json was emptied."""
    company_folder(tmp_path / "sessions", "1001", {"pre-key-30.json": timedelta(days=1)})
    broken = company_folder(
        tmp_path / "sessions", "1002", {"session-4917000000001.0.json": timedelta(days=1)}
    )
    (broken / "creds.json").write_text("")
    return tmp_path / "sessions"


def inspect(root: Path, *arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    return run_cli("inspect", "--sessions", root, *arguments, **more)


def company_of(root: Path) -> str:
    folders = sorted(path.name for path in root.glob("company_*"))
    return folders[0].removeprefix("company_") if folders else root.name


# --- what it says -------------------------------------------------------------------------------------------


def test_a_healthy_folder_is_described_and_ends_with_0(root: Path) -> None:
    shown = inspect(root, "--company", "1001")
    assert (shown.returncode, shown.stderr) == (0, "")
    for part in (
        "company 1001",
        "healthy: 2 of 2 files count",
        "linked",
        "last write",
        "pre-key",
        "under 1d",
    ):
        assert part in shown.stdout


def test_emptied_creds_are_an_emergency_with_the_command_that_helps(root: Path) -> None:
    shown = inspect(root, "--company", "1002")
    assert shown.returncode == 5
    assert re.search(r"^  emergency  creds-empty$", shown.stdout, re.MULTILINE)
    assert "baileys-tools restore --company 1002" in " ".join(shown.stdout.split())


def test_a_warning_ends_with_4(root: Path) -> None:
    write_key(root / "company_1001", "session-4917000000009.0.json", content="")
    assert inspect(root, "--company", "1001").returncode == 4


def test_the_account_is_masked_everywhere(root: Path) -> None:
    for arguments in ([], ["-v"], ["--json"], ["--json", "-v"]):
        shown = inspect(root, "--company", "1001", *arguments)
        assert "91****85:17" in shown.stdout
        assert "919585510685" not in shown.stdout + shown.stderr


def test_verbose_names_the_files_of_a_finding(root: Path) -> None:
    write_key(root / "company_1001", "notes\x1b[31m.txt")
    assert "notes" not in inspect(root, "--company", "1001").stdout
    shown = inspect(root, "--company", "1001", "-v").stdout
    assert "notes\\x1b[31m.txt" in shown
    document = checked_json(inspect(root, "--company", "1001", "--json", "-v").stdout, "inspect")
    assert [one["files"] for one in document["findings"] if one["code"] == "unknown-files"] == [
        ["notes\x1b[31m.txt"]
    ]


def test_what_the_state_remembers_is_used(root: Path) -> None:
    folder = root / "company_1001"
    assert run_cli("monitor-once", "--sessions", root, "--company", "1001").returncode == 0
    for path in folder.iterdir():
        path.unlink()
    shown = inspect(root, "--company", "1001")
    assert shown.returncode == 5, "an empty folder that was linked is a loss"
    assert "creds-missing" in shown.stdout
    company_folder(root, "1003")
    (root / "company_1003" / "creds.json").unlink()
    assert inspect(root, "--company", "1003").returncode == 0, "any other one is a beginning"
    with open_state(os.environ["BAILEYS_TOOLS_STATE_DIR"], NOW) as state:
        runs = runs_since(state, NOW - timedelta(days=1), "inspect")
    assert sorted(run.exit_code for run in runs) == [0, 5]


def test_cleanups_and_snapshots_are_looked_up(root: Path, tmp_path: Path) -> None:
    env = {"BAILEYS_SESSIONS_PATH": str(root), "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups")}
    missing = run_cli("inspect", "--company", "1001", env=env)
    assert "backup-unreadable" in missing.stdout
    assert run_cli("backup", "--company", "1001", "-q", env=env).returncode == 0
    assert run_cli("cleanup", "--company", "1001", "-q", env=env).returncode == 0
    shown = run_cli("inspect", "--company", "1001", env=env)
    assert shown.returncode == 0
    assert re.search(r"snapshots  newest is 1, \d+s old", shown.stdout)
    assert "0 files removed" in shown.stdout
    document = checked_json(run_cli("inspect", "--company", "1001", "--json", env=env).stdout, "inspect")
    assert document["snapshots"]["whole"] == 1
    assert document["last_cleanup"]["removed"] == 0
    snapshot = next((tmp_path / "backups/company_1001").glob("0*"))
    snapshot.rename(f"{snapshot}.damaged")
    damaged = run_cli("inspect", "--company", "1001", env=env)
    assert "snapshot-missing" in damaged.stdout
    assert "snapshot-damaged" in damaged.stdout


@pytest.mark.parametrize(("replaced", "code"), [(0, 0), (1, 5), (2, 5)])
def test_a_log_that_tells_of_two_writers_is_believed(
    root: Path, tmp_path: Path, replaced: int, code: int
) -> None:
    moments = [NOW - timedelta(minutes=minute) for minute in range(replaced)]
    lines = [stream_error(7, at, tag="conflict", type_="replaced") for at in reversed(moments)]
    (tmp_path / "bot.log").write_bytes(as_bytes(lines))
    (tmp_path / "settings.yaml").write_text("logs: [{path: bot.log, company: 1001}]")
    shown = inspect(root, "--company", "1001", "--config", tmp_path / "settings.yaml")
    assert shown.returncode == code
    assert ("two-processes\n" in shown.stdout) is (replaced > 1)
    assert ("bot-away\n" in shown.stdout) is (replaced == 1), "as recover says of a bot that was pushed out"


def test_a_state_that_cannot_be_used_is_a_finding_and_no_reason_to_fail(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shown = inspect(root, "--company", "1001", env={"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "file/state")})
    assert shown.returncode == 4
    assert "state-unreadable" in shown.stdout


# --- which company ------------------------------------------------------------------------------------------


def test_one_company_has_to_be_meant(root: Path) -> None:
    refused = inspect(root)
    assert refused.returncode == 2
    assert "1001, 1002" in refused.stderr
    assert inspect(root, "--company", "7").returncode == 10


def test_a_single_session_folder_needs_no_name(tmp_path: Path) -> None:
    folder = company_folder(tmp_path / "session", None, {"pre-key-30.json": timedelta()})
    assert inspect(folder).returncode == 0


def test_an_empty_path_has_nothing_to_inspect(tmp_path: Path) -> None:
    assert inspect(tmp_path).returncode == 10


@pytest.mark.parametrize("how", ["link", "file"])
def test_a_folder_that_cannot_be_read_is_critical(root: Path, how: str) -> None:
    if how == "link":
        (root / "company_3").symlink_to("company_1001")
        shown = inspect(root, "--company", "3")
        assert "symbolic link" in shown.stdout
    else:
        (root / "company_3").write_text("a file")
        shown = inspect(root, "--company", "3")
    assert shown.returncode == 5
    assert "folder-unreadable" in shown.stdout
    document = checked_json(inspect(root, "--company", "3", "--json").stdout, "inspect")
    assert document["folder"] is None


# --- how it looks, and what it leaves alone -----------------------------------------------------------------


@pytest.mark.parametrize("fixture", names())
def test_every_fixture_fits_eighty_columns_says_the_same_in_colour_and_stays_as_it_is(
    tmp_path: Path, fixture: str
) -> None:
    root = lay(fixture, tmp_path / fixture, NOW)
    before = snapshot_tree(tmp_path, ignore=())
    plain = inspect(root, "--company", company_of(root), "-v", env={"NO_COLOR": "1"})
    painted = inspect(root, "--company", company_of(root), "-v", env={"FORCE_COLOR": "1"})
    document = checked_json(inspect(root, "--company", company_of(root), "--json", "-v").stdout, "inspect")
    assert snapshot_tree(tmp_path, ignore=()) == before

    lines = plain.stdout.splitlines()
    path = str(root)
    assert [line for line in lines if len(line) > 80 and path not in line] == []
    assert "\x1b" not in plain.stdout
    assert "\x1b[" in painted.stdout
    unpainted = COLOUR.sub("", painted.stdout)
    assert volatile(unpainted) == volatile(plain.stdout)
    assert unpainted.isprintable() or all(line.isprintable() for line in unpainted.splitlines())
    assert plain.returncode == painted.returncode == document["exit_code"]
    assert [one["code"] for one in document["findings"]] == re.findall(
        r"^  (?:notice|warning|critical|emergency) +([a-z0-9-]+)$", plain.stdout, re.MULTILINE
    )


def volatile(text: str) -> str:
    """The text without what moves from run to run: free space and ages."""
    return re.sub(r"\d[\d.,]*( [kMGT]?B|[smhd]\b)?", "#", text)


def test_without_unicode_bars_are_made_of_hashes(root: Path) -> None:
    shown = inspect(root, "--company", "1001", env={"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert "#" * 36 in shown.stdout
    assert shown.stdout.isascii()


def test_the_folder_may_be_read_only_and_somebody_elses(root: Path) -> None:
    require_root()
    folder = root / "company_1001"
    for path in (folder, *folder.iterdir()):
        os.chown(path, 1234, 1234)
    folder.chmod(0o500)
    shown = inspect(root, "--company", "1001")
    assert shown.returncode == 5
    assert "(mode 500) is shut for its own owner, uid 1234" in " ".join(shown.stdout.split())
    assert sorted(path.name for path in folder.iterdir()) == ["creds.json", "pre-key-30.json"]


def test_help_fits_eighty_columns_and_names_the_page() -> None:
    shown = run_cli("inspect", "--help", env={"COLUMNS": "200"})
    assert shown.returncode == 0
    assert [line for line in shown.stdout.splitlines() if len(line) > 80] == []
    assert "docs/findings.md" in shown.stdout
