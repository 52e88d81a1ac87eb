"""How all companies are at one moment: what `status`, `watch` and `report` show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from baileys_tools.domain.findings import Finding, Severity, worst
from baileys_tools.domain.forecast import Forecast, Sample, growth_per_day, next_threshold
from baileys_tools.domain.incidents import Service
from baileys_tools.domain.thresholds import LEVELS, Level, Thresholds
from baileys_tools.errors import ExitCode


class Cleaned(NamedTuple):
    """The last cleanup of a company, and how many files it removed."""

    at: datetime
    removed: int


class CompanyStatus(NamedTuple):
    """One company at one moment.

    `guarded` pre-keys do not count for the thresholds. `creds` is "valid", "unpaired" or the problem. `connection`
    is what the bot's API said last, "" when nobody asked. `last_activity`, `cleaned` and `last_snapshot` are None
    where nothing is known of one. `growth` is in counted files per day, None when history is too thin; `forecast`
    says when the next level begins. `trouble` says why the folder cannot be read: then the numbers are those of an
    earlier look, or zero.
    """

    id: str
    path: str
    level: Level
    files: int
    guarded: int
    by_kind: Mapping[str, int]
    creds: str
    connection: str = ""
    last_activity: datetime | None = None
    cleaned: Cleaned | None = None
    last_snapshot: datetime | None = None
    growth: float | None = None
    forecast: Forecast | None = None
    findings: Sequence[Finding] = ()
    trouble: str = ""
    service: Service | None = None
    """How well it served in 30 days, None where nobody is asked whether the bot is connected."""

    @property
    def counted(self) -> int:
        """Files that count for the thresholds."""
        return self.files - self.guarded

    @property
    def worst(self) -> Severity:
        """The worst severity found here."""
        return worst(self.findings)


class FleetStatus(NamedTuple):
    """All companies of a sessions path, the worst first. `trouble` says why the past is not known, "" when it is."""

    root: str
    now: datetime
    thresholds: Thresholds
    companies: Sequence[CompanyStatus]
    trouble: str = ""

    def at_level(self, level: Level) -> int:
        """How many companies are at a level."""
        return sum(company.level is level for company in self.companies)

    @property
    def exit_code(self) -> ExitCode:
        """The documented exit code: only what could not be read is a failure here."""
        unread = sum(bool(company.trouble) for company in self.companies)
        if unread and unread == len(self.companies):
            return ExitCode.FAILED
        return ExitCode.PARTLY_FAILED if unread else ExitCode.DONE


def with_forecast(
    company: CompanyStatus, history: Sequence[Sample], thresholds: Thresholds, now: datetime
) -> CompanyStatus:
    """Given a company and how many of its files counted before, oldest first, return it with growth and forecast."""
    if company.trouble:
        return company
    growth = growth_per_day([*history, Sample(now, company.counted)])
    return company._replace(growth=growth, forecast=next_threshold(company.counted, growth, thresholds))


def worst_first(companies: Iterable[CompanyStatus]) -> list[CompanyStatus]:
    """Given companies in natural order, return them the worst first.

    By their findings; of equals a session that may be lost is worse than a folder that is full.
    """
    return sorted(
        companies,
        key=lambda one: (
            -one.worst.rank,
            not one.trouble and one.creds == "valid",
            -LEVELS.index(one.level),
            -one.counted,
        ),
    )
