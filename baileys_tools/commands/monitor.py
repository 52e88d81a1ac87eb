"""`monitor-once`: one pass over all session folders, cheap enough for every minute."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from baileys_tools.commands.record import recorded
from baileys_tools.commands.watching import (
    last_activity,
    look_at_all,
    remember,
    remembered,
    rules_of,
)
from baileys_tools.config import LoadedSettings, Settings, load_settings, require_sessions_path
from baileys_tools.domain.connection import Connection, connection_findings
from baileys_tools.domain.findings import Finding, Severity
from baileys_tools.domain.health import (
    HealthRules,
    activity_findings,
    host_findings,
    unreadable_folder,
    worst_first,
)
from baileys_tools.domain.health_surroundings import Snapshots, Space, snapshot_findings, space_findings
from baileys_tools.domain.thresholds import LEVELS, Level, level_of
from baileys_tools.domain.watch import (
    GONE_FOR,
    CommandRun,
    CompanyWatch,
    Look,
    MonitorReport,
    gone_finding,
    is_worth_history,
    news_among,
    said_key,
)
from baileys_tools.errors import BaileysToolsError, UsageError
from baileys_tools.sessions.roots import Company, Root, choose
from baileys_tools.state import memory
from baileys_tools.state.database import State, open_state
from baileys_tools.state.spool import take_in
from baileys_tools.units import printable

SAID = "monitor-said"
SNAPSHOTS = "monitor-snapshots"
THINNED = "thinned"
THIN_EVERY = timedelta(hours=6)


class MonitorOptions(NamedTuple):
    """How the command line wants the result."""

    as_json: bool = False
    nagios: bool = False
    notify: bool = True
    quiet: bool = False


def monitor_command(flags: Mapping[str, object], config: str | None, options: MonitorOptions) -> int:
    """Given the command line, look once, print the result once, and return the exit code (Nagios': 0 to 3)."""
    if options.as_json and options.nagios:
        raise UsageError("--json and --nagios do not go together", "Choose one of them.")
    if not options.nagios:
        return _monitor(flags, config, options)
    from baileys_tools.output.nagios import UNKNOWN, unknown_text

    try:
        return _monitor(flags, config, options)
    except BaileysToolsError as error:
        print(unknown_text(error.message))
        return UNKNOWN


def _monitor(flags: Mapping[str, object], config: str | None, options: MonitorOptions) -> int:
    loaded = load_settings(flags, os.environ, config=config)
    settings = loaded.settings
    now = datetime.now(UTC)
    with (
        open_state(settings.state.dir, now) as state,
        recorded("monitor-once", settings, now, quiet=options.quiet) as run,
    ):
        run.state = state
        report = run_monitor(loaded, state, now, notify=options.notify)
        run.ended(report.exit_code, companies=len(report.companies), findings=len(report.findings))
    return _show(report, options)


def _show(report: MonitorReport, options: MonitorOptions) -> int:
    if options.nagios:
        from baileys_tools.output.nagios import nagios_text

        text, code = nagios_text(report)
        print(text)
        return code
    if options.as_json:
        from baileys_tools.output.monitor_json import monitor_json

        print(monitor_json(report))
        return report.exit_code
    for trouble in report.trouble:
        print(f"baileys-tools: {trouble}", file=sys.stderr)
    if options.quiet and not report.news and not report.cleaned:
        return report.exit_code
    from baileys_tools.output.monitor_text import monitor_text, news_text
    from baileys_tools.output.terminal import Style

    print(news_text(report) if options.quiet else monitor_text(report, Style()))
    return report.exit_code


def run_monitor(loaded: LoadedSettings, state: State, now: datetime, *, notify: bool = True) -> MonitorReport:
    """Look once at the companies that the settings choose, remember it, tell whoever is to be told.

    One company's trouble is part of the report and never stops the others. Raises BaileysToolsError when the
    sessions path cannot be read at all.
    """
    settings = loaded.settings
    root_path = require_sessions_path(loaded)
    take_in(state)
    trouble: list[str] = []
    with Root(root_path) as root:
        report = look_once(settings, root, state, now)
        if settings.monitor.auto_cleanup and (full := _to_be_cleaned(report, state)):
            cleaned, why = _clean(settings, root, full, state, now)
            trouble += why
            again = look_once(settings, root, state, now)
            report = again._replace(news=report.news | again.news, cleaned=cleaned)
        _thin_now_and_then(state, now)
    if settings.monitor.textfile is not None:
        trouble += _write_textfile(settings.monitor.textfile, report, state)
    return report._replace(trouble=trouble)


def look_once(settings: Settings, root: Root, state: State, now: datetime) -> MonitorReport:
    """Look at the companies that the settings choose, and remember what was seen."""
    rules = rules_of(settings)
    seconds = int(now.timestamp())
    known = remembered(state, root.path, rules)
    everyone = root.companies(settings.sessions.multitenancy)
    wanted = settings.sessions.companies
    gone = _gone(known, everyone, seconds)
    here = [one for one in wanted if one not in gone]
    companies = choose(everyone, here, root.path) if here or not wanted else []
    looks, listed = look_at_all(root, companies, known, settings, now)
    connections = ask_connections(settings, companies)
    told: dict[str, list[Finding]] = {}
    for finding in (*connection_findings(connections), *_process_findings(settings, state, companies)):
        told.setdefault(finding.company, []).append(finding)
    snapshots, repository = _snapshots(settings, state, companies, now)
    watched = []
    for company in companies:
        look = looks[company.id]
        if connection := connections.get(company.id):
            look = looks[company.id] = look._replace(connection=connection.state.value)
        findings = [
            *told.get(company.id, ()),
            *look.findings,
            *_timely_findings(company, look, snapshots.get(company.id), rules, now),
        ]
        watched.append(
            _watch(company, look, findings, snapshots.get(company.id), rules, company.id in listed)
        )
    for company_id, look in gone.items():
        if not wanted or company_id in wanted:
            company = Company(company_id, "", os.path.join(root.path, f"company_{company_id}"))
            finding = gone_finding(company.id, company.path, look.was_linked)
            watched.append(_watch(company, look, [finding], snapshots.get(company.id), rules, False))
    host = [
        *host_findings(len(everyone), root.path, companies_before=len(known), state_trouble=state.trouble),
        *([_new_state(state)] if state.is_new else []),
        *repository,
        *space_findings("", _space(root), rules),
    ]
    _remember(state, root.path, settings, known, looks | gone, now)
    report = MonitorReport(root.path, now, rules.thresholds, watched, worst_first(host))
    return report._replace(news=_news(state, report, {company.id for company in companies} | {""}))


def _to_be_cleaned(report: MonitorReport, state: State) -> list[str]:
    """Return the companies at emergency level that a cleanup could change something about.

    Those in which nothing has moved since they were cleaned are left to `trigger`: to look at all files of each at
    every minute would cost more than all the rest.
    """
    from baileys_tools.commands.trigger import FINISHED
    from baileys_tools.state.cooldowns import last_done

    return [
        company.id
        for company in report.companies
        if LEVELS.index(company.level) >= LEVELS.index(Level.EMERGENCY)
        and (company.listed or last_done(state, FINISHED, company.id) is None)
    ]


def _clean(
    settings: Settings, root: Root, companies: Sequence[str], state: State, now: datetime
) -> tuple[list[str], list[str]]:
    """Clean full folders as `trigger` would; return a line for each that was cleaned, and what went wrong."""
    from baileys_tools.commands.trigger import run_emergency
    from baileys_tools.output.monitor_text import cleaned_line

    try:
        report = run_emergency(settings, root.path, companies, state, now)
    except BaileysToolsError as error:
        return [], [f"auto_cleanup: {error.message}"]
    lines = [cleaned_line(one) for one in report.companies if one.cleanup] if report is not None else []
    return lines, []


def ask_connections(settings: Settings, companies: Sequence[Company]) -> Mapping[str, Connection]:
    """Return by company what the bots' API says of their connection; nothing where none is configured."""
    if settings.bot_api.url is None and not settings.companies:
        return {}
    from baileys_tools.commands.bot import connections

    return connections(settings, [company.id for company in companies])


def _process_findings(settings: Settings, state: State, companies: Sequence[Company]) -> list[Finding]:
    """Look at the bots' processes, if any are configured, and compare with the last look."""
    own = settings.process
    if own.pm2 is None and own.systemd is None and own.pidfile is None and not settings.companies:
        return []
    from baileys_tools.commands.bot import process_changes, processes

    seen = processes(settings, [company.id for company in companies])
    return list(process_changes(state, settings, seen))


def _new_state(state: State) -> Finding:
    return Finding(
        "state-new",
        Severity.NOTICE,
        "",
        f"there was no state database at {printable(state.path)}; a new one begins, without history",
        "Nothing to do if this is the first run. Else see what removed it, or who else runs this tool.",
    )


def _gone(known: Mapping[str, Look], everyone: Sequence[Company], now: int) -> dict[str, Look]:
    """Return the companies of earlier passes whose folders have vanished within a day.

    Where all have vanished, that is what has to be said and not each by itself.
    """
    here = {company.id for company in everyone}
    if not here:
        return {}
    gone = {}
    for company, look in known.items():
        since = look.gone_since or now
        if company not in here and 0 <= now - since <= GONE_FOR.total_seconds() and look.files:
            gone[company] = look._replace(gone_since=since, settled=False, findings=(), trouble="")
    return gone


def _timely_findings(
    company: Company, look: Look, snapshots: Snapshots | None, rules: HealthRules, now: datetime
) -> list[Finding]:
    """Return what is wrong with a company by now, and by what surrounds its folder."""
    if look.trouble:
        return [unreadable_folder(company.id, look.trouble)]
    activity = last_activity(look)
    found: list[Finding] = []
    if activity is not None and look.creds == "valid":
        found += activity_findings(company.id, activity, rules, now)
    if snapshots is not None and look.creds == "valid":
        found += snapshot_findings(company.id, snapshots, activity, rules, now)
    return found


def _watch(
    company: Company,
    look: Look,
    findings: Sequence[Finding],
    snapshots: Snapshots | None,
    rules: HealthRules,
    listed: bool,
) -> CompanyWatch:
    newest = snapshots.newest if snapshots is not None else None
    return CompanyWatch(
        id=company.id,
        path=company.path,
        level=level_of(look.counted, rules.thresholds),
        files=look.files,
        guarded=look.guarded,
        by_kind=look.by_kind,
        creds=look.creds,
        size=look.size if look.full_at else None,
        last_activity=last_activity(look),
        connection=look.connection,
        last_snapshot=newest.taken_at if newest is not None else None,
        findings=worst_first(findings),
        listed=listed,
    )


# --- what surrounds the folders -----------------------------------------------------------------------------


def _space(root: Root) -> Space:
    seen = os.fstatvfs(root.fd)
    return Space(seen.f_blocks * seen.f_frsize, seen.f_bavail * seen.f_frsize, seen.f_files, seen.f_favail)


def _snapshots(
    settings: Settings, state: State, companies: Sequence[Company], now: datetime
) -> tuple[dict[str, Snapshots], list[Finding]]:
    """Return what the backup repository has of each company, and what is wrong with it as a whole."""
    rules = rules_of(settings)
    path = settings.backup.path
    if path is None:
        return {}, list(snapshot_findings("", None, None, rules, now))
    from baileys_tools.snapshots.newest import from_plain, newest_snapshots
    from baileys_tools.state.runs import last_in_companies

    kept = memory.recall(state, SNAPSHOTS)
    plain = kept["companies"] if isinstance(kept, dict) and kept.get("path") == path else {}
    known = {company: one for company, row in plain.items() if (one := from_plain(row)) is not None}
    found, trouble = newest_snapshots(path, [company.id for company in companies], known)
    if trouble:
        return {}, list(snapshot_findings("", Snapshots(trouble=trouble), None, rules, now))
    if found != known:
        memory.keep(state, SNAPSHOTS, {"path": path, "companies": known | found})
    safe = last_in_companies(state, "backup")
    since = now - rules.snapshot_max_age
    return {
        company: Snapshots(
            newest=one.info(company),
            stored=one.stored,
            damaged=one.damaged,
            # A backup that found nothing new is as good as a new snapshot.
            is_current=company in safe and safe[company].at >= since,
            failure=one.failure,
        )
        for company, one in found.items()
    }, []


# --- what is remembered -------------------------------------------------------------------------------------


def _remember(
    state: State,
    root: str,
    settings: Settings,
    known: Mapping[str, Look],
    looks: Mapping[str, Look],
    now: datetime,
) -> None:
    """Write down what is worth it: after a pass in which nothing moved, nothing."""
    from baileys_tools.state.observations import Observation, observe

    rules = rules_of(settings)
    seconds = int(now.timestamp())
    observations = []
    kept = dict(looks)
    for company, look in looks.items():
        if is_worth_history(look, known.get(company), rules.thresholds, seconds):
            kept[company] = look._replace(observed_at=seconds, observed_counted=look.counted)
            observations.append(
                Observation(
                    company,
                    now,
                    look.files,
                    look.counted,
                    look.by_kind,
                    look.size if look.full_at else None,
                    level_of(look.counted, rules.thresholds).value,
                    look.creds,
                    last_activity(look),
                    look.connection,
                )
            )
    whole = (
        {company: look for company, look in known.items() if company not in kept}
        if _is_part(settings)
        else {}
    )
    with state.transaction():
        if observations:
            observe(state, observations)
        if {**whole, **kept} != known:
            remember(state, root, rules, {**whole, **kept})


def _is_part(settings: Settings) -> bool:
    return bool(settings.sessions.companies)


def _news(state: State, report: MonitorReport, looked_at: Set[str]) -> frozenset[tuple[str, str]]:
    """Return what was not there at the last pass, and remember what is there now."""
    said = memory.recall(state, SAID)
    before = said if isinstance(said, dict) else {}
    worth = [finding for finding in report.findings if finding.severity.rank > 0]
    # Of companies that this pass did not look at, what was said before still stands.
    present = {key: severity for key, severity in before.items() if key.partition(" ")[2] not in looked_at}
    present |= {said_key(finding): finding.severity.value for finding in worth}
    if present != before:
        memory.keep(state, SAID, present)
    return news_among(worth, before)


def _thin_now_and_then(state: State, now: datetime) -> None:
    from baileys_tools.state.database import to_seconds

    last = memory.recall(state, THINNED)
    age = to_seconds(now) - last if isinstance(last, int) else -1
    if 0 <= age < THIN_EVERY.total_seconds():
        return
    from baileys_tools.state.observations import thin_observations
    from baileys_tools.state.runs import thin_runs

    with state.transaction():
        thin_observations(state, now)
        thin_runs(state, now)
        memory.keep(state, THINNED, to_seconds(now))


def _write_textfile(path: str, report: MonitorReport, state: State) -> list[str]:
    from baileys_tools.integrations.textfile import write_textfile
    from baileys_tools.output.prometheus import prometheus_text
    from baileys_tools.state.runs import last_runs

    runs = [CommandRun(run.command, run.started, run.exit_code) for run in last_runs(state).values()]
    try:
        write_textfile(path, prometheus_text(report, runs))
    except OSError as error:
        return [f"the metrics file {printable(path)} cannot be written: {error.strerror}"]
    return []
