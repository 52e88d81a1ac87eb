"""How often each event stood in a company's logs, by hour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from baileys_tools.bots.rules.log_events import HourCount, LogEvent
from baileys_tools.state.database import State, from_seconds, to_seconds

KEPT_FOR = timedelta(days=90)

_HOUR = 3_600
_EVENTS = {event.value: event for event in LogEvent}


def add_hours(state: State, company: str, hours: Mapping[tuple[int, LogEvent], int]) -> None:
    """Given counts by (hours since 1970, event), add them to those that are kept."""
    key = state.scope.key(company)
    state.change_many(
        "INSERT INTO log_hours VALUES (?, ?, ?, ?) "
        "ON CONFLICT (company, hour, event) DO UPDATE SET count = count + excluded.count",
        [(key, hour, event.value, count) for (hour, event), count in hours.items()],
    )


def hours_since(state: State, company: str, since: datetime) -> list[HourCount]:
    """Return the counts of a company's hours that ended after `since`, oldest first."""
    rows = state.rows(
        "SELECT hour, event, count FROM log_hours WHERE company = ? AND hour >= ? ORDER BY hour, event",
        (state.scope.key(company), to_seconds(since) // _HOUR),
    )
    return [
        HourCount(from_seconds(hour * _HOUR), _EVENTS[event], count)
        for hour, event, count in rows
        if event in _EVENTS
    ]


def thin_hours(state: State, now: datetime) -> None:
    """Forget the hours that are older than 90 days."""
    state.change("DELETE FROM log_hours WHERE hour < ?", (to_seconds(now - KEPT_FOR) // _HOUR,))
