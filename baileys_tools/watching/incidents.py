"""`incidents`: when bots were in trouble, why, what was tried, how long it took, and how well they served."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.places import settings_in_force
from baileys_tools.pasted import command
from baileys_tools.state.database import State, open_state
from baileys_tools.watching.history import service_of
from baileys_tools.watching.kept_incidents import entries, incidents
from baileys_tools.watching.rules.incidents import Incident, IncidentEntry, Service
from baileys_tools.watching.rules.verdict import CompanyVerdict

MOST = 1_000


class IncidentsReport(NamedTuple):
    """Incidents, the newest first, each with its time line, and how well each company served in 30 days."""

    now: datetime
    incidents: list[tuple[Incident, list[IncidentEntry]]]
    services: Mapping[str, Service]
    verdicts: Mapping[str, CompanyVerdict] = {}
    """How the companies are that are in trouble now."""


def incidents_command(
    flags: Mapping[str, object], config: str | None, markdown: int | None, *, as_json: bool
) -> ExitCode:
    """Given the command line, print incidents once, and return the exit code."""
    loaded = settings_in_force(flags, config)
    now = datetime.now(UTC)
    with open_state(loaded.settings.state.dir, now) as state:
        report = list_incidents(state, loaded.settings.sessions.companies, now)
        report = report._replace(verdicts=_verdicts(loaded.settings, report, state, now))
    if markdown is not None:
        from baileys_tools.watching.show.incidents_text import incident_markdown

        for incident, timeline in report.incidents:
            if incident.id == markdown:
                print(incident_markdown(incident, timeline, report.services[incident.company], now))
                return ExitCode.DONE
        raise BaileysToolsError(
            f"no incident {markdown}",
            f"{command('baileys-tools incidents')} lists them.",
            exit_code=ExitCode.NOT_FOUND,
        )
    if as_json:
        from baileys_tools.watching.show.incidents_text import incidents_json

        print(incidents_json(report.now, report.incidents, report.services, report.verdicts))
    else:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.watching.show.incidents_text import incidents_text

        print(incidents_text(report.now, report.incidents, report.services, Style(), report.verdicts))
    return ExitCode.DONE


def _verdicts(
    settings: Settings, report: IncidentsReport, state: State, now: datetime
) -> dict[str, CompanyVerdict]:
    """Return how the companies of open incidents are now; nothing where the sessions cannot be looked at."""
    is_open = {incident.company for incident, _ in report.incidents if incident.closed is None}
    if not is_open or settings.sessions.path is None:
        return {}
    from baileys_tools.sessions.roots import Root
    from baileys_tools.watching.monitor_pass import look_over

    try:
        with Root(settings.sessions.path) as root:
            seen = look_over(settings, root, state, now).companies
    except BaileysToolsError:
        return {}
    return {one.id: one.verdict for one in seen if one.id in is_open}


def _require_known(state: State, companies: tuple[str, ...]) -> None:
    """Raise exit code 10 for a company of which nothing is remembered, where something is of others."""
    rows = state.rows(
        "SELECT DISTINCT company FROM observations UNION SELECT DISTINCT company FROM incidents"
    )
    known = sorted(company for (company,) in rows if company)
    if known and (missing := [company for company in companies if company not in known]):
        from baileys_tools.sessions.roots import no_such_company

        raise no_such_company(f"nothing is remembered of company {', '.join(missing)}", missing, known)


def list_incidents(state: State, companies: tuple[str, ...], now: datetime) -> IncidentsReport:
    """Return the incidents of the companies (none: of all) with their time lines, the newest first."""
    found: list[Incident] = []
    _require_known(state, companies)
    for company in companies or ("",):
        found += incidents(state, company, limit=MOST)
    found.sort(key=lambda one: (one.opened, one.id), reverse=True)
    concerned = dict.fromkeys((*companies, *(one.company for one in found)))
    services = {company: service_of(state, company, now) for company in concerned}
    return IncidentsReport(now, [(one, entries(state, one.id)) for one in found], services)
