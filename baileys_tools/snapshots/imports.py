"""`backup --import`: take in plain copies of session folders, or fetch snapshots back from a place of copies."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

from baileys_tools.config import Settings
from baileys_tools.config.kinds import COPY_SCHEMES, parts_of_place
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.companies import ids_here, is_single, place_named, the_name_of_one
from baileys_tools.frame.fleet import for_each
from baileys_tools.pasted import command
from baileys_tools.sessions.reading import ReadFolder, UnfitFolder, read_session
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.snapshot import IMPORT_TAG, SnapshotInfo
from baileys_tools.snapshots.archive import DamagedSnapshot, sums_digest
from baileys_tools.snapshots.encryption import WrongKey
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup
from baileys_tools.snapshots.storing import BackupJob, job_of, manifest_of, not_as_written
from baileys_tools.units import did_you_mean, some_of

OLD_BACKUP_PREFIX = "backup_"


def run_import(
    settings: Settings, source: str, repository_path: str, now: datetime, *, dry_run: bool
) -> BackupReport:
    """Take in what `source` holds: a folder of old copies, or the URL of a place of copies."""
    wanted = settings.sessions.companies
    job = replace(job_of(settings, now), tag=IMPORT_TAG)
    if "://" in source:
        if dry_run:
            raise UsageError("--dry-run does not go with --import of a URL")
        if not _leads_to_a_place(source):
            raise UsageError(
                "--import takes a folder, or a URL as in backup.copies",
                "For example sftp://host/folder, s3://bucket/folder or file:///mnt/folder.",
            )
        from baileys_tools.snapshots.fetching import fetch_copies

        with Repository(repository_path, create=True) as repository:
            fetched = fetch_copies(repository, source, wanted, settings.copies.timeout)
        done = [_fetched(source, company, *found) for company, found in fetched.items()]
        encrypted = any(info.encrypted for found in fetched.values() for info in found.taken)
        return BackupReport(source, repository_path, now, dry_run, encrypted, done)
    done = []
    for path in copies_in(source):
        done += _import_folder(settings, path, repository_path, job, dry_run=dry_run)
    if not done:
        raise BaileysToolsError(
            f"no session folder to import in {source}",
            "Name a folder of company_<id> folders, one session folder, or a folder of backup_* folders.",
            exit_code=ExitCode.NOT_FOUND,
        )
    return BackupReport(source, repository_path, now, dry_run, job.recipients is not None, done)


def _leads_to_a_place(url: str) -> bool:
    try:
        parts = parts_of_place(url)
    except ValueError:
        return False
    has_host = bool(parts.netloc) or parts.scheme == "file"
    return has_host and parts.scheme in COPY_SCHEMES and parts.password is None


def copies_in(source: str) -> list[str]:
    """Return the folders that hold session folders: `source` itself, then the `backup_*` folders in it by name.

    The names of older scripts' folders carry their time, so that the oldest is taken in first.
    """
    try:
        names = sorted(name for name in os.listdir(source) if name.startswith(OLD_BACKUP_PREFIX))
    except OSError as error:
        hint = ""
        if isinstance(error, NotADirectoryError):
            hint = (
                "An archive is unpacked first (tar -xzf, unzip); then name the folder that comes out of it."
            )
        raise UsageError(f"cannot read {source}: {error.strerror}", hint) from error
    inner = [os.path.join(source, name) for name in names]
    return [source, *(path for path in inner if os.path.isdir(path) and not os.path.islink(path))]


def _import_folder(
    settings: Settings, path: str, repository_path: str, job: BackupJob, *, dry_run: bool
) -> list[CompanyBackup]:
    wanted = settings.sessions.companies
    with Root(path) as root:
        companies = root.companies()
        if [company.entry for company in companies] == ["."]:
            companies = [companies[0]._replace(id=_whose(settings, path, companies[0].id, repository_path))]
        return for_each(
            [company for company in companies if not wanted or company.id in wanted],
            lambda company: _import_company(
                root, company, repository_path, job, place_named(settings, company.id), dry_run=dry_run
            ),
            lambda company, why: CompanyBackup(company.id, company.path, BackupStatus.FAILED, trouble=why),
            workers=1,
        )


def _whose(settings: Settings, path: str, name: str, repository_path: str) -> str:
    """Return whose a lone copied folder is, which has any name: --company says so, or there is just one company.

    Raises UsageError where nobody can know.
    """
    wanted = settings.sessions.companies
    if len(wanted) == 1:
        return wanted[0]
    here = ids_here(settings)
    known = here or ids_in(repository_path)
    if name in known or (not known and settings.sessions.where is None):
        return name
    if not wanted and is_single(settings):
        return the_name_of_one(settings, "--import")
    # shop.bak, shop-copy-2: the name that it begins with is the likely one.
    meant = max((one for one in known if name.startswith(one)), key=len, default=name)
    near = f"; did you mean {meant}?" if meant != name else did_you_mean(name, known)
    raise UsageError(
        f"whose copy is {path}? No company is called {name}{near}",
        "Name the company that it is a copy of: "
        f"{command('baileys-tools backup --import {} --company ID', path)}"
        + (f"\nCompanies: {some_of(known)}." if known else ""),
    )


def ids_in(repository_path: str) -> list[str]:
    """Return the companies that a repository has snapshots of."""
    try:
        with Repository(repository_path) as repository:
            return repository.companies()
    except (BaileysToolsError, OSError):
        return []


def _import_company(
    root: Root, company: Company, repository_path: str, job: BackupJob, place: str, *, dry_run: bool
) -> CompanyBackup:
    """`place` is where the session of that name stands, "" where nobody knows."""
    try:
        with root.open(company) as folder:
            read = read_session(folder)
        if dry_run:
            return _report(company, BackupStatus.PLANNED, read)
        with (
            Repository(repository_path, create=True) as repository,
            repository.writing(_shelf(repository, company.id, place)) as writer,
        ):
            taken_at = _last_written(read, job.now)
            if any(_holds(repository, info, read, taken_at) for info in writer.snapshots()):
                return _report(company, BackupStatus.UNCHANGED, read)
            manifest = replace(manifest_of(company.id, read, job), taken_at=taken_at)
            index = writer.index()
            info = writer.publish(manifest, read.files, job.recipients, index.sequence + 1)
            return replace(_report(company, BackupStatus.TAKEN, read), snapshot=info)
    except UnfitFolder as unfit:
        return CompanyBackup(company.id, company.path, BackupStatus.UNFIT, trouble=f"{unfit}; not taken in")
    except RepositoryLocked as lock:
        return CompanyBackup(company.id, company.path, BackupStatus.LOCKED, trouble=lock.message)
    except DamagedSnapshot as damage:
        return CompanyBackup(company.id, company.path, BackupStatus.FAILED, trouble=not_as_written(damage))


def _shelf(repository: Repository, company: str, place: str) -> str:
    """Return the shelf of the session that the copy is of, as its name tells."""
    from baileys_tools.snapshots.shelves import shelf_at, the_one_shelf

    if place:
        return shelf_at(repository, company, place, is_strict=True).name
    return the_one_shelf(repository, company)


def _holds(repository: Repository, info: SnapshotInfo, read: ReadFolder, taken_at: datetime) -> bool:
    """Whether a snapshot is of this very copy. Of one that cannot be read without a key the time has to tell."""
    if not info.imported or info.damaged or info.taken_at != taken_at:
        return False
    try:
        with repository.reading(info) as reader:
            return reader.manifest.files_sha256 == sums_digest(read.files)
    except WrongKey:
        return True
    except DamagedSnapshot:
        return False


def _last_written(read: ReadFolder, now: datetime) -> datetime:
    """When the copy was made, as far as its files tell: no later than now, to the second."""
    newest = max(file.entry.mtime_ns for file in read.files) // 1_000_000_000
    return datetime.fromtimestamp(min(newest, int(now.timestamp())), UTC)


def _report(company: Company, status: BackupStatus, read: ReadFolder) -> CompanyBackup:
    size = sum(file.entry.size for file in read.files)
    return CompanyBackup(
        company.id, company.path, status, files=len(read.files), bytes=size, left_out=read.left_out
    )


def _fetched(
    source: str, company: str, taken: list[SnapshotInfo], refused: list[SnapshotInfo], trouble: str
) -> CompanyBackup:
    nothing = BackupStatus.FAILED if trouble else BackupStatus.UNCHANGED
    return CompanyBackup(
        company,
        source,
        BackupStatus.TAKEN if taken else nothing,
        snapshot=taken[-1] if taken else None,
        fetched=len(taken),
        refused=refused,
        trouble=trouble,
    )
