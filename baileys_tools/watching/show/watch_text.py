"""How all companies are, as lines that fill a terminal and no more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style, counted
from baileys_tools.units import format_age, format_duration, printable
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.show.findings_text import SEVERITY_COLOURS
from baileys_tools.watching.show.status_text import company_text, status_text

_FRAME = 5
"""Lines above and below: the title, the last runs, the keys, and empty ones between."""

_SUMS = 2
"""Lines below the table that are shown: an empty one, and the sums."""

_TIGHT = 8
"""Lines between the frame below which the sums go first."""


class LastRun(NamedTuple):
    """The last run of a command: when it began, and what it exited with."""

    command: str
    at: datetime
    exit_code: int


class View(NamedTuple):
    """What is shown. `trouble` says why there was nothing newer to show at `now`."""

    status: FleetStatus
    runs: Sequence[LastRun]
    now: datetime
    interval: timedelta
    trouble: str = ""


def watch_lines(view: View, style: Style, width: int, height: int) -> list[str]:
    """Given what is known, return the lines of a terminal of that size: the worst first, and nothing cut in half."""
    status = view.status
    room = max(1, height - _FRAME)
    findings = _finding_lines(status, style, width)
    if len(status.companies) == 1:
        body = company_text(status, style).split("\n")
    else:
        sums = _SUMS if room > _TIGHT else 0
        table = status_text(status, style, width).split("\n")[: 1 + len(status.companies) + sums]
        # Findings get what the table leaves, and a third at least, with an empty line above them.
        for_findings = min(len(findings) + 1, max(room - len(table), room // 3, 2)) if findings else 0
        body = _shortened_table(table, len(status.companies), room - for_findings)
        body += ["", *_cut(findings, room - len(body) - 1, "finding")] if findings else []
    body = body[:room] + [""] * (room - len(body))
    return [_title(view, style, width), "", *body, "", _runs(view, style, width), _keys(view, style, width)][
        :height
    ]


def _title(view: View, style: Style, width: int) -> str:
    clock = f"{view.now:%H:%M:%S} UTC"
    left = f"baileys-tools  {printable(view.status.root)}"
    room = width - len(clock) - 2
    left = left if len(left) <= room else left[: max(0, room - 3)] + "..."
    return style.paint(f"{left:{room}}  {clock}", "bold")


def _shortened_table(table: list[str], companies: int, room: int) -> list[str]:
    """Given the lines of the table (a heading, a line a company, the sums), leave out companies until it fits."""
    if len(table) <= room:
        return table
    tail = table[1 + companies :]
    shown = max(0, room - 2 - len(tail))
    return [*table[: 1 + shown], f"and {counted(companies - shown, 'more company', 'more companies')}", *tail]


def _finding_lines(status: FleetStatus, style: Style, width: int) -> list[str]:
    found = [
        finding
        for company in status.companies
        for finding in company.findings
        if finding.severity is not Severity.NOTICE
    ]
    found.sort(key=lambda finding: -finding.severity.rank)
    return [_finding_line(finding, style, width) for finding in found]


def _finding_line(finding: Finding, style: Style, width: int) -> str:
    severity = style.paint(f"{finding.severity:9}", *SEVERITY_COLOURS[finding.severity])
    rest = f"  {printable(finding.company)}  {finding.code}: {finding.message}"
    return severity + (rest if len(rest) <= width - 9 else rest[: max(0, width - 12)] + "...")


def _cut(lines: list[str], room: int, noun: str) -> list[str]:
    if len(lines) <= room:
        return lines
    kept = lines[: max(0, room - 1)]
    return [*kept, f"and {counted(len(lines) - len(kept), f'more {noun}')}"]


def _runs(view: View, style: Style, width: int) -> str:
    if view.trouble:
        return style.paint(f"not looked at again: {printable(view.trouble)}"[:width], "red")
    parts = []
    for run in view.runs:
        bad = "" if run.exit_code == 0 else f" (exit {run.exit_code})"
        parts.append(f"{run.command} {format_age(view.now - run.at)} ago{bad}")
    text = "last runs: " + (", ".join(parts) or "none are remembered")
    return text if len(text) <= width else text[: width - 3] + "..."


def _keys(view: View, style: Style, width: int) -> str:
    every = format_duration(view.interval)
    return style.paint(f"every {every}; space looks again now, q ends"[:width], "dim")
