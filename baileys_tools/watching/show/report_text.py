"""`report` in the terminal: a line with a curve for each company, the worst first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from textwrap import wrap

from baileys_tools.alerts.show.silence_text import silence_line
from baileys_tools.cleanup.show.undo_text import paid_of
from baileys_tools.frame.show.terminal import WIDTH, Style, wrapped
from baileys_tools.units import counted, format_duration, printable
from baileys_tools.watching.rules.report import CompanyReport, FleetReport, Point
from baileys_tools.watching.show.status_text import (
    GROWTH_UNKNOWN,
    STATE_COLOURS,
    companies_text,
    growth_text,
)

_CURVE = 30
_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*#@"
LONGEST_ID = 16


def report_text(report: FleetReport, style: Style) -> str:
    """Given a report, return two lines for each company and the sums; a curve ends now."""
    marks = _BLOCKS if _shows_blocks() else _PLAIN
    begin = datetime.fromtimestamp(report.begin, UTC)
    length = f"over the last {format_duration(report.status.now - report.since)}"
    if begin - report.since > timedelta(hours=1):
        length = f"since {begin:%Y-%m-%d %H:%M} UTC"
    on = f" on {printable(report.host)}" if report.host else ""
    title = wrapped(f"Counted files{on} {length}", WIDTH)
    lines = [*(style.paint(line, "bold") for line in title), ""]
    for company in report.companies:
        lines += _company(company, report.status.now, begin, marks, style)
    lines.append(companies_text(report.status, style))
    for silence in report.status.silences:
        if silence.until > report.since:
            lines += wrap(silence_line(silence, report.status.now), WIDTH)
    if report.status.trouble:
        lines.append(f"history is not known: {printable(report.status.trouble)}")
    elif untold := [company for company in report.companies if company.status.growth is None]:
        whose = "" if len(untold) == len(report.companies) else "of the others "
        lines += wrap(f"Growth {whose}is {GROWTH_UNKNOWN}.", WIDTH)
    return "\n".join(lines)


def _company(
    company: CompanyReport, now: datetime, begin: datetime, marks: str, style: Style
) -> Iterator[str]:
    one = company.status
    name = printable(one.id)
    name = name if len(name) <= LONGEST_ID else name[: LONGEST_ID - 3] + "..."
    line = sparkline(company.curve, int(begin.timestamp()), int(now.timestamp()), marks)
    state = one.state.value
    painted = style.paint(state, *STATE_COLOURS[one.state])
    counts = [point.counted for point in company.curve] or [one.counted]
    yield (
        f"{name:<{LONGEST_ID}}  {line}  {one.counted:>6,} {painted}{' ' * max(0, 10 - len(state))}"
        f"{min(counts):,}-{max(counts):,}"
    ).rstrip()
    cleanups = sum(drop.cleaned for drop in company.drops)
    parts = [] if one.growth is None else [growth_text(one)]
    parts += [counted(cleanups, "cleanup"), counted(len(company.incidents), "incident")]
    if company.late is not None:
        parts.append(paid_of(*company.late))
    if (reason := one.verdict.reason or next(iter(one.findings), None)) is not None:
        parts.append(f"{reason.severity.value}: {reason.code}")
    yield from wrapped("; ".join(parts), WIDTH, "  ")


def sparkline(curve: Sequence[Point], since: int, until: int, marks: str = _BLOCKS) -> str:
    """Given a curve, return it as one line of marks; a span without a look shows as the one before it."""
    highest: list[int | None] = [None] * _CURVE
    width = max(1, until - since)
    for point in curve:
        place = min(_CURVE - 1, max(0, (point.at - since) * _CURVE // width))
        known = highest[place]
        highest[place] = point.counted if known is None else max(known, point.counted)
    top = max((count for count in highest if count is not None), default=0)
    line, last = "", None
    for count in highest:
        last = count if count is not None else last
        line += " " if last is None else marks[min(len(marks) - 1, last * len(marks) // (top + 1))]
    return line


def _shows_blocks() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
