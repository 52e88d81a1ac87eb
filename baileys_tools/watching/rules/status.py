"""How all companies are at one moment: what `status`, `watch` and `report` show."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.findings import Finding, Severity, worst
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.forecast import Forecast, Sample, growth_per_day, next_threshold
from baileys_tools.sessions.rules.removals import Cleaned
from baileys_tools.thresholds import LEVELS, Level, Thresholds
from baileys_tools.watching.rules.incidents import Service

if TYPE_CHECKING:
    from baileys_tools.alerts.rules.silences import AlertSilence


class Condition(StrEnum):
    """How a company is, mildest first: the worse of how full its folder is and what was found there."""

    HEALTHY = "healthy"
    WARNING = "warning"
    CRITICAL = "critical"
    TRIGGER = "trigger"
    EMERGENCY = "emergency"
    DANGER = "danger"
    UNREADABLE = "unreadable"
    """Nobody knows how it is."""
    GONE = "gone"
    """The folder has vanished."""


CONDITIONS = tuple(Condition)
"""The conditions, mildest first."""

_OF_SEVERITY = {
    Severity.NOTICE: Condition.HEALTHY,
    Severity.WARNING: Condition.WARNING,
    Severity.CRITICAL: Condition.CRITICAL,
    Severity.EMERGENCY: Condition.EMERGENCY,
}


class CompanyStatus(NamedTuple):
    """One company at one moment.

    `guarded` pre-keys do not count for the thresholds. `connection`
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
    creds: CredsState
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
    is_gone: bool = False
    """Whether the folder has vanished."""
    uncounted: int = 0
    """Files of kinds that do not count by the settings."""

    @property
    def counted(self) -> int:
        """Files that count for the thresholds."""
        return self.files - self.guarded - self.uncounted

    @property
    def worst(self) -> Severity:
        """The worst severity found here."""
        return worst(self.findings)

    @property
    def condition(self) -> Condition:
        """How it is, in one word: a full folder says nothing about its creds, nor the other way round."""
        if self.is_gone:
            return Condition.GONE
        if self.trouble:
            return Condition.UNREADABLE
        return max(Condition(self.level.value), _OF_SEVERITY[self.worst], key=CONDITIONS.index)


class FleetStatus(NamedTuple):
    """All companies of a sessions path, the worst first. `trouble` says why the past is not known, "" when it is."""

    root: str
    now: datetime
    thresholds: Thresholds
    companies: Sequence[CompanyStatus]
    trouble: str = ""
    silences: Sequence["AlertSilence"] = ()
    """Those that hold and those that have ended lately."""

    def at_level(self, level: Level) -> int:
        """How many companies are at a level."""
        return sum(company.level is level for company in self.companies)

    @property
    def conditions(self) -> dict[Condition, int]:
        """How many companies are in each condition that there is, the worst first."""
        found = [company.condition for company in self.companies]
        return {one: found.count(one) for one in reversed(CONDITIONS) if one in found}

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
            not one.trouble and one.creds is CredsState.VALID,
            -LEVELS.index(one.level),
            -one.counted,
        ),
    )
