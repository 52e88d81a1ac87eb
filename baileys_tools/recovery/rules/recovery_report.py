"""The result of `recover`: one entry a company, what a person should know of it, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from baileys_tools.bots.rules.diagnosis import Diagnosis
from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.recovery.rules.recovery import Rung, Step
from baileys_tools.watching.rules.verdict import CompanyVerdict


class Ending(StrEnum):
    """How it ended for a company."""

    WELL = "well"
    """Nothing was wrong."""
    PLANNED = "planned"
    """Something is wrong, and nothing was done: a dry run, or nobody said yes."""
    RECOVERED = "recovered"
    PERSON = "needs-person"
    NOT_LINKED = "not-linked-yet"
    """It waits for its first login, which is the affair of whoever scans the code, and no reason for an alert."""
    MOVED = "moved"
    """`migrate` has moved it elsewhere: nothing is to be brought back here."""
    BROKEN_OFF = "broken-off"
    """A signal ended the run at one of its steps."""
    UNKNOWN = "unknown"
    """Nothing tells whether it is away: no API, no log. That is how most hosts begin, and no reason for an alert."""
    FAILED = "failed"
    """It could not be looked at, or what was begun broke off; the evidence of the last diagnosis says why."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One step that was taken: when, what, and what came of it in words."""

    at: datetime
    rung: Rung
    result: str


@dataclass(frozen=True, slots=True)
class CompanyRecovery:
    """What was found at a company and what was done. `first` is the diagnosis before, `last` the one after all.

    `steps` are what would be done next; `person` is the checklist for one.
    """

    id: str
    first: Diagnosis
    last: Diagnosis
    ending: Ending
    steps: Sequence[Step] = ()
    tried: Sequence[Tried] = ()
    person: Sequence[str] = ()
    verdict: CompanyVerdict | None = None
    """How the company is by all that was seen of it, its connection being one thing of many."""


@dataclass(frozen=True, slots=True)
class RecoverReport:
    """A whole run. `acts` is whether steps were taken, `code_when_away` the exit code where a bot is still away.

    `broken_off` is the exit code of the signal that ended it before its time.
    """

    root: str
    now: datetime
    acts: bool
    dry_run: bool
    companies: Sequence[CompanyRecovery]
    code_when_away: ExitCode = ExitCode.CRITICAL
    broken_off: ExitCode | None = None
    said_before: frozenset[str] = frozenset()
    """Of these a job has nothing to say that it has not said within a day."""

    @property
    def exit_code(self) -> ExitCode:
        if self.broken_off is not None:
            return self.broken_off
        left = {company.ending for company in self.companies} & {Ending.PLANNED, Ending.PERSON}
        if left:
            return self.code_when_away
        failed = [company for company in self.companies if company.ending is Ending.FAILED]
        if failed and len(failed) == len(self.companies):
            return ExitCode.FAILED
        return ExitCode.PARTLY_FAILED if failed else ExitCode.DONE


CODES = frozenset({"recovery-due", "needs-person"})
"""The findings that a run of `recover` looks for."""


def recovery_findings(report: RecoverReport) -> Iterator[Finding]:
    """Yield what lasts: companies that could be helped if somebody said yes, and those that need a person."""
    for company in report.companies:
        facts = {"cause": company.last.cause.value, "confidence": company.last.confidence.value}
        why = f"{company.last.cause.value} ({company.last.confidence.value}): {'; '.join(company.last.evidence)}"
        if company.ending is Ending.PERSON or _only_a_person(company):
            yield Finding(
                "needs-person",
                Severity.CRITICAL,
                company.id,
                f"the bot is away and needs a person: {why}",
                "; ".join(company.person),
                facts,
            )
        elif company.ending is Ending.PLANNED:
            first = company.steps[0]
            yield Finding(
                "recovery-due",
                Severity.CRITICAL,
                company.id,
                f"the bot is away: {why}",
                f"{command('baileys-tools recover --company {} --yes', company.id)} would first {first.text}",
                facts | {"first_step": first.rung.value},
            )


def recovered_news(report: RecoverReport) -> Iterator[Finding]:
    """Yield what was done and is over."""
    for company in report.companies:
        if company.ending is Ending.RECOVERED:
            by = company.tried[-1].rung.value if company.tried else "itself"
            back = "the bot is back" if company.last.is_healthy else "the bot's process runs again"
            yield Finding(
                "recovered",
                Severity.NOTICE,
                company.id,
                f"{back}, by {by}; it was away because: {company.first.cause.value}",
                "nothing to do",
                {"cause": company.first.cause.value, "steps": len(company.tried)},
            )


def _only_a_person(company: CompanyRecovery) -> bool:
    return company.ending is Ending.PLANNED and [step.rung for step in company.steps] == [Rung.PERSON]
