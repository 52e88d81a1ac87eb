"""`status`: how all companies are, the worst first."""

from __future__ import annotations

from datetime import UTC, datetime

from baileys_tools.alerts.kept_silences import all_silences
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.baselines import with_baselines
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.companies import no_session_folder
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.roots import Root
from baileys_tools.sessions.rules.forecast import LOOKED_BACK, LOOKED_EVERY, Sample
from baileys_tools.sessions.rules.removals import Cleaned
from baileys_tools.sessions.rules.undo import CLEANERS
from baileys_tools.sessions.search.hints import number_unfound
from baileys_tools.state.database import State, open_state
from baileys_tools.state.observations import counted_since
from baileys_tools.state.runs import last_in_companies
from baileys_tools.state.spool import take_in
from baileys_tools.watching.looking import rules_by_company, rules_of
from baileys_tools.watching.monitor_pass import Pass, look_over
from baileys_tools.watching.rules.health import unreadable_folder
from baileys_tools.watching.rules.incidents import Service
from baileys_tools.watching.rules.status import FleetStatus, with_forecast
from baileys_tools.watching.rules.verdict import CompanyStatus, worst_company_first


def status_command(given: CommandLine) -> ExitCode:
    """Given the command line, look at all companies, print how they are, and return the exit code."""
    loaded = settings_in_force(given.flags, given.config)
    settings = loaded.settings
    now = datetime.now(UTC)
    with open_state(settings.state.dir, now) as state, recorded("status", settings, now) as run:
        run.state = state
        path, whole = require_sessions_path(loaded), not settings.sessions.companies
        status, _ = fleet_seen(settings, path, state, now, looks_beside=whole)
        run.ended(status.exit_code, companies=len(status.companies))
    if given.as_json:
        from baileys_tools.watching.show.status_json import status_json

        print(status_json(status))
        return status.exit_code
    from baileys_tools.frame.show.terminal import Style
    from baileys_tools.watching.show.status_text import company_text, status_text

    one_was_named = len(settings.sessions.companies) == 1
    show = company_text if one_was_named else status_text
    print(show(status, Style()))
    return status.exit_code


def fleet_status(settings: Settings, root_path: str, state: State, now: datetime) -> FleetStatus:
    """Return how the companies are that the settings choose: `fleet_seen` has the rest."""
    return fleet_seen(settings, root_path, state, now)[0]


def fleet_seen(
    settings: Settings, root_path: str, state: State, now: datetime, *, looks_beside: bool = False
) -> tuple[FleetStatus, Pass]:
    """Return how the companies are that the settings choose, and all that the look at them saw. Writes nothing but
    what runs have left to be recorded, and how far logs were read. `looks_beside` looks for session folders that no
    rule finds, too.

    One company's trouble is part of the result. Raises BaileysToolsError when no company can be looked at at all.
    """
    settings = with_baselines(settings, now, state)
    take_in(state)
    with Root(root_path, keep_lost=True) as root:
        seen = look_over(settings, root, state, now)
        if not seen.companies:
            raise no_session_folder(root)
        unfound = number_unfound(root, seen.everyone) if looks_beside else 0
    cleaned = last_cleanups(state)

    rules, rules_for = rules_of(settings), rules_by_company(settings)

    def with_history(one: CompanyStatus) -> CompanyStatus:
        one = one._replace(cleaned=cleaned.get(one.id))
        if one.is_gone:
            return one
        one = one._replace(service=_service(settings, state, one, now))
        history = [
            Sample(*looked) for looked in counted_since(state, one.id, now - LOOKED_BACK, LOOKED_EVERY)
        ]
        return with_forecast(one, history, rules_for(one.id).thresholds, now)

    found = for_each(seen.companies, with_history, failed_status, workers=1)
    shown = {one.id for one in found}
    silent = [one for one in all_silences(state) if one.company in shown]
    shown_first = worst_company_first(found)
    status = FleetStatus(root_path, now, rules.thresholds, shown_first, state.trouble, silent, unfound)
    return status, seen


def failed_status(one: CompanyStatus, why: str) -> CompanyStatus:
    """Return the status of a company that could not be looked at to the end."""
    return one._replace(trouble=why, findings=[unreadable_folder(one.id, why)])


def _service(settings: Settings, state: State, one: CompanyStatus, now: datetime) -> Service | None:
    if not one.connection and not settings.logs.files:
        return None
    from baileys_tools.watching.history import service_of

    return service_of(state, one.id, now, settings.for_company(one.id).logs.reconnects_per_day)


def last_cleanups(state: State) -> dict[str, Cleaned]:
    """Return the last cleanup of each company of which one is known, and what `undo` has taken back of it."""
    found: dict[str, Cleaned] = {}
    for command in CLEANERS:
        for company, run in last_in_companies(state, command).items():
            if company not in found or found[company].at < run.at:
                found[company] = Cleaned(run.at, run.changed)
    for company, run in last_in_companies(state, "undo").items():
        if company in found and run.changed and run.at >= found[company].at:
            found[company] = found[company]._replace(put_back=run.changed)
    return found
