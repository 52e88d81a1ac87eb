"""How all companies are at one moment: what `status`, `watch` and `report` show."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.sessions.rules.forecast import Sample, growth_per_day, next_threshold
from baileys_tools.thresholds import Level, Thresholds
from baileys_tools.watching.rules.verdict import CompanyState, CompanyStatus, states_of

if TYPE_CHECKING:
    from baileys_tools.alerts.rules.silences import AlertSilence


class FleetStatus(NamedTuple):
    """All companies of a sessions path, the worst first. `trouble` says why the past is not known, "" when it is."""

    root: str
    now: datetime
    thresholds: Thresholds
    companies: Sequence[CompanyStatus]
    trouble: str = ""
    silences: Sequence["AlertSilence"] = ()
    """Those that hold and those that have ended lately."""
    unfound: int = 0
    """Session folders below the roots that no rule finds."""

    def at_level(self, level: Level) -> int:
        """How many companies are at a level."""
        return sum(company.level is level for company in self.companies)

    @property
    def states(self) -> dict[CompanyState, int]:
        """How many companies are in each state that there is, the worst first."""
        return states_of(self.companies)

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
