"""How each session folder looked, again and again: what forecasts and reports are made of."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from baileys_tools.state.database import State, from_seconds, to_seconds

FULL_FOR = timedelta(days=7)
"""All observations stay for this long, then one an hour."""
HOURLY_FOR = timedelta(days=90)
"""One an hour stays for this long, then one a day."""

_COLUMNS = "company, at, files, counted, by_kind, bytes, level, creds, last_activity, connection"


class Observation(NamedTuple):
    """One company at one moment.

    `files` are all files, `counted` those that the thresholds look at. `level` is a Level, `creds` "valid" or the
    problem, `connection` what the bot's API said, "" when it was not asked. `size` (bytes) and `last_activity` are
    those of the last time when all files were looked at, None before the first.
    """

    company: str
    at: datetime
    files: int
    counted: int
    by_kind: Mapping[str, int]
    size: int | None
    level: str
    creds: str
    last_activity: datetime | None
    connection: str = ""


def observe(state: State, observations: Iterable[Observation]) -> None:
    """Write observations down; one of the same company and second replaces the other."""
    rows = [
        (
            state.scope.key(one.company),
            to_seconds(one.at),
            one.files,
            one.counted,
            json.dumps({kind: count for kind, count in one.by_kind.items() if count}, separators=(",", ":")),
            one.size,
            one.level,
            one.creds,
            None if one.last_activity is None else to_seconds(one.last_activity),
            one.connection,
        )
        for one in observations
    ]
    if rows:
        with state.transaction():
            state.change_many(
                "INSERT OR REPLACE INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )


def history(state: State, company: str, since: datetime) -> list[Observation]:
    """Return a company's observations from `since` on, oldest first."""
    rows = state.rows(
        f"SELECT {_COLUMNS} FROM observations WHERE company = ? AND at >= ? ORDER BY at",  # noqa: S608
        (state.scope.key(company), to_seconds(since)),
    )
    return [_observation(row)._replace(company=company) for row in rows]


def observed_companies(state: State, since: datetime) -> list[str]:
    """Return the companies of this run that were observed from `since` on."""
    rows = state.rows("SELECT DISTINCT company FROM observations WHERE at >= ?", (to_seconds(since),))
    return [name for (key,) in rows if (name := state.scope.name(key))]


def counted_since(
    state: State, company: str, since: datetime, every: timedelta
) -> list[tuple[datetime, int]]:
    """Return when a company was observed from `since` on and how many files counted, oldest first.

    Of each span of length `every` the last observation alone.
    """
    rows = state.rows(
        "SELECT max(at), counted FROM observations WHERE company = ? AND at >= ? GROUP BY at / ? ORDER BY at",
        (state.scope.key(company), to_seconds(since), int(every.total_seconds())),
    )
    return [(from_seconds(at), counted) for at, counted in rows]


def curve_since(state: State, company: str, since: datetime) -> list[tuple[int, int, str]]:
    """Return (seconds since 1970, counted files, connection) of a company from `since` on, oldest first."""
    found: list[tuple[int, int, str]] = state.rows(
        "SELECT at, counted, connection FROM observations WHERE company = ? AND at >= ? ORDER BY at",
        (state.scope.key(company), to_seconds(since)),
    )
    return found


def activity_since(state: State, company: str, since: datetime) -> list[tuple[int, int]]:
    """Return when a company was looked at from `since` on, and when its bot had last written then, oldest first.

    Both in seconds since 1970, the last look of each hour alone.
    """
    found: list[tuple[int, int]] = state.rows(
        "SELECT max(at), max(last_activity) FROM observations "
        "WHERE company = ? AND at >= ? AND last_activity IS NOT NULL GROUP BY at / 3600 ORDER BY at",
        (state.scope.key(company), to_seconds(since)),
    )
    return found


def first_looks(state: State) -> dict[str, datetime]:
    """Return by company when it was first observed, as far as that is remembered."""
    rows = state.rows("SELECT company, min(at) FROM observations GROUP BY company")
    return {company: from_seconds(at) for company, at in rows}


def kinds_at(state: State, company: str, since: datetime) -> dict[str, int]:
    """Return a company's files by kind at its first observation from `since` on; nothing when there is none."""
    rows = state.rows(
        "SELECT by_kind FROM observations WHERE company = ? AND at >= ? ORDER BY at LIMIT 1",
        (state.scope.key(company), to_seconds(since)),
    )
    found: dict[str, int] = json.loads(rows[0][0]) if rows else {}
    return found


def kinds_since(
    state: State, company: str, since: datetime, span: timedelta
) -> list[tuple[int, str, dict[str, int]]]:
    """Return of each span of time how a company was at its end: (seconds since 1970, level, files by kind), oldest
    first.
    """
    rows = state.rows(
        "SELECT max(at), level, by_kind FROM observations WHERE company = ? AND at >= ? GROUP BY at / ? ORDER BY at",
        (state.scope.key(company), to_seconds(since), int(span.total_seconds())),
    )
    return [(at, level, json.loads(kinds)) for at, level, kinds in rows]


def thin_observations(state: State, now: datetime) -> int:
    """Keep of what is over 7 days old one observation an hour, over 90 days one a day; return how many went.

    The last of an hour or a day stays: it is how that time ended.
    """
    removed = 0
    with state.transaction():
        for age, span in ((FULL_FOR, 3_600), (HOURLY_FOR, 86_400)):
            # Whole spans alone: else the one that the limit cuts would lose its last observation again and again.
            limit = to_seconds(now - age) // span * span
            removed += state.change(
                "DELETE FROM observations WHERE at < ? AND (company, at) NOT IN "
                "(SELECT company, max(at) FROM observations WHERE at < ? GROUP BY company, at / ?)",
                (limit, limit, span),
            )
    return removed


def _observation(row: tuple[Any, ...]) -> Observation:
    company, at, files, counted, by_kind, size, level, creds, last_activity, connection = row
    return Observation(
        company,
        from_seconds(at),
        files,
        counted,
        json.loads(by_kind),
        size,
        level,
        creds,
        None if last_activity is None else from_seconds(last_activity),
        connection,
    )
