"""Commands that opened a session folder just before another one put a new folder in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baileys_tools.cleanup import cleaning as cleanup
from baileys_tools.cleanup import undoing as undo
from baileys_tools.cleanup.rules.cleanup_report import Status
from baileys_tools.config import Settings, load_settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.recovery import resetting as reset
from baileys_tools.recovery.resetting import ResetOptions, run_reset
from baileys_tools.recovery.restore_job import RestoreOptions
from baileys_tools.recovery.restoring import run_restore
from baileys_tools.sessions.locks import company_lock
from baileys_tools.sessions.reading import FolderStamp, stamp_folder
from baileys_tools.snapshots import backup
from baileys_tools.snapshots.rules.backup_report import BackupStatus
from tests.support import company_folder, snapshot_tree

NOW = datetime.now(UTC)
OLD = timedelta(days=20)
SESSION = "session-4917000000001.0.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, {}, home=str(tmp_path), cwd=str(tmp_path)).settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return company_folder(tmp_path / "sessions", "1001", {SESSION: OLD}, now=NOW)


def reset_it(settings: Settings, folder: Path, root: Path | None = None) -> str:
    options = ResetOptions("1001", force=True, yes=True, pair=False)
    return run_reset(settings, options, str(root or folder.parent), NOW, lambda report: True).run


def just_before_its_lock(
    monkeypatch: pytest.MonkeyPatch, command: object, other: Callable[[], object]
) -> None:
    """Have `other` come and go between the moment that `command` opens a folder and the one that it locks it."""
    waiting = [other]

    @contextmanager
    def lock(folder: int, now: datetime) -> Iterator[None]:
        while waiting:
            waiting.pop()()
        with company_lock(folder, now):
            yield

    monkeypatch.setattr(command, "company_lock", lock)


def test_of_two_resets_at_once_one_is_turned_away_and_the_session_comes_back_whole(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, folder: Path
) -> None:
    before = snapshot_tree(folder)
    runs: list[str] = []
    just_before_its_lock(monkeypatch, reset, lambda: runs.append(reset_it(settings, folder)))
    with pytest.raises(BaileysToolsError) as refused:
        reset_it(settings, folder)
    assert refused.value.exit_code is ExitCode.LOCKED
    undo.run_undo(settings, str(folder.parent), NOW, run=runs[0])
    assert snapshot_tree(folder) == before


def test_a_cleanup_skips_a_company_whose_folder_was_set_aside_under_its_hands(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, folder: Path
) -> None:
    just_before_its_lock(monkeypatch, cleanup, lambda: reset_it(settings, folder))
    report = cleanup.run_cleanup(settings, str(folder.parent), NOW)
    assert [company.status for company in report.companies] == [Status.LOCKED]
    assert [path.parent.parent.name for path in folder.rglob(SESSION)] == ["resets"]


def test_a_reset_of_the_sessions_path_itself_is_noticed_as_well(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, folder: Path
) -> None:
    just_before_its_lock(monkeypatch, cleanup, lambda: reset_it(settings, folder, root=folder))
    report = cleanup.run_cleanup(settings, str(folder), NOW)
    assert [company.status for company in report.companies] == [Status.LOCKED]


def test_a_folder_beside_that_holds_what_a_reset_set_aside_is_never_given_up(
    settings: Settings, folder: Path
) -> None:
    reset_it(settings, folder)
    beside = folder.with_name(f".baileys-tools-reset-{folder.name}")
    folder.rename(beside)
    folder.mkdir()
    report = cleanup.run_cleanup(settings, str(folder.parent), NOW)
    assert [company.status for company in report.companies] == [Status.FAILED]
    assert list(beside.rglob(SESSION))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_backup_never_reads_a_folder_that_a_rollback_has_replaced(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, folder: Path, tmp_path: Path, dry_run: bool
) -> None:
    places = str(folder.parent), str(tmp_path / "repository")
    assert backup.run_backup(settings, *places, NOW).exit_code is ExitCode.DONE
    waiting = [RestoreOptions("1001", mode="rollback", force=True, yes=True)]

    def before_its_lock(handle: int) -> FolderStamp:
        while waiting:
            run_restore(settings, waiting.pop(), *places, NOW, lambda report: True)
        return stamp_folder(handle)

    monkeypatch.setattr(backup, "stamp_folder", before_its_lock)
    report = backup.run_backup(settings, *places, NOW, force=True, dry_run=dry_run)
    assert [company.status for company in report.companies] == [BackupStatus.LOCKED]
    again = backup.run_backup(settings, *places, NOW, force=True)
    assert [company.status for company in again.companies] == [BackupStatus.TAKEN]
