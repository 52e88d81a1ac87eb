"""Incidents: when a company was in trouble, why, and what was done about it."""

from __future__ import annotations

from datetime import datetime

from baileys_tools.sessions.names import called_by
from baileys_tools.state.database import State, from_seconds, to_seconds
from baileys_tools.state.places import introduce, known_places
from baileys_tools.state.scope import is_place
from baileys_tools.watching.rules.incidents import Incident, IncidentEntry


def last_open(state: State, company: str) -> int | None:
    """Return the company's open incident, None when there is none."""
    rows = state.rows(
        "SELECT id FROM incidents WHERE company = ? AND closed IS NULL ORDER BY id DESC LIMIT 1",
        (state.scope.key(company),),
    )
    return int(rows[0][0]) if rows else None


def open_incident(state: State, company: str, cause: str, now: datetime) -> int:
    """Return the company's open incident; one is opened when there is none."""
    with state.transaction():
        if (found := last_open(state, company)) is not None:
            return found
        state.change(
            "INSERT INTO incidents (company, opened, closed, cause) VALUES (?, ?, NULL, ?)",
            (state.scope.key(company), to_seconds(now), cause),
        )
        introduce(state, [company])
        return int(state.rows("SELECT last_insert_rowid()")[0][0])


def add_entry(state: State, incident: int, what: str, detail: str, now: datetime) -> None:
    """Add what happened to the time line of an incident."""
    state.change(
        "INSERT INTO incident_entries (incident, at, what, detail) VALUES (?, ?, ?, ?)",
        (incident, to_seconds(now), what, detail),
    )


def close_incident(state: State, incident: int, now: datetime, cause: str | None = None) -> None:
    """Close an incident, with its cause if that is known better now. One that is closed stays as it is."""
    state.change(
        "UPDATE incidents SET closed = ?, cause = coalesce(?, cause) WHERE id = ? AND closed IS NULL",
        (to_seconds(now), cause, incident),
    )


def incidents(state: State, company: str = "", limit: int = 100) -> list[Incident]:
    """Return incidents, newest first: of one company, by its name in this run or its place, or ("") of all."""
    key = state.scope.key(company) if company else ""
    rows = state.rows(
        "SELECT id, company, opened, closed, cause FROM incidents WHERE (? = '' OR company = ?) "
        "ORDER BY opened DESC, id DESC LIMIT ?",
        (key, key, limit),
    )
    names = known_places(state) if rows else {}
    return [
        Incident(
            number,
            names.get(key, called_by(key) if is_place(key) else key),
            from_seconds(opened),
            None if closed is None else from_seconds(closed),
            cause,
            key if is_place(key) else "",
        )
        for number, key, opened, closed, cause in rows
    ]


def places_called(state: State, company: str) -> list[str]:
    """Return by what is kept that is about companies of this name: their places, else the name itself."""
    named = {place for place, name in known_places(state).items() if name == company}
    key = state.scope.key(company)
    waits = state.rows("SELECT 1 FROM incidents WHERE company = ? LIMIT 1", (company,))
    return [*sorted(named | ({key} if is_place(key) else set())), *([company] if waits else [])] or [company]


def entries(state: State, incident: int) -> list[IncidentEntry]:
    """Return the time line of an incident, oldest first."""
    rows = state.rows(
        "SELECT at, what, detail FROM incident_entries WHERE incident = ? ORDER BY at, id", (incident,)
    )
    return [IncidentEntry(from_seconds(at), what, detail) for at, what, detail in rows]
