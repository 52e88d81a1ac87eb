"""`backup --import`: take in plain copies of session folders, or fetch snapshots back from a place of copies."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from baileys_tools.config import Settings
from baileys_tools.config.kinds import COPY_SCHEMES, parts_of_place
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.companies import ids_here, is_single, place_named, the_name_of_one
from baileys_tools.frame.fleet import for_each
from baileys_tools.layouts import WILD
from baileys_tools.pasted import command
from baileys_tools.sessions.names import COMPANY_PREFIX
from baileys_tools.sessions.reading import ReadFolder, UnfitFolder, read_session
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.creds import CREDS, Creds
from baileys_tools.sessions.rules.snapshot import IMPORT_TAG, SnapshotInfo
from baileys_tools.sessions.scan import read_creds
from baileys_tools.sessions.search.hints import proposals
from baileys_tools.sessions.search.walk import A_COPY, why_no_session
from baileys_tools.sessions.search.way import open_way
from baileys_tools.snapshots.archive import DamagedSnapshot, sums_digest
from baileys_tools.snapshots.encryption import WrongKey
from baileys_tools.snapshots.private_folders import RepositoryLocked
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import BackupReport, BackupStatus, CompanyBackup
from baileys_tools.snapshots.storing import BackupJob, job_of, manifest_of, not_as_written
from baileys_tools.units import counted, did_you_mean, some_of

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
            _deeper(source)
            or "Name the folder around the copies, one session folder, or a folder of backup_* folders.",
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

    The names of older scripts' folders carry their time, so that the oldest is taken in first. A pattern is itself.
    """
    if not WILD.isdisjoint(source) and not os.path.lexists(source):
        return [source]
    try:
        names = sorted(name for name in os.listdir(source) if name.startswith(OLD_BACKUP_PREFIX))
    except OSError as error:
        hint = ""
        if isinstance(error, NotADirectoryError):
            hint = _unpacked(source)
        raise UsageError(f"cannot read {source}: {error.strerror}", hint) from error
    inner = [os.path.join(source, name) for name in names]
    return [source, *(path for path in inner if os.path.isdir(path) and not os.path.islink(path))]


def _import_folder(
    settings: Settings, path: str, repository_path: str, job: BackupJob, *, dry_run: bool
) -> list[CompanyBackup]:
    wanted = settings.sessions.companies
    with Root(path) as root:
        companies = _named(settings, root, root.companies() or _copies_by_name(root), path, repository_path)
        return for_each(
            [company for company in companies if not wanted or company.id in wanted],
            lambda company: _import_company(
                root, company, repository_path, job, place_named(settings, company.id), dry_run=dry_run
            ),
            lambda company, why: CompanyBackup(company.id, company.path, BackupStatus.FAILED, trouble=why),
            workers=1,
        )


def _named(
    settings: Settings, root: Root, found: list[Company], path: str, repository_path: str
) -> list[Company]:
    """Return what was found as copies of the companies that they are of; oldest first where they are of one.

    Folders of which one is called as a company are a copy of the fleet. Where none is, their names tell nothing.
    """
    if not found or any(one.entry.startswith(COMPANY_PREFIX) for one in found):
        return found
    if [one.entry for one in found] != ["."]:
        known = ids_here(settings) or ids_in(repository_path)
        if not known or any(one.id in known for one in found):
            return found
        found = sorted(found, key=lambda one: _changed_at(root, one))
    whose = _whose(settings, path, found[0].id, repository_path)
    if len(accounts := {_account(root, one) for one in found} - {""}) > 1:
        raise UsageError(
            f"the copies in {path} are of {len(accounts)} accounts, and none is called as a company",
            "Take them in one by one: "
            f"{command('baileys-tools backup --import {} --company ID', os.path.join(path, found[0].entry))}",
        )
    return [one._replace(id=whose) for one in found]


def _copies_by_name(root: Root) -> list[Company]:
    """Return the session folders that a listing passes by for their names (`shop.bak`): here they are what is meant."""
    found = []
    for number, entry, why in root.passed:
        if why != A_COPY:
            continue
        base = root.bases[number]
        with suppress(OSError):
            folder = open_way(base.fd, entry)
            try:
                if not why_no_session(folder):
                    name, place = os.path.basename(entry), os.path.join(base.real, entry)
                    found.append(Company(name, entry, os.path.join(base.path, entry), number, real=place))
            finally:
                os.close(folder)
    return found


def _changed_at(root: Root, company: Company) -> float:
    """When a copy was last written, as far as its creds.json tells: copies go in as they were made."""
    try:
        with root.open(company) as folder:
            return os.stat(CREDS, dir_fd=folder, follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _account(root: Root, company: Company) -> str:
    """Return the number of the account that a copy is of, "" where nothing tells."""
    with suppress(OSError), root.open(company) as folder:
        creds = read_creds(folder, ())
        return creds.me.user if isinstance(creds, Creds) and creds.me is not None else ""
    return ""


def _deeper(source: str) -> str:
    """Return a command that takes in the session folders that stand deeper in a folder, "" where none is found."""
    with suppress(BaileysToolsError, OSError), Root(source) as root:
        found = [
            os.path.join(base.path, one.pattern.removesuffix("/*"))
            for base in root.bases
            for one in proposals(base)
        ]
        if found:
            more = f", and in {counted(len(found) - 1, 'other folder')}" if len(found) > 1 else ""
            hint = command("baileys-tools backup --import {}", found[0])
            return f"Some stand deeper{more}: {hint}"
    return ""


def _unpacked(archive: str) -> str:
    """Return what to do about an archive of a copy."""
    stem = archive
    for ending in (".gz", ".xz", ".bz2", ".zst", ".tar", ".tgz", ".zip"):
        stem = stem.removesuffix(ending)
    if stem == archive:
        return "It takes a folder."
    unpack = "unzip -q {} -d {}" if archive.endswith(".zip") else "tar -xf {} -C {}"
    return "\n".join(
        [
            "An archive is unpacked first, then the folder that comes out of it is taken in:",
            "  " + command("mkdir -m 700 {} && " + unpack, stem, archive, stem),
            "  " + command("baileys-tools backup --import {}", stem),
        ]
    )


def _whose(settings: Settings, path: str, name: str, repository_path: str) -> str:
    """Return whose a copied folder of any name is: --company says so, or there is just one company.

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
