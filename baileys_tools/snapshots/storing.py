"""Writes one company's folder into the repository as a snapshot."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, replace
from datetime import datetime

from baileys_tools import __version__
from baileys_tools.config import Settings
from baileys_tools.sessions.faults import say_why
from baileys_tools.sessions.reading import FolderStamp, ReadFolder
from baileys_tools.sessions.roots import Company
from baileys_tools.sessions.rules.snapshot import Manifest
from baileys_tools.snapshots.archive import DamagedSnapshot, sums_digest
from baileys_tools.snapshots.company_writer import CompanyWriter
from baileys_tools.snapshots.encryption import Recipients
from baileys_tools.snapshots.index import Index, write_index
from baileys_tools.snapshots.prune import RetentionOf, prune_company, retention_by_company
from baileys_tools.snapshots.repository import Repository
from baileys_tools.snapshots.rules.backup_report import BackupStatus, CompanyBackup
from baileys_tools.snapshots.rules.shelf_names import COMPANY_PREFIX
from baileys_tools.snapshots.shelves import Shelf, is_from, shelf_to_fill
from baileys_tools.snapshots.snapshot_names import parse_name

TOOL = f"baileys-tools {__version__}"


@dataclass(frozen=True, slots=True)
class BackupJob:
    """What one run is to do. `recipients` are those to encrypt to, `force` takes unchanged folders too."""

    now: datetime
    recipients: Recipients | None
    retention: RetentionOf
    tag: str = ""
    force: bool = False


def job_of(settings: Settings, now: datetime, *, tag: str = "", force: bool = False) -> BackupJob:
    """Given the settings, return the job. Raises UsageError for an invalid recipient."""
    recipients = Recipients(settings.backup.recipients) if settings.backup.recipients else None
    return BackupJob(now, recipients, retention_by_company(settings), tag, force)


def not_as_written(damage: DamagedSnapshot) -> str:
    """Return what it means that a new snapshot was damaged before it got its name."""
    return f"the new {damage.message}; it was not kept: look at the disk and the memory of this host (dmesg)"


def store(
    repository: Repository,
    writer: CompanyWriter,
    company: Company,
    read: ReadFolder,
    stamp: FolderStamp,
    job: BackupJob,
) -> CompanyBackup:
    """Publish what was read, unless the last snapshot holds the same, then prune. Raises OSError."""
    index = writer.index()
    digest = sums_digest(read.files)
    # What could not be read is tried again, though nothing else moves.
    proves = stamp.is_settled and not any(odd.failed for odd in read.left_out)
    known = Index(
        stamp.digest if proves else "",
        digest,
        index.last,
        index.sequence,
        source=company.place,
        identity=read.account.identity,
    )
    if not wants_another(job, index) and index.files_sha256 == digest and writer.has(index.last):
        write_index(writer.folder, known)
        return company_report(company, BackupStatus.UNCHANGED, read)
    info = writer.publish(manifest_of(company.id, read, job), read.files, job.recipients, index.sequence + 1)
    report = replace(company_report(company, BackupStatus.TAKEN, read), snapshot=info)
    # From here on the snapshot is safe, and trouble is no reason to call the backup failed.
    try:
        write_index(writer.folder, replace(known, last=info.file, sequence=info.sequence))
        pruned = prune_company(repository, writer, job.retention(company.id), verified=info)
    except OSError as error:
        return replace(
            report, trouble=f"the snapshot is safe, but older ones were not pruned: {say_why(error)}"
        )
    return replace(report, removed=pruned.removed, damaged=pruned.damaged)


def store_on_shelf(
    repository: Repository, company: Company, read: ReadFolder, stamp: FolderStamp, job: BackupJob
) -> CompanyBackup:
    """As `store`, on the shelf of the company's place. Raises OSError or RepositoryLocked."""
    place = company.place
    for _ in range(2):
        shelf = shelf_to_fill(repository, company.id, place, read.account, force=job.force)
        with repository.writing(shelf.name) as writer:
            index = writer.index()
            if index.source != shelf.known.source and not is_from(index, place):
                continue  # another place came first
            return told_apart(store(repository, writer, company, read, stamp, job), shelf)
    raise FileExistsError(errno.EEXIST, "is kept for another session folder", COMPANY_PREFIX + shelf.name)


def told_apart(done: CompanyBackup, shelf: Shelf) -> CompanyBackup:
    """Return the report with where the snapshots are kept, where another place has the plain name."""
    return replace(done, apart=shelf.name, beside=shelf.beside) if shelf.beside else done


def manifest_of(company: str, read: ReadFolder, job: BackupJob) -> Manifest:
    """Return what a snapshot of this content says about itself; publishing fills in the rest."""
    return Manifest(
        tool=TOOL,
        host=socket.gethostname(),
        company=company,
        account=read.account,
        taken_at=job.now,
        sequence=0,
        tag=job.tag,
        counts=read.counts,
        counters=read.counters,
        files=0,
        bytes=0,
        files_sha256="",
    )


def wants_another(job: BackupJob, index: Index) -> bool:
    """Whether a snapshot is wanted even of an unchanged folder: one with a tag that the last has not, for one."""
    last = parse_name("", index.last, 0) if job.tag else None
    return job.force or bool(job.tag and (last is None or last.tag != job.tag))


def company_report(company: Company, status: BackupStatus, read: ReadFolder) -> CompanyBackup:
    return CompanyBackup(
        company.id,
        company.path,
        status,
        files=len(read.files),
        bytes=sum(file.entry.size for file in read.files),
        left_out=read.left_out,
    )
