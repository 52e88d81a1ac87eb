"""The result of a backup run: one entry a company, one a place for copies, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.held_locks import Holder
from baileys_tools.sessions.rules.snapshot import SnapshotInfo


class BackupStatus(StrEnum):
    """How a company's part of a backup ended."""

    TAKEN = "taken"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    """Dry run: the folder has changed and would be taken."""
    LOCKED = "locked"
    UNFIT = "unfit"
    """`creds.json` is missing, torn or unpaired: not worth a snapshot, and no good one may go for it."""
    FAILED = "failed"
    NOT_LINKED = "not-linked-yet"
    """The folder waits for its first login, or for that after a reset: there is nothing to lose yet."""


@dataclass(frozen=True, slots=True)
class CompanyBackup:
    """What a run did, or would do, for one company.

    `files` and `bytes` are what the snapshot holds; `left_out` are entries of the folder that it does not.
    `removed` are snapshots that retention no longer keeps, `damaged` those found damaged on that occasion.
    `fetched` counts the snapshots that came from a place of copies, of which `snapshot` is the newest; `refused`
    are those that are damaged there, and were not taken in.
    `trouble` says why a company failed or is locked, or what went wrong after the snapshot was taken.
    """

    id: str
    path: str
    status: BackupStatus
    snapshot: SnapshotInfo | None = None
    files: int = 0
    bytes: int = 0
    left_out: Sequence[Oddity] = ()
    removed: Sequence[SnapshotInfo] = ()
    damaged: Sequence[SnapshotInfo] = ()
    fetched: int = 0
    refused: Sequence[SnapshotInfo] = ()
    trouble: str = ""
    holder: Holder | None = None
    """Who holds the lock, as the kernel tells it, where the company is locked."""
    apart: str = ""
    """The folder of the repository, after `company_`, where another place had this name first; `beside` is that one."""
    beside: str = ""
    held_too_long: Finding | None = None
    """What is said of a lock that has been held for longer than `locks.patience`: the company has failed."""

    @property
    def unreadable(self) -> Sequence[Oddity]:
        """The entries that may be key files, and are missing from the snapshot."""
        return [odd for odd in self.left_out if odd.failed]


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What became of the copies at one place: how many were sent and removed, and what went wrong there.

    `damaged` are snapshots of the repository that were found damaged when they were to be sent. `gone` is how many
    that the place had, and that its retention keeps, were not there any more or cut off.
    """

    target: str
    sent: int = 0
    removed: int = 0
    waiting: int = 0
    trouble: str = ""
    damaged: Sequence[SnapshotInfo] = ()
    gone: int = 0


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A whole run over one sessions path into one repository.

    `copies` has the places that were to be brought up to date, None when that was left to another run that is at it.
    """

    root: str
    repository: str
    now: datetime
    dry_run: bool
    encrypted: bool
    companies: Sequence[CompanyBackup]
    copies: Sequence[CopyResult] | None = ()

    @property
    def damaged(self) -> dict[str, list[SnapshotInfo]]:
        """The snapshots that were found damaged, by company: one may be none of those that were backed up."""
        found: dict[str, list[SnapshotInfo]] = {}
        for infos in (*(one.damaged for one in self.companies), *(one.damaged for one in self.copies or ())):
            for info in infos:
                found.setdefault(info.company, []).append(info)
        return found

    def count(self, status: BackupStatus) -> int:
        """How many companies ended so."""
        return sum(company.status is status for company in self.companies)

    @property
    def taken_by_company(self) -> dict[str, int]:
        """For each company that is safe, how many snapshots were taken: 0 where nothing had changed."""
        safe = (BackupStatus.TAKEN, BackupStatus.UNCHANGED)
        return {
            company.id: int(company.status is BackupStatus.TAKEN)
            for company in self.companies
            if company.status in safe and not self.dry_run
        }

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: trouble with copies is a warning, the snapshots here are good."""
        failed = self.count(BackupStatus.FAILED) + self.count(BackupStatus.UNFIT)
        failed += sum(company.held_too_long is not None for company in self.companies)
        if failed and failed == len(self.companies):
            return ExitCode.FAILED
        partly = (company.unreadable or (company.trouble and company.snapshot) for company in self.companies)
        if failed or any(partly):
            return ExitCode.PARTLY_FAILED
        if any(company.refused for company in self.companies):
            return ExitCode.DAMAGED
        if self.companies and self.count(BackupStatus.LOCKED) == len(self.companies):
            return ExitCode.LOCKED
        if self.damaged or any(copy.trouble or copy.gone for copy in self.copies or ()):
            return ExitCode.WARNING
        return ExitCode.DONE
