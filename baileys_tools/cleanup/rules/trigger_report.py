"""The result of a trigger run: one entry a company, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.cleanup.rules.cleanup_report import CompanyCleanup, Status
from baileys_tools.cleanup.rules.plan import CleanupPlan
from baileys_tools.cleanup.rules.trigger import Rules, TriggerAction, TriggerDecision, TriggerReason
from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding
from baileys_tools.sessions.rules.removals import Outcome


class TriggerEnding(StrEnum):
    """How a company's part of a run ended."""

    BELOW = "below"
    WAITS = "waits"
    CANNOT_HELP = "cannot-help"
    """Full, and a cleanup would remove nothing."""
    WOULD_CLEAN = "would-clean"
    CLEANED = "cleaned"
    HELD = "held"
    LOCKED = "locked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CompanyTrigger:
    """What a run found, decided and did in one company's folder.

    `plan` is what a cleanup would do, as seen before; `cleanup` what it did. `remaining` are the counted files
    after it. `count_finding` is the finding that a full folder makes, as seen last. `trouble` says why the folder
    could not be looked at.
    """

    id: str
    path: str
    plan: CleanupPlan | None = None
    decision: TriggerDecision | None = None
    cleanup: CompanyCleanup | None = None
    remaining: int | None = None
    advice: str = ""
    count_finding: Finding | None = None
    trouble: str = ""
    rules: Rules | None = None
    """Those of this company, where it was looked at."""

    @property
    def ending(self) -> TriggerEnding:
        """How it ended."""
        if self.cleanup is not None and self.cleanup.status in _ENDINGS:
            return _ENDINGS[self.cleanup.status]
        if self.decision is None:
            return TriggerEnding.FAILED
        if self.decision.action is not TriggerAction.LEAVE:
            return TriggerEnding.WOULD_CLEAN
        return _LEFT[self.decision.why]

    @property
    def removed(self) -> int:
        """Files that were removed."""
        removals = self.cleanup.removals if self.cleanup is not None else None
        return removals.count(Outcome.REMOVED) if removals is not None else 0


_ENDINGS = {
    Status.CLEANED: TriggerEnding.CLEANED,
    Status.HELD: TriggerEnding.HELD,
    Status.LOCKED: TriggerEnding.LOCKED,
    Status.CONNECTED: TriggerEnding.WAITS,
    Status.SILENT: TriggerEnding.WAITS,
    Status.FAILED: TriggerEnding.FAILED,
}
_LEFT = {
    TriggerReason.BELOW: TriggerEnding.BELOW,
    TriggerReason.COOLING_DOWN: TriggerEnding.WAITS,
    TriggerReason.NOT_REMEMBERED: TriggerEnding.WAITS,
    TriggerReason.HELD: TriggerEnding.HELD,
    TriggerReason.CONNECTED: TriggerEnding.WAITS,
    TriggerReason.SILENT: TriggerEnding.WAITS,
    TriggerReason.NOTHING_TO_REMOVE: TriggerEnding.CANNOT_HELP,
}


@dataclass(frozen=True, slots=True)
class TriggerReport:
    """A whole run. `run` names its cleanup for undo. `state_trouble` says why the past is not known for sure."""

    root: str
    now: datetime
    dry_run: bool
    rules: Rules
    companies: Sequence[CompanyTrigger]
    run: str | None = None
    state_trouble: str = ""

    def ended(self, ending: TriggerEnding) -> list[CompanyTrigger]:
        """The companies that ended so."""
        return [company for company in self.companies if company.ending is ending]

    @property
    def removed_by_company(self) -> dict[str, int]:
        """How many files were removed from each company that was cleaned."""
        return {company.id: company.removed for company in self.ended(TriggerEnding.CLEANED)}

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code of this run."""
        held = sum(1 for company in self.companies if company.cleanup and company.cleanup.held_too_long)
        bad = len(self.ended(TriggerEnding.FAILED)) + len(self.ended(TriggerEnding.HELD)) + held
        if bad and bad == len(self.companies):
            return ExitCode.FAILED
        if bad or any(company.cleanup and company.cleanup.failed_files for company in self.companies):
            return ExitCode.PARTLY_FAILED
        locked = len(self.ended(TriggerEnding.LOCKED))
        if locked and not self.ended(TriggerEnding.CLEANED):
            return ExitCode.LOCKED
        if any(company.cleanup and company.cleanup.snapshot_trouble for company in self.companies):
            return ExitCode.WARNING
        return ExitCode.DONE
