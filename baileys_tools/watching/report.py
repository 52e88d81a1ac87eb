"""`report`: how all companies are and how that came about, in the terminal or as one page to look at."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, ExitCode, UsageError
from baileys_tools.frame.command_line import CommandLine
from baileys_tools.frame.fleet import for_each
from baileys_tools.frame.places import require_file, settings_in_force
from baileys_tools.frame.record import recorded
from baileys_tools.sessions.rules.undo import CLEANERS, Late
from baileys_tools.state.database import State, open_state, to_seconds
from baileys_tools.state.observations import curve_since, kinds_at, kinds_since
from baileys_tools.state.runs import runs_since
from baileys_tools.units import parse_duration, printable
from baileys_tools.watching import kept_incidents as incident_state
from baileys_tools.watching.rules.report import (
    CompanyReport,
    FleetReport,
    KindCurves,
    Point,
    ReportedIncident,
    SnapshotMark,
    drops,
    kind_curves,
    kind_points_for,
    marks_for,
    points_for,
    spans,
    thinned,
)
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus
from baileys_tools.watching.status import fleet_status

LONGEST = timedelta(days=366)
MOST_INCIDENTS = 20
REPORT = "report.html"
_NOTHING: Mapping[str, tuple[Late, Late]] = {}


def report_command(given: CommandLine, *, html: str | None, since: str) -> ExitCode:
    """Given the command line, write the report, and return the exit code."""
    length = _length(since)
    if given.as_json and html is not None:
        raise UsageError("--json and --html exclude each other")
    loaded = settings_in_force(given.flags, given.config)
    settings = loaded.settings
    if html is None and given.quiet and not given.as_json:
        # As cron runs it: nothing to print, a page to look at.
        html = os.path.join(settings.state.dir, REPORT)
    if html is not None and html != "-":
        from baileys_tools.watching.show.html.head import MARK

        require_file(settings, "--html", html, MARK, own_name=REPORT)
    now = datetime.now(UTC)
    with (
        open_state(settings.state.dir, now) as state,
        recorded("report", settings, now, quiet=given.quiet) as run,
    ):
        run.state = state
        report = fleet_report(settings, require_sessions_path(loaded), state, now, length)
        if html is not None:
            from baileys_tools.watching.show.html.page import report_page

            _write(html, report_page(report))
        run.ended(report.status.exit_code, companies=len(report.companies))
    if given.as_json:
        from baileys_tools.watching.show.report_json import report_json

        print(report_json(report))
    elif html is None:
        from baileys_tools.frame.show.terminal import Style
        from baileys_tools.watching.show.report_text import report_text

        print(report_text(report, Style()))
    elif html != "-" and not given.quiet:
        print(f"written: {printable(html)}", file=sys.stderr)
    return report.status.exit_code


def _length(text: str) -> timedelta:
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--since: {error}") from error
    if not timedelta(hours=1) <= length <= LONGEST:
        raise UsageError(f"--since {text} is not between 1h and {LONGEST.days}d", "For example: --since 30d")
    return length


def fleet_report(
    settings: Settings, root_path: str, state: State, now: datetime, length: timedelta
) -> FleetReport:
    """Return how the companies are that the settings choose, and their history for that long."""
    status = fleet_status(settings, root_path, state, now)
    return report_on(status, settings, state, length, _paid(settings, root_path, state, now))


def _paid(settings: Settings, root_path: str, state: State, now: datetime) -> dict[str, tuple[Late, Late]]:
    """Return what the last cleanup of each company costs, where it can still be undone."""
    from baileys_tools.cleanup.undo_runs import list_undo
    from baileys_tools.cleanup.undoing import with_commands

    report = with_commands(list_undo(settings, root_path, now), state)
    last = {company.id: [run for run in company.runs if run.is_cleanup][-1:] for company in report.companies}
    return {company: run.late for company, runs in last.items() for run in runs if run.late is not None}


def report_on(
    status: FleetStatus,
    settings: Settings,
    state: State,
    length: timedelta,
    late: Mapping[str, tuple[Late, Late]] = _NOTHING,
) -> FleetReport:
    """Given how companies are and what their last cleanups cost, return that with their history for that long."""
    now = status.now
    since = now - length
    cleanups = [
        to_seconds(run.started)
        for command in CLEANERS
        for run in runs_since(state, since, command)
        if run.counts.get("removed") != 0
    ]
    marks = marks_for(len(status.companies))
    snapshots = _snapshots(
        settings, {one.id: state.scope.key(one.id) for one in status.companies}, since, marks
    )
    most = points_for(len(status.companies))
    kinds_every = length / kind_points_for(len(status.companies))
    companies = [
        _company(company, state, since, now, cleanups, snapshots.get(company.id, []), most, marks)._replace(
            over=_kinds_over(company, state, since, now, kinds_every), late=late.get(company.id)
        )
        for company in status.companies
    ]
    return FleetReport(status, since, companies, settings.notify.host or socket.gethostname())


def _kinds_over(
    company: CompanyStatus, state: State, since: datetime, now: datetime, every: timedelta
) -> KindCurves:
    looks = kinds_since(state, company.id, since, every)
    if not company.trouble:
        looks.append((to_seconds(now), company.level.value, dict(company.by_kind)))
    return kind_curves(looks)


def _company(
    company: CompanyStatus,
    state: State,
    since: datetime,
    now: datetime,
    cleanups: list[int],
    snapshots: list[SnapshotMark],
    most: int,
    marks: int,
) -> CompanyReport:
    looks = curve_since(state, company.id, since)
    curve = [Point(at, counted) for at, counted, _ in looks]
    if not company.trouble:
        curve.append(Point(to_seconds(now), company.counted))
    return CompanyReport(
        company,
        thinned(curve, most),
        drops(curve, cleanups),
        spans(((at, connection) for at, _, connection in looks), to_seconds(now))[-marks:],
        _incidents(state, company.id, since),
        snapshots,
        kinds_at(state, company.id, since),
    )


def _incidents(state: State, company: str, since: datetime) -> list[ReportedIncident]:
    found = []
    for one in incident_state.incidents(state, company, MOST_INCIDENTS):
        if one.closed is not None and one.closed < since:
            continue
        entries = [
            (to_seconds(entry.at), entry.what, entry.detail)
            for entry in incident_state.entries(state, one.id)
        ]
        closed = None if one.closed is None else to_seconds(one.closed)
        found.append(ReportedIncident(to_seconds(one.opened), closed, one.cause, entries))
    return found


def _snapshots(
    settings: Settings, companies: Mapping[str, str], since: datetime, most: int
) -> dict[str, list[SnapshotMark]]:
    if settings.backup.path is None:
        return {}
    from baileys_tools.snapshots.repository import Repository
    from baileys_tools.snapshots.shelves import shelf_at

    # Without a repository the report is about the rest; the findings say that it is missing.
    with suppress(BaileysToolsError), Repository(settings.backup.path) as repository:

        def marks(company: str) -> list[SnapshotMark]:
            shelf = shelf_at(repository, company, companies[company]).name
            listing = [info for info in repository.snapshots(shelf) if info.taken_at >= since]
            return [
                SnapshotMark(to_seconds(info.taken_at), info.size, info.damaged) for info in listing[-most:]
            ]

        found = for_each([*companies], marks, lambda company, why: [], workers=1)
        return dict(zip(companies, found, strict=True))
    return {}


def _write(path: str, page: str) -> None:
    """Write the page in one step, for its owner alone."""
    if path == "-":
        print(page)
        return
    from baileys_tools.frame.own_file import write_own_file
    from baileys_tools.watching.show.html.head import MARK

    try:
        write_own_file(path, page.encode(), MARK)
    except OSError as error:
        raise BaileysToolsError(
            f"cannot write the report to {path}: {error.strerror}", "Name a file in a folder of your own."
        ) from error
