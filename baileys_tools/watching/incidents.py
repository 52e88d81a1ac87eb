"""`incidents`: when bots were in trouble, why, what was tried, how long it took, and how well they served."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from baileys_tools.config import Settings
from baileys_tools.errors import BaileysToolsError, ExitCode
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import open_state_about, require_known
from baileys_tools.frame.places import settings_in_force
from baileys_tools.pasted import command
from baileys_tools.state.database import State
from baileys_tools.state.scope import is_place
from baileys_tools.watching.history import service_of
from baileys_tools.watching.kept_incidents import entries, incidents, places_called
from baileys_tools.watching.rules.incidents import Incident, IncidentEntry, Service, Whose
from baileys_tools.watching.rules.verdict import CompanyVerdict

MOST = 1_000


class IncidentsReport(NamedTuple):
    """Incidents, the newest first, each with its time line, and how well each company served in 30 days.

    Companies are told apart by their places; see `Whose`.
    """

    now: datetime
    incidents: list[tuple[Incident, list[IncidentEntry]]]
    services: Mapping[Whose, Service]
    verdicts: Mapping[str, CompanyVerdict] = {}
    """How the companies are that are in trouble now, by their ids."""


def incidents_command(given: CommandLine, markdown: int | None) -> ExitCode:
    """Given the command line, print incidents once, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    now = datetime.now(UTC)
    with open_state_about(loaded.settings, now) as state:
        wanted = loaded.settings.sessions.companies
        report = list_incidents(state, wanted, now, loaded.settings)
        if wanted and not report.incidents:
            require_known(loaded.settings, wanted)
        report = report._replace(verdicts=_verdicts(loaded.settings, report, state, now))
    if markdown is not None:
        from baileys_tools.watching.show.incidents_text import incident_markdown

        for incident, timeline in report.incidents:
            if incident.id == markdown:
                print(incident_markdown(incident, timeline, report.services[incident.whose], now))
                return ExitCode.DONE
        raise BaileysToolsError(
            f"no incident {markdown}",
            f"{command('baileys-tools incidents')} lists them.",
            exit_code=ExitCode.NOT_FOUND,
        )
    if given.as_json:
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
    if not is_open or settings.sessions.where is None:
        return {}
    from baileys_tools.sessions.roots import Root
    from baileys_tools.watching.monitor_pass import look_over

    try:
        with Root(settings.sessions.where) as root:
            seen = look_over(settings, root, state, now).companies
    except BaileysToolsError:
        return {}
    return {one.id: one.verdict for one in seen if one.id in is_open}


def list_incidents(
    state: State, companies: tuple[str, ...], now: datetime, settings: Settings
) -> IncidentsReport:
    """Return the incidents of the companies (none: of all) with their time lines, the newest first.

    The settings have the goal of each that is shown. A name that several places have is all of them.
    """
    found: list[Incident] = []
    concerned: dict[Whose, None] = {}
    for company in companies or ("",):
        for key in places_called(state, company) if company else [""]:
            found += incidents(state, key, limit=MOST)
            if company:
                concerned[Whose(company, key if is_place(key) else "")] = None
    found.sort(key=lambda one: (one.opened, one.id), reverse=True)
    concerned |= dict.fromkeys(one.whose for one in found)
    services = {
        whose: service_of(
            state,
            whose.place or whose.company,
            now,
            settings.for_company(whose.company).logs.reconnects_per_day,
        )
        for whose in concerned
    }
    return IncidentsReport(now, [(one, entries(state, one.id)) for one in found], services)
