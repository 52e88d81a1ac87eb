"""Which command ran when, how it ended, and what it did in which company."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from baileys_tools.parsing import parse_json
from baileys_tools.state.database import State, from_seconds, to_seconds
from baileys_tools.state.scope import is_place
from baileys_tools.units import EPOCH, moment_of

FULL_FOR = timedelta(days=7)
KEPT_FOR = timedelta(days=90)


class Run(NamedTuple):
    """One run of a command, from its start to its end.

    `counts` are its sums (companies, removed, failed ...), `companies` what it changed at the place of each company it
    finished: the files removed by a cleanup, 1 for a backup that took a snapshot; a dry run has none. `uid` tells it
    from every other. `job` says that cron, `cron run` or systemd started it, `started_by` that the page did: `page` and
    the number of the action there, "" for everybody else.
    """

    uid: str
    command: str
    started: datetime
    finished: datetime
    exit_code: int
    dry_run: bool
    counts: Mapping[str, int]
    companies: Mapping[str, int]
    job: bool = False
    started_by: str = ""


class CompanyRun(NamedTuple):
    """When a command last did its work in a company, and how much it changed."""

    at: datetime
    changed: int


def record(state: State, runs: Iterable[Run]) -> None:
    """Write runs down, each once however often it is given."""
    with state.transaction():
        for run in runs:
            _record(state, run)


def _record(state: State, run: Run) -> None:
    started = _milliseconds(run.started)
    new = state.change(
        "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            run.uid,
            run.command,
            started,
            _milliseconds(run.finished),
            run.exit_code,
            run.dry_run,
            json.dumps(dict(run.counts), separators=(",", ":")),
            run.job,
            run.started_by,
        ),
    )
    if not new:
        return
    state.change_many(
        # Records can come late, and a clock that was ahead must not hide all that follows: the last one in wins
        # unless it is plainly the older.
        "INSERT INTO company_runs VALUES (?, ?, ?, ?) ON CONFLICT (company, command) DO UPDATE "
        "SET at = excluded.at, changed = excluded.changed WHERE excluded.at >= at OR at > ?",
        [
            (
                state.scope.key(company),
                run.command,
                to_seconds(run.started),
                changed,
                to_seconds(run.finished),
            )
            for company, changed in run.companies.items()
        ],
    )
    if not all(map(is_place, run.companies)):
        # Of a version that kept names, and left its record in the spool.
        from baileys_tools.state.adoption import wait_for_places

        wait_for_places(state)


def last_runs(state: State) -> dict[str, Run]:
    """Return the last run of each command that was no dry run."""
    rows = state.rows(
        "SELECT uid, command, max(started), finished, exit_code, dry_run, counts, job, started_by FROM runs "
        "WHERE dry_run = 0 GROUP BY command"
    )
    return {row[1]: _run(row) for row in rows}


def last_jobs(state: State) -> dict[str, Run]:
    """Return the last run of each command as a job, dry runs too: without `recover.auto`, `recover` only looks."""
    rows = state.rows(
        "SELECT uid, command, max(started), finished, exit_code, dry_run, counts, job, started_by FROM runs "
        "WHERE job = 1 GROUP BY command"
    )
    return {row[1]: _run(row) for row in rows}


def runs_since(state: State, since: datetime, command: str = "") -> list[Run]:
    """Return the runs that started at `since` or later, oldest first, of one command or ("") of all."""
    rows = state.rows(
        "SELECT uid, command, started, finished, exit_code, dry_run, counts, job, started_by FROM runs "
        "WHERE started >= ? AND (? = '' OR command = ?) ORDER BY started, uid",
        (_milliseconds(since), command, command),
    )
    return [_run(row) for row in rows]


def command_at(state: State, milliseconds: int) -> str:
    """Return the command that moved files aside under a run of this time, "" when none is remembered.

    A run has the time at which its command started; the restores of a `recover` have their own, within it.
    """
    rows = state.rows(
        "SELECT command FROM runs WHERE dry_run = 0 AND ((started = ? AND command != 'undo') OR "
        "(command = 'recover' AND ? BETWEEN started AND finished)) ORDER BY started DESC LIMIT 1",
        (milliseconds, milliseconds),
    )
    return str(rows[0][0]) if rows else ""


def last_in_companies(state: State, command: str) -> dict[str, CompanyRun]:
    """Return by company when a command last did its work there."""
    rows = state.rows("SELECT company, at, changed FROM company_runs WHERE command = ?", (command,))
    found = ((state.scope.name(company), at, changed) for company, at, changed in rows)
    return {name: CompanyRun(from_seconds(at), changed) for name, at, changed in found if name}


def thin_runs(state: State, now: datetime) -> None:
    """Forget runs that are 90 days old, and after 7 days all that went well but one an hour of a command.

    The last run of each command, and the last one as a job, stays however old it is.
    """
    last = {run.uid for runs in (last_runs(state), last_jobs(state)) for run in runs.values()}
    full, kept = _milliseconds(now - FULL_FOR), _milliseconds(now - KEPT_FOR)
    doomed = state.rows(
        "SELECT uid FROM runs WHERE started < ? OR (started < ? AND exit_code = 0 AND uid NOT IN "
        "(SELECT min(uid) FROM runs WHERE started < ? AND exit_code = 0 GROUP BY command, started / 3600000))",
        (kept, full, full),
    )
    gone = [(uid,) for (uid,) in doomed if uid not in last]
    if gone:
        state.change_many("DELETE FROM runs WHERE uid = ?", gone)


def to_json(run: Run) -> bytes:
    """Given a run, return it as one line for the spool."""
    document = run._asdict() | {
        "started": _milliseconds(run.started),
        "finished": _milliseconds(run.finished),
        "counts": dict(run.counts),
        "companies": dict(run.companies),
    }
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def from_json(content: bytes) -> Run | None:
    """Given what `to_json` wrote, return the run; None for anything else."""
    try:
        document = parse_json(content)
        run = Run(
            str(document["uid"]),
            str(document["command"]),
            _moment(int(document["started"])),
            _moment(int(document["finished"])),
            int(document["exit_code"]),
            bool(document["dry_run"]),
            _counts(document["counts"]),
            _counts(document["companies"]),
            bool(document.get("job")),
            str(document.get("started_by", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    return run


def _milliseconds(moment: datetime) -> int:
    # Runs follow each other within a second, and one of them is the last.
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _moment(milliseconds: int) -> datetime:
    return moment_of(milliseconds * 1_000_000)


def _counts(document: Any) -> dict[str, int]:
    return {str(name): int(count) for name, count in document.items()}


def _run(row: tuple[Any, ...]) -> Run:
    uid, command, started, finished, exit_code, dry_run, counts, job, started_by = row
    return Run(
        uid,
        command,
        _moment(started),
        _moment(finished),
        exit_code,
        bool(dry_run),
        json.loads(counts),
        {},
        bool(job),
        started_by,
    )
