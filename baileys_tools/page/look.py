"""The process that looks for the page: `python -m baileys_tools.page.look`.

What a look needs (SQLite, the folders, the bots' answers, a thousand verdicts) comes and goes with it: the page itself
stays small, answers while a look hangs, and never acts as another user. What to look at comes as JSON on standard
input; the answer is one line of JSON as soon as that is known, then texts, and last the seconds of processor that it
took. What comes after the line stands between NULs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from baileys_tools.config import Settings, require_sessions_path
from baileys_tools.errors import BaileysToolsError, why
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.places import settings_in_force
from baileys_tools.frame.show.json_text import shown_text
from baileys_tools.masking import masked
from baileys_tools.page.passes import last_pass
from baileys_tools.page.show.rows import key_of, rows_of
from baileys_tools.state.database import State, open_state, to_seconds
from baileys_tools.state.runs import Run, last_runs, runs_since
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.status import fleet_seen

if TYPE_CHECKING:
    from baileys_tools.watching.monitor_pass import Pass

HISTORY = timedelta(days=30)
"""How far back a company's page goes."""
RUNS_BACK = timedelta(days=7)
MOST_RUNS = 30


def main() -> None:
    """Read what to look at from standard input, look, and write what was seen to standard output."""
    # What a library prints must not be taken for our answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    asked = json.load(sys.stdin)
    for part in said(asked["flags"], asked["config"], asked.get("company"), datetime.now(UTC)):
        answer.write(part)
        # The page shows what it has while the rest is made.
        answer.flush()
    answer.close()


def said(
    flags: Mapping[str, object], config: str | None, company: str | None, now: datetime
) -> Iterator[bytes]:
    """Look, and yield all that the page is told, bit by bit; a failure before anything was told is told instead."""
    parts = look(flags, config, company, now)
    try:
        header = next(parts)
    except BaileysToolsError as error:
        header = {"trouble": shown_text(masked(error.message)), "hint": shown_text(masked(error.hint))}
    except OSError as error:
        header = {"trouble": shown_text(masked(why(error))), "hint": ""}
    yield json.dumps(header, separators=(",", ":")).encode() + b"\n"
    for text in parts:
        yield str(text).encode() + b"\0"
    yield f"{time.process_time():.3f}".encode()


def look(
    flags: Mapping[str, object], config: str | None, company: str | None, now: datetime
) -> Iterator[Any]:
    """Look at the fleet, or at one company of it (its id); yield what was seen of it, then the texts of the fleet."""
    settings_flags = dict(flags)
    if company is not None:
        settings_flags["sessions.companies"] = [company]
    loaded = settings_in_force(settings_flags, config)
    settings = loaded.settings
    with open_state(settings.state.dir, now) as state:
        status, seen = fleet_seen(settings, require_sessions_path(loaded), state, now)
        if company is not None:
            yield _company(settings, state, status, seen, require_sessions_path(loaded))
            return
        by_page = {
            run.started_by.partition(" ")[2]: run.exit_code
            for run in runs_since(state, now - RUNS_BACK)
            if run.started_by
        }
        yield {**_fleet(status, seen, last_runs(state)), "by_page": by_page}
        yield _status(status)
        yield _metrics(state, status, seen)


# --- the fleet ----------------------------------------------------------------------------------------------


def _fleet(status: FleetStatus, seen: Pass, runs: Mapping[str, Run]) -> dict[str, Any]:
    return {
        "now": to_seconds(status.now),
        "root": shown_text(status.root),
        "rows": rows_of(status),
        "ids": {key_of(one.id): one.id for one in status.companies},
        "host": [_finding(one) for one in seen.host if one.severity is not Severity.NOTICE],
        "state_trouble": shown_text(status.trouble),
        "passed": last_pass(runs.values()),
    }


def _finding(one: Finding) -> list[str]:
    return [one.severity.value, one.code, shown_text(one.message), shown_text(one.action)]


def _status(status: FleetStatus) -> str:
    from baileys_tools.watching.show.status_json import status_json

    return status_json(status, indent=None) + "\n"


def _metrics(state: State, status: FleetStatus, seen: Pass) -> str:
    from baileys_tools.watching.monitor import metrics_of
    from baileys_tools.watching.rules.watch import MonitorReport

    services = {one.id: one.service for one in status.companies if one.service is not None}
    report = MonitorReport(
        seen.root, status.now, status.thresholds, seen.companies, seen.host, unknown=seen.unknown
    )
    return metrics_of(report, state, services)


# --- one company --------------------------------------------------------------------------------------------


def _company(
    settings: Settings, state: State, status: FleetStatus, seen: Pass, root_path: str
) -> dict[str, Any]:
    from baileys_tools.page.aside import aside, checked
    from baileys_tools.watching.report import report_on
    from baileys_tools.watching.show.html.page import report_data

    (one,) = status.companies
    report = report_on(status, settings, state, HISTORY)
    marks, over = report.companies[0].snapshots, report.companies[0].over
    beside = aside(settings, root_path, status.now)
    return {
        "now": to_seconds(status.now),
        "report": report_data(report),
        "facts": _facts(status, seen, beside["outbound"]),
        "costs": beside["costs"],
        "by_kind": {
            "at": over.times,
            "levels": over.levels,
            "kinds": [*map(list, zip(over.kinds, over.counts, strict=True))],
        },
        "checked": checked(last_runs(state)),
        "log": _log(state, one.id, status.now),
        "snapshots": [[mark.at, mark.size, int(mark.damaged)] for mark in marks[-MOST_RUNS:]][::-1],
        "backup": settings.backup.path is not None,
        "api": bool(settings.for_company(one.id).bot_api.url),
        "runs": [_run(run) for run in runs_since(state, status.now - RUNS_BACK) if run.started_by][
            -MOST_RUNS:
        ][::-1],
        "path": shown_text(one.path),
    }


def _run(run: Run) -> list[Any]:
    return [
        to_seconds(run.started),
        run.command,
        run.exit_code,
        int(run.dry_run),
        run.started_by.partition(" ")[2],
    ]


def _facts(status: FleetStatus, seen: Pass, outbound: int | None) -> list[list[Any]]:
    """What is known of a bot beside its folder: (name, text, seconds since 1970 or None)."""
    from baileys_tools.units import counted, format_size
    from baileys_tools.watching.show.status_text import growth_text

    (one,) = status.companies
    guarded = f", {counted(one.guarded, 'guarded pre-key')} left out" if one.guarded else ""
    facts: list[list[Any]] = [
        ["Files", f"{one.files:,}, of which {one.counted:,} count{guarded}", None],
        ["creds.json", one.creds.value, None],
        ["Growth", growth_text(one), None],
        ["Last activity", "", _seconds(one.last_activity)],
        ["Last cleanup", one.cleaned.words if one.cleaned else "", _seconds(one.cleaned and one.cleaned.at)],
        ["Last good snapshot", "", _seconds(one.last_snapshot)],
    ]
    connection = seen.asked.connections.get(one.id)
    if connection is not None:
        who = f" as {connection.user_masked}" if connection.user_masked else ""
        facts.append(["Bot's API", shown_text(f"{connection.state.value}{who}"), None])
    process = seen.asked.processes.get(one.id)
    if process is not None:
        running = {True: "runs", False: "does not run", None: process.detail or "nobody could say"}
        facts.append(["Process", shown_text(f"{process.what}: {running[process.running]}"), None])
        if process.memory is not None:
            facts.append(["Memory", format_size(process.memory), None])
        if process.restarts is not None:
            facts.append(["Restarts", f"{process.restarts:,}", None])
        if process.started is not None:
            facts.append(["Started", "", to_seconds(process.started)])
    facts.append(["Last message in", "", _seconds(one.inbound)])
    facts.append(["Last message out", "" if outbound is None else "or later", outbound])
    if one.size is not None:
        facts.append(["Size", format_size(one.size), None])
    service = one.service
    if service is not None and service.uptime is not None:
        facts.append(["Uptime, 30 days", f"{service.uptime:.2%} of known time", None])
    if service is not None and service.reconnects is not None:
        facts.append(["Reconnects a day", f"{service.reconnects:.1f}", None])
    return facts


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else to_seconds(moment)


def _log(state: State, company: str, now: datetime) -> list[list[Any]]:
    """How often each event stood in the log: (event, in 24 hours, in 7 days)."""
    from baileys_tools.bots.log_hours import hours_since

    day, week = now - timedelta(days=1), now - timedelta(days=7)
    counts: dict[str, list[int]] = {}
    for one in hours_since(state, company, week):
        both = counts.setdefault(one.event.value, [0, 0])
        both[1] += one.number
        both[0] += one.number if one.hour >= day else 0
    return [[event, *both] for event, both in sorted(counts.items())]


if __name__ == "__main__":
    main()
