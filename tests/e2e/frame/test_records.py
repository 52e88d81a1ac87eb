"""Each command writes down that it ran, and nothing of that can fail it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.state.database import open_state
from baileys_tools.state.runs import Run, last_in_companies, runs_since
from baileys_tools.state.spool import ENOUGH, take_in
from tests.integration.faults.forked import run_cli
from tests.support import COMMAND, about, company_folder, scrubbed_environment

OLD = {f"session-49170000000{n:02}.0.json": timedelta(days=20) for n in range(3)}


@pytest.fixture
def state_dir() -> Path:
    return Path(os.environ["BAILEYS_TOOLS_STATE_DIR"])


@pytest.fixture
def settings(tmp_path: Path) -> Mapping[str, str]:
    company_folder(tmp_path / "sessions", "1001", OLD)
    return {
        "BAILEYS_SESSIONS_PATH": str(tmp_path / "sessions"),
        "BAILEYS_TOOLS_BACKUP_PATH": str(tmp_path / "backups"),
    }


def recorded_runs(state_dir: Path) -> list[Run]:
    with open_state(str(state_dir), datetime.now(UTC)) as state:
        take_in(state)
        assert state.trouble == ""
        return runs_since(state, datetime(2000, 1, 1, tzinfo=UTC))


def test_every_command_leaves_a_record_with_its_exit_code_and_its_sums(
    settings: Mapping[str, str], state_dir: Path
) -> None:
    for arguments in (
        ["backup", "-q"],
        ["cleanup", "--dry-run"],
        ["cleanup", "-q"],
        ["undo", "-q"],
        ["verify", "-q"],
        ["snapshots"],
        ["prune", "--dry-run"],
        ["prune", "-q"],
        ["restore", "--company", "1001", "--dry-run"],
        ["restore", "--company", "1001", "--yes", "-q"],
        ["cleanup", "--company", "9", "-q"],
    ):
        run = run_cli(*arguments, env=settings)
        assert "not recorded" not in run.stderr
    found = sorted(recorded_runs(state_dir), key=lambda run: (run.started, run.finished))
    said = {(run.command, run.dry_run, run.exit_code): run.counts for run in found}
    assert said == {
        ("backup", False, 0): {"companies": 1, "taken": 1},
        ("cleanup", True, 0): {"companies": 1, "removed": 0},
        ("cleanup", False, 0): {"companies": 1, "removed": 3},
        ("undo", False, 0): {"companies": 1, "put_back": 3},
        ("verify", False, 0): {"snapshots": 1, "whole": 1, "damaged": 0},
        ("snapshots", False, 0): {"companies": 1},
        ("prune", True, 0): {"companies": 1, "removed": 0},
        ("prune", False, 0): {"companies": 1, "removed": 0},
        ("restore", True, 0): {"brought_back": 0},
        ("restore", False, 0): {"brought_back": 0},
        ("cleanup", False, 10): {},
    }
    assert all(run.started <= run.finished for run in found)
    with open_state(str(state_dir), datetime.now(UTC)) as state:
        about(state, Path(settings["BAILEYS_SESSIONS_PATH"]), "1001")
        assert last_in_companies(state, "cleanup")["1001"].changed == 3
        assert last_in_companies(state, "backup")["1001"].changed == 1


def test_a_state_folder_that_cannot_be_written_fails_nothing_and_is_said_once(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "in-the-way").write_text("")
    broken = dict(settings) | {"BAILEYS_TOOLS_STATE_DIR": str(tmp_path / "in-the-way")}
    run = run_cli("cleanup", env=broken)
    assert run.returncode == 0
    assert run.stderr.count("not recorded") == 1
    quiet = run_cli("cleanup", "-q", env=broken)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


def test_records_do_not_pile_up_where_nothing_else_opens_the_database(
    settings: Mapping[str, str], state_dir: Path
) -> None:
    run_cli("cleanup", "-q", env=settings)
    (one,) = (state_dir / "runs").iterdir()
    for n in range(ENOUGH):
        one.with_name(f"{n:011}-{n:016x}.run").write_bytes(
            one.read_bytes().replace(b'"uid":"', b'"uid":"%d' % n)
        )
    run_cli("cleanup", "-q", env=settings)
    assert list((state_dir / "runs").iterdir()) == []
    assert len(recorded_runs(state_dir)) == ENOUGH + 2


def test_an_interrupted_run_is_recorded_as_such(
    settings: Mapping[str, str], state_dir: Path, tmp_path: Path
) -> None:
    many = tmp_path / "many"
    for n in range(40):
        company_folder(many, str(n), {f"session-{m}.0.json": timedelta(days=20) for m in range(100)})
    child = subprocess.Popen(
        [COMMAND, "cleanup", "-q", "--sessions", many],
        env=scrubbed_environment(settings),
        stderr=subprocess.DEVNULL,
    )
    while not list(many.glob("company_*/.baileys-tools")):
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    code = child.wait(30)
    (run,) = recorded_runs(state_dir)
    assert code == run.exit_code == 130
