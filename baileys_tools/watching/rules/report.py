"""What `report` shows: each company as it is, and how it came to be so."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from baileys_tools.sessions.rules.forecast import CLEANUP_DROP
from baileys_tools.sessions.rules.undo import Late
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus

MOST_POINTS = 60_000
"""Points of all curves of a report together: about half a megabyte."""
MOST_MARKS = 15_000
"""Snapshots of all companies together that are marked one by one; and as many changes of connections."""
MOST_KIND_POINTS = 12_000
"""Looks of all companies together of which the files of each kind are shown."""
MOST_KINDS = 6
"""Kinds that have a curve of their own."""
OTHER_KINDS = "others"
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


class KindCurves(NamedTuple):
    """Files of each kind over time: at each of `times`, seconds since 1970, so many of each of `kinds`, and a level."""

    kinds: Sequence[str] = ()
    times: Sequence[int] = ()
    counts: Sequence[Sequence[int]] = ()
    levels: Sequence[str] = ()


class CompanyReport(NamedTuple):
    """One company: how it is, its curve, and what happened. `kinds_before` is the first look of the time shown, `late`
    what its last cleanup costs at most and what of that was paid, while that can still be undone."""

    status: CompanyStatus
    curve: Sequence[Point]
    drops: Sequence[Drop]
    connections: Sequence[Span]
    incidents: Sequence[ReportedIncident]
    snapshots: Sequence[SnapshotMark]
    kinds_before: dict[str, int]
    over: KindCurves = KindCurves()
    late: tuple[Late, Late] | None = None

    @property
    def begin(self) -> int | None:
        """When the first is known that is shown, in seconds since 1970; None where nothing is."""
        firsts = (
            *(point.at for point in self.curve[:1]),
            *(mark.at for mark in self.snapshots[:1]),
            *(span.since for span in self.connections[:1]),
            *(incident.opened for incident in self.incidents),
            *self.over.times[:1],
        )
        return min(firsts, default=None)


class FleetReport(NamedTuple):
    """All companies, the worst first, from `since` on. `host` is how alerts call this host."""

    status: FleetStatus
    since: datetime
    companies: Sequence[CompanyReport]
    host: str = ""

    @property
    def begin(self) -> int:
        """When the first is known of any company, in seconds since 1970: an hour ago at the latest."""
        known = [one.begin for one in self.companies if one.begin is not None]
        latest = int(self.status.now.timestamp()) - 3_600
        return max(int(self.since.timestamp()), min([*known, latest]))


def points_for(companies: int) -> int:
    """Given how many companies a report has, return how many points a curve may have."""
    return max(FEWEST_POINTS, min(MOST_OF_ONE, MOST_POINTS // max(1, companies)))


def kind_points_for(companies: int) -> int:
    """Given how many companies a report has, return of how many looks the files by kind may be shown."""
    return max(10, min(180, MOST_KIND_POINTS // max(1, companies)))


def kind_curves(looks: Sequence[tuple[int, str, Mapping[str, int]]]) -> KindCurves:
    """Given (time, level, files by kind), return a curve of each of the largest kinds and one of the rest."""
    most: dict[str, int] = {}
    for _, _, by_kind in looks:
        for kind, count in by_kind.items():
            most[kind] = max(count, most.get(kind, 0))
    kinds = sorted(most, key=lambda kind: -most[kind])
    kinds, rest = (
        (kinds[: MOST_KINDS - 1], kinds[MOST_KINDS - 1 :]) if len(kinds) > MOST_KINDS else (kinds, [])
    )
    counts = [[by_kind.get(kind, 0) for _, _, by_kind in looks] for kind in kinds]
    if rest:
        counts.append([sum(by_kind.get(kind, 0) for kind in rest) for _, _, by_kind in looks])
    names = [*kinds, *([OTHER_KINDS] if rest else [])]
    return KindCurves(names, [at for at, _, _ in looks], counts, [level for _, level, _ in looks])


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
