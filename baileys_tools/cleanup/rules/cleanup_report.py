"""The result of a cleanup run: one entry a company, and the exit code that follows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.cleanup.rules.plan import CleanupPlan, PolicyHold, Verdict
from baileys_tools.cleanup.rules.uses import UsesSeen
from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.folder import Oddity
from baileys_tools.sessions.rules.held_locks import Holder
from baileys_tools.sessions.rules.removals import Outcome, Removals


class Status(StrEnum):
    """How a company's part of a run ended."""

    PLANNED = "planned"
    """Dry run: nothing was touched."""
    CLEANED = "cleaned"
    HELD = "held"
    """The folder is in a state in which removing could do harm; see the plan's holds."""
    SILENT = "silent"
    """Left alone: its bot is off, and what waits for it needs every key."""
    CONNECTED = "connected"
    """Left alone: its bot is connected, and `cleanup.when_connected` says skip."""
    LOCKED = "locked"
    FAILED = "failed"


class CompanyCleanup(NamedTuple):
    """What a run did, or would do, in one company's folder.

    `verdicts` are those on removed files, or on all when they were asked for. `trouble` says why
    a company failed or is locked. `purged_files` and `purged_bytes` left the quarantine, or what resets
    had set aside, because their undo window was over; `mended` are files that an interrupted run had left
    half removed, `earlier_restore` says what became of an interrupted restore.
    """

    id: str
    path: str
    status: Status
    plan: CleanupPlan | None = None
    verdicts: Sequence[Verdict] = ()
    creds_problem: str = ""
    creds_refused: bool = False
    oddities: tuple[Oddity, ...] = ()
    removals: Removals | None = None
    purged_files: int = 0
    purged_bytes: int = 0
    purge_errors: Mapping[str, str] = {}
    mended: tuple[str, ...] = ()
    snapshot_trouble: str = ""
    earlier_restore: str = ""
    trouble: str = ""
    holder: Holder | None = None
    """Who holds the lock, as the kernel tells it, where the company is locked."""
    held_too_long: bool = False
    """The lock has been held for longer than `locks.patience`: no affair of a moment, so the company has failed."""
    uses: UsesSeen | None = None
    """When its keys were used, as far as is known after this look; None where nothing is to be remembered."""

    @property
    def failed_files(self) -> int:
        """Files that the system would not let us look at, remove or purge."""
        removals = self.removals.count(Outcome.FAILED) if self.removals is not None else 0
        return removals + len(self.purge_errors) + sum(odd.failed for odd in self.oddities)


class CleanupReport(NamedTuple):
    """A whole run over one sessions path. `run` names it for undo; None when nothing can be undone."""

    root: str
    now: datetime
    dry_run: bool
    run: str | None
    companies: Sequence[CompanyCleanup]

    @property
    def removed_by_company(self) -> dict[str, int]:
        """How many files went, for each company that was cleaned; none in a dry run."""
        return {
            company.id: company.removals.count(Outcome.REMOVED)
            for company in self.companies
            if company.status is Status.CLEANED and company.removals is not None
        }

    @property
    def without_undo(self) -> int:
        """Files that went for good, as there was no room for a quarantine."""
        return sum(company.removals.without_undo for company in self.companies if company.removals)

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code of this run."""
        statuses = [company.status for company in self.companies]
        failed = sum(
            one.held_too_long or one.status in (Status.FAILED, Status.HELD) for one in self.companies
        )
        if failed and failed == len(statuses):
            return ExitCode.FAILED
        if failed or any(company.failed_files for company in self.companies):
            return ExitCode.PARTLY_FAILED
        if statuses and all(status is Status.LOCKED for status in statuses):
            return ExitCode.LOCKED
        if any(company.snapshot_trouble for company in self.companies):
            return ExitCode.WARNING
        return ExitCode.DONE


def held_or_cleaned(plan: CleanupPlan) -> Status:
    """Given a plan that was carried out, return the status: held when rules could not be applied."""
    if plan.is_in_doubt:
        return Status.HELD
    return Status.SILENT if PolicyHold.SILENT in plan.holds else Status.CLEANED
