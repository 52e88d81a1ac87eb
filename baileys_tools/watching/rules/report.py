"""What `report` shows: each company as it is, and how it came to be so."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from baileys_tools.sessions.rules.forecast import CLEANUP_DROP
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus

MOST_POINTS = 60_000
"""Points of all curves of a report together: about half a megabyte."""
MOST_MARKS = 15_000
"""Snapshots of all companies together that are marked one by one; and as many changes of connections."""
FEWEST_POINTS, MOST_OF_ONE = 60, 720
"""Points of one company's curve, at least and at most: an observation an hour for 30 days."""


class Point(NamedTuple):
    """Counted files at a time, in seconds since 1970."""

    at: int
    counted: int


class Drop(NamedTuple):
    """A time at which a folder lost many files at once. `cleaned` when a cleanup of this tool ran then."""

    at: int
    files: int
    cleaned: bool


class Span(NamedTuple):
    """A time in which a bot's connection was in one state."""

    since: int
    until: int
    state: str


class ReportedIncident(NamedTuple):
    """A time of trouble; `closed` is None while it lasts. `entries` are (time, what, detail)."""

    opened: int
    closed: int | None
    cause: str
    entries: Sequence[tuple[int, str, str]] = ()


class SnapshotMark(NamedTuple):
    """A snapshot that was taken."""

    at: int
    size: int
    damaged: bool


class CompanyReport(NamedTuple):
    """One company: how it is, its curve, and what happened. `kinds_before` is the first look of the time shown."""

    status: CompanyStatus
    curve: Sequence[Point]
    drops: Sequence[Drop]
    connections: Sequence[Span]
    incidents: Sequence[ReportedIncident]
    snapshots: Sequence[SnapshotMark]
    kinds_before: dict[str, int]


class FleetReport(NamedTuple):
    """All companies, the worst first, from `since` on."""

    status: FleetStatus
    since: datetime
    companies: Sequence[CompanyReport]


def points_for(companies: int) -> int:
    """Given how many companies a report has, return how many points a curve may have."""
    return max(FEWEST_POINTS, min(MOST_OF_ONE, MOST_POINTS // max(1, companies)))


def marks_for(companies: int) -> int:
    """Given how many companies a report has, return how many snapshots or connections of one it may show."""
    return max(10, min(400, MOST_MARKS // max(1, companies)))


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Given a curve, oldest first, return it with `most` points or fewer that show the same.

    Of each equally long span its highest and its last point stay: no peak is lost, and no drop after it. So do the
    first and the last of all.
    """
    if len(points) <= most:
        return list(points)
    start, end = points[0].at, points[-1].at
    spans = max(1, (most - 2) // 2)
    width = max(1, (end - start) // spans + 1)
    found: list[Point] = [points[0]]
    span: list[Point] = []
    for point in points[1:]:
        if span and (point.at - start) // width != (span[0].at - start) // width:
            found += _highest_and_last(span)
            span = []
        span.append(point)
    return found + _highest_and_last(span)


def _highest_and_last(span: Sequence[Point]) -> list[Point]:
    highest = max(span, key=lambda point: point.counted)
    return [highest] if highest is span[-1] else [highest, span[-1]]


def drops(points: Sequence[Point], cleanups: Iterable[int]) -> list[Drop]:
    """Given a curve and when cleanups ran, return where it dropped as at a cleanup, oldest first."""
    times = sorted(cleanups)
    found = []
    for before, after in pairwise(points):
        lost = before.counted - after.counted
        if lost >= CLEANUP_DROP:
            ran = next((time for time in times if before.at <= time <= after.at), None)
            found.append(Drop(after.at if ran is None else ran, lost, ran is not None))
    return found


def spans(looks: Iterable[tuple[int, str]], until: int) -> list[Span]:
    """Given (time, connection) oldest first ("" where nobody asked), return the times of one state each."""
    found: list[Span] = []
    for at, state in looks:
        if found and found[-1].state == state:
            continue
        if found:
            found[-1] = found[-1]._replace(until=at)
        found.append(Span(at, until, state))
    return [span for span in found if span.state]
