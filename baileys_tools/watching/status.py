"""`status`: how all companies are, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from baileys_tools.alerts.kept_silences import all_silences
from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import ExitCode
from baileys_tools.frame.baselines import with_baselines
from baileys_tools.frame.companies import all_companies, no_session_folder
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.sessions.rules.forecast import LOOKED_BACK, LOOKED_EVERY, Sample
from baileys_tools.sessions.rules.fullness import HealthRules
from baileys_tools.sessions.rules.fullness import worst_first as worst_finding_first
from baileys_tools.sessions.rules.looks import Look
from baileys_tools.sessions.rules.removals import Cleaned
from baileys_tools.sessions.rules.surroundings import Snapshots
from baileys_tools.state.database import State, open_state
from baileys_tools.state.observations import counted_since
from baileys_tools.state.runs import last_in_companies
from baileys_tools.state.spool import take_in
from baileys_tools.thresholds import level_of
from baileys_tools.watching.looking import last_activity, look_at_all, remembered, rules_by_company, rules_of
from baileys_tools.watching.monitor_pass import chosen, left_beside, logins_of, timely_findings, what_is_gone
from baileys_tools.watching.pass_memory import snapshots_of
from baileys_tools.watching.rules.incidents import Service
from baileys_tools.watching.rules.status import CompanyStatus, FleetStatus, with_forecast, worst_first
from baileys_tools.watching.rules.watch import account_twice, unreadable, without_files

CLEANERS = ("cleanup", "trigger", "monitor-once")
"""The commands whose work in a company is a cleanup (of the last one, by `monitor.auto_cleanup`)."""


def status_command(flags: Mapping[str, object], config: str | None, *, as_json: bool) -> ExitCode:
    """Given the command line, look at all companies, print how they are, and return the exit code."""
    loaded = settings_in_force(flags, config)
    settings = loaded.settings
    now = datetime.now(UTC)
    with open_state(settings.state.dir, now) as state, recorded("status", settings, now) as run:
        run.state = state
        status = fleet_status(settings, require_sessions_path(loaded), state, now)
        run.ended(status.exit_code, companies=len(status.companies))
    if as_json:
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
    """Return how the companies are that the settings choose. Writes nothing but what runs have left to be recorded.

    One company's trouble is part of the result. Raises BaileysToolsError when no company can be looked at at all.
    """
    settings = with_baselines(settings, now, state)
    rules, rules_for = rules_of(settings), rules_by_company(settings)
    take_in(state)
    with Root(root_path, keep_lost=True) as root:
        everyone = all_companies(root, settings, state)
        known = remembered(state, root.path, rules)
        companies, gone = chosen(settings, everyone, known, root, now)
        if not companies and not gone:
            raise no_session_folder(root)
        snapshots, _ = snapshots_of(settings, state, companies, now)
        looks, _ = look_at_all(root, companies, known, snapshots, settings, now)
        vanished = [(*what_is_gone(root, company_id, look), look) for company_id, look in gone.items()]
        left = {company.id: left_beside(root, company, now) for company in companies}
    cleaned = last_cleanups(state)
    logins = logins_of(looks, known, everyone)

    def one_of(company: Company) -> CompanyStatus:
        look = looks[company.id]
        one = _status_of(company, look, snapshots.get(company.id), rules_for(company.id), now)
        others = logins.get(company.id)
        more = [*left[company.id], *([account_twice(company.id, others)] if others else [])]
        if more:
            one = one._replace(findings=worst_finding_first([*one.findings, *more]))
        one = one._replace(
            cleaned=cleaned.get(company.id), service=_service(settings, state, company, look, now)
        )
        history = [
            Sample(*seen) for seen in counted_since(state, company.id, now - LOOKED_BACK, LOOKED_EVERY)
        ]
        return with_forecast(one, history, rules_for(one.id).thresholds, now)

    def failed(company: Company, why: str) -> CompanyStatus:
        return _status_of(company, unreadable(why, looks[company.id]), None, rules_for(company.id), now)

    found = for_each(companies, one_of, failed, workers=1)
    for company, finding, look in vanished:
        one = _status_of(company, without_files(look), None, rules_for(company.id), now)
        found.append(one._replace(findings=[finding], cleaned=cleaned.get(company.id), is_gone=True))
    shown = {one.id for one in found}
    silent = [one for one in all_silences(state) if one.company in shown]
    return FleetStatus(root_path, now, rules.thresholds, worst_first(found), state.trouble, silent)


def _service(settings: Settings, state: State, company: Company, look: Look, now: datetime) -> Service | None:
    if not look.connection and not settings.logs.files:
        return None
    from baileys_tools.watching.history import service_of

    return service_of(state, company.id, now)


def _status_of(
    company: Company, look: Look, snapshots: Snapshots | None, rules: HealthRules, now: datetime
) -> CompanyStatus:
    findings = [*look.findings, *timely_findings(company, look, snapshots, rules, now)]
    return CompanyStatus(
        company.id,
        company.path,
        level_of(look.counted, rules.thresholds),
        look.files,
        look.guarded,
        look.by_kind,
        look.creds,
        look.connection,
        last_activity(look),
        last_snapshot=snapshots.newest_at if snapshots is not None else None,
        findings=worst_finding_first(findings),
        trouble=look.trouble,
        uncounted=look.uncounted,
    )


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
