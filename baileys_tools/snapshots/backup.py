"""`backup`: one snapshot of each session folder that has changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import filterfalse

from baileys_tools.config import Settings, require_backup_path, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import companies_of_run
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.frame.show.progress import PatientProgress
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.interrupted import require_same_folder
from baileys_tools.sessions.locks import Locked, reading_lock
from baileys_tools.sessions.reading import (
    FolderStamp,
    ReadFolder,
    UnfitFolder,
    read_session,
    stamp_folder,
)
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CredsState, show_a_login
from baileys_tools.sessions.rules.keyfiles import sort_by_kind
from baileys_tools.sessions.rules.snapshot import BEFORE_TAG, IMPORT_TAG
from baileys_tools.sessions.scan import is_own
from baileys_tools.snapshots.archive import DamagedSnapshot, sums_digest
from baileys_tools.snapshots.backup_alerts import tell_of_backup
from baileys_tools.snapshots.index import write_index
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.prune import retention_of
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import (
    BackupReport,
    BackupStatus,
    CompanyBackup,
    CopyResult,
)
from baileys_tools.snapshots.shelves import Shelf, shelf_at, shelf_of, shelf_to_fill
from baileys_tools.snapshots.snapshot_names import valid_tag
from baileys_tools.snapshots.storing import (
    BackupJob,
    company_report,
    job_of,
    not_as_written,
    store_on_shelf,
    told_apart,
    wants_another,
)

_FEW = 8
_WORKERS = 4


def backup_command(
    given: CommandLine, *, tag: str, force: bool, dry_run: bool, source: str | None
) -> ExitCode:
    """Given the command line, back up or plan it, print the result once, and return the exit code."""
    if tag and (not valid_tag(tag) or tag in (IMPORT_TAG, BEFORE_TAG)):
        raise UsageError(
            f"--tag {tag!r} cannot be part of a snapshot's name",
            f"A tag is up to 32 of a-z, 0-9 and single dashes, and neither {IMPORT_TAG!r} nor {BEFORE_TAG!r}.",
        )
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with (
        recorded("backup", loaded.settings, now, quiet=given.quiet, dry_run=dry_run) as run,
        PatientProgress("backing up", wanted=not given.quiet) as progress,
    ):
        repository = require_backup_path(loaded)
        if source is not None:
            from baileys_tools.snapshots.imports import run_import

            report = run_import(loaded.settings, source, repository, now, dry_run=dry_run)
        else:
            root = require_sessions_path(loaded)
            report = run_backup(
                loaded.settings,
                root,
                repository,
                now,
                tag=tag,
                force=force,
                dry_run=dry_run,
                progress=progress,
            )
        taken = report.count(BackupStatus.TAKEN)
        run.ended(report.exit_code, report.taken_by_company, companies=len(report.companies), taken=taken)
    if not dry_run and source is None:
        tell_of_backup(report, loaded.settings, now)
    if given.as_json:
        from baileys_tools.snapshots.show.backup_json import backup_json

        print(backup_json(report))
    elif not given.quiet:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.snapshots.show.backup_text import backup_text

        print(backup_text(report, Style()))
    elif report.exit_code is not ExitCode.DONE:
        from baileys_tools.snapshots.show.backup_text import backup_troubles

        for line in backup_troubles(report):
            print(line, file=sys.stderr)
    return report.exit_code


def run_backup(
    settings: Settings,
    root_path: str,
    repository_path: str,
    now: datetime,
    *,
    tag: str = "",
    force: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BackupReport:
    """Back up the companies that the settings choose below `root_path`, or only look which have changed.

    One company's trouble is part of the report and never stops the others. Raises BaileysToolsError when
    nothing can be worked on at all.
    """
    job = job_of(settings, now, tag=tag, force=force)
    work = plan_company if dry_run else back_up_company
    copies: list[CopyResult] | None = []
    with Root(root_path) as root, open_repository(repository_path, create=not dry_run) as repository:
        companies = companies_of_run(root, settings)
        # More workers than CPUs, as half of a backup is waiting for the disk to sync.
        workers = _WORKERS if len(companies) > _FEW else 1
        stamps = root.stored_stamps(companies)
        done = for_each(
            companies,
            lambda company: _one(root, company, repository, job, work, stamps.get(company.id)),
            _failed,
            progress,
            workers=workers,
        )
        done = _told_of_held(settings, now, done)
        if repository is not None and any(company.snapshot is not None for company in done):
            # Folders of companies that came up for the first time may be another process's work.
            repository.sync()
        if settings.backup.copies and not dry_run and repository is not None:
            from baileys_tools.snapshots.copies import send_copies

            copies = send_copies(
                repository,
                settings.backup.copies,
                retention_of(settings.copies),
                settings.copies.timeout,
                now,
            )
    return BackupReport(root_path, repository_path, now, dry_run, job.recipients is not None, done, copies)


def _told_of_held(settings: Settings, now: datetime, done: list[CompanyBackup]) -> list[CompanyBackup]:
    """Say of the companies that are locked which of them have been for too long."""
    locked = {one.id: one.holder for one in done if one.status is BackupStatus.LOCKED}
    if not locked:
        return done
    from baileys_tools.frame.held_locks import told_of_held

    # A backup does not ask for the lock of a session in a store.
    free = (one.id for one in done if one.status is BackupStatus.TAKEN and "://" not in one.path)
    found = told_of_held(settings, locked, free, now)
    return [
        replace(one, held_too_long=found[one.id], trouble=f"{found[one.id].message}. {found[one.id].action}")
        if one.id in found
        else one
        for one in done
    ]


def _failed(company: Company, why: str) -> CompanyBackup:
    return CompanyBackup(company.id, company.path, BackupStatus.FAILED, trouble=why)


class _NoRepository:
    """Stands for a repository that a dry run must not make."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def open_repository(path: str, *, create: bool) -> Repository | _NoRepository:
    """Open a repository; one that is not there yet is made or, without `create`, None at entering."""
    if not create and not os.path.isdir(path):
        return _NoRepository()
    return Repository(path, create=create)


_Work = Callable[[Root, int, Company, Repository | None, BackupJob], CompanyBackup]


def _one(
    root: Root,
    company: Company,
    repository: Repository | None,
    job: BackupJob,
    work: _Work,
    stored: str | None = None,
) -> CompanyBackup:
    try:
        if stored is not None and repository is not None:
            # In a store, to open a session is to read it.
            shelf = shelf_of(repository, company)
            if _is_unchanged(repository, shelf, FolderStamp(stored, 0, True), job):
                return _unchanged(company, shelf)
        with root.open(company, unwritten=True) as folder:
            return work(root, folder, company, repository, job)
    except Locked as lock:
        return CompanyBackup(
            company.id, company.path, BackupStatus.LOCKED, trouble=f"locked by {lock}", holder=lock.holder
        )
    except RepositoryLocked as lock:
        return CompanyBackup(company.id, company.path, BackupStatus.LOCKED, trouble=lock.message)
    except UnfitFolder as unfit:
        if _waits_for_login(root, company, repository, unfit):
            return CompanyBackup(company.id, company.path, BackupStatus.NOT_LINKED)
        trouble = _record_failure(repository if work is back_up_company else None, company, unfit, job.now)
        return CompanyBackup(company.id, company.path, BackupStatus.UNFIT, trouble=trouble)
    except DamagedSnapshot as damage:
        return CompanyBackup(company.id, company.path, BackupStatus.FAILED, trouble=not_as_written(damage))


def _waits_for_login(root: Root, company: Company, repository: Repository | None, unfit: UnfitFolder) -> bool:
    """Whether a folder without a session has lost none: no file tells of one, and no snapshot."""
    from baileys_tools.snapshots.of_session import snapshots_of_this_session

    if unfit.reason not in (CredsState.MISSING, CredsState.UNPAIRED):
        return False
    try:
        with root.open(company) as folder:
            if show_a_login(unfit.reason, sort_by_kind(filterfalse(is_own, os.listdir(folder)))):
                return False
        return repository is None or not snapshots_of_this_session(repository, root, company)
    except OSError:
        return False


Take = Callable[[int, Company], str]
"""Given an open session folder whose lock is held, takes a snapshot of it; returns what went wrong, or ""."""


@contextmanager
def snapshots_before(settings: Settings, now: datetime) -> Iterator[Take]:
    """Yield what takes a snapshot of a folder before something is removed from it.

    It never raises: a cleanup has its own undo, and has to work on a full disk.
    """
    try:
        job = job_of(settings, now)
        repository = Repository(settings.backup.path or "", create=True)
    except BaileysToolsError as error:
        trouble = error.message
        yield lambda folder, company: trouble
        return

    def take(folder: int, company: Company) -> str:
        try:
            stamp = stamp_folder(folder)
            shelf = shelf_of(repository, company)
            if _is_unchanged(repository, shelf, stamp, job):
                return ""
            trouble = store_on_shelf(repository, company, read_session(folder), stamp, job).trouble
            # Here and now: files are removed next, and this may be a worker of a fleet.
            repository.sync()
            return trouble
        except OSError as error:
            return say_why(error)
        except Exception as error:  # noqa: BLE001 (whatever it is, the cleanup goes on)
            return str(error) or type(error).__name__

    with repository:
        yield take


def plan_company(
    root: Root, folder: int, company: Company, repository: Repository | None, job: BackupJob
) -> CompanyBackup:
    """Given an open session folder, return what a backup would do. Writes nothing."""
    stamp = stamp_folder(folder)
    shelf = shelf_of(repository, company) if repository is not None else Shelf(company.id)
    if _is_unchanged(repository, shelf, stamp, job):
        return _unchanged(company, shelf)
    read = _read(root, folder, company, job.now)
    if repository is not None:
        shelf = shelf_to_fill(repository, company.id, company.place, read.account, force=job.force)
    index = shelf.known
    same = not wants_another(job, index) and index.last and index.files_sha256 == sums_digest(read.files)
    status = BackupStatus.UNCHANGED if same else BackupStatus.PLANNED
    return told_apart(company_report(company, status, read), shelf)


def back_up_company(
    root: Root, folder: int, company: Company, repository: Repository | None, job: BackupJob
) -> CompanyBackup:
    """Given an open session folder, take a snapshot of it when it has changed, and prune its older ones."""
    if repository is None:
        raise AssertionError("a backup needs a repository")
    stamp = stamp_folder(folder)
    shelf = shelf_of(repository, company)
    if _is_unchanged(repository, shelf, stamp, job):
        return _unchanged(company, shelf)
    # The stamp is from before: whatever is written while the folder is read makes another one.
    return store_on_shelf(repository, company, _read(root, folder, company, job.now), stamp, job)


def _read(root: Root, folder: int, company: Company, now: datetime) -> ReadFolder:
    with reading_lock(folder, now):
        require_same_folder(root, company, folder)
        return read_session(folder)


def _unchanged(company: Company, shelf: Shelf) -> CompanyBackup:
    return told_apart(CompanyBackup(company.id, company.path, BackupStatus.UNCHANGED), shelf)


def _is_unchanged(repository: Repository | None, shelf: Shelf, stamp: FolderStamp, job: BackupJob) -> bool:
    """Whether a look at the folder's stamp is enough to know that its last snapshot holds what it holds."""
    index = shelf.known
    if repository is None or wants_another(job, index):
        return False
    if not index.stamp or index.stamp != stamp.digest or index.failure:
        return False
    return repository.has(shelf.name, index.last)


def _record_failure(
    repository: Repository | None, company: Company, unfit: UnfitFolder, now: datetime
) -> str:
    """Write down that a backup failed, next to the good snapshots that stay; return the finding."""
    text = f"{unfit}; no snapshot was taken and none was removed"
    if repository is None:
        return text
    try:
        place = company.place
        with repository.writing(shelf_at(repository, company.id, place, is_strict=True).name) as writer:
            index = replace(writer.index(), stamp="", failure=str(unfit), failed_at=now.isoformat())
            write_index(writer.folder, replace(index, source=index.source or place))
    except (OSError, RepositoryLocked):
        return f"{text} (and that could not be written down)"
    return text
