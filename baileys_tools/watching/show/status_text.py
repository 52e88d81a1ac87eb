"""How all companies are, for people: one table as wide as the terminal, the worst first; or one company at length."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from textwrap import wrap
from typing import NamedTuple

from baileys_tools.alerts.show.silence_text import silence_line
from baileys_tools.cleanup.show.cleanup_text import LEVEL_COLOURS
from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style, wrapped
from baileys_tools.pasted import command
from baileys_tools.sessions.rules.creds import CredsState
from baileys_tools.sessions.rules.forecast import Forecast
from baileys_tools.thresholds import Level
from baileys_tools.units import counted, format_age, printable
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyState, CompanyStatus
from baileys_tools.watching.show.incidents_text import service_line

NARROWEST = 80
_GAP = "  "
LONGEST_ID = 24
_SEVERITY_COLOURS = {
    Severity.NOTICE: ("dim",),
    Severity.WARNING: ("yellow",),
    Severity.CRITICAL: ("red",),
    Severity.EMERGENCY: ("red", "bold"),
}


GROWTH_UNKNOWN = "not known yet: it takes a day of history (monitor-once keeps it)"

STATE_COLOURS = {
    CompanyState.HEALTHY: LEVEL_COLOURS[Level.HEALTHY],
    CompanyState.WARNING: LEVEL_COLOURS[Level.WARNING],
    CompanyState.CRITICAL: LEVEL_COLOURS[Level.CRITICAL],
    CompanyState.EMERGENCY: LEVEL_COLOURS[Level.EMERGENCY],
    CompanyState.UNREADABLE: ("red", "bold"),
    CompanyState.GONE: ("red", "bold"),
}


class _Column(NamedTuple):
    """A column of the table. Those of the lowest `rank` are shown first when there is not room for all."""

    title: str
    rank: int
    text: Callable[[CompanyStatus, datetime], str]
    is_number: bool = False


def status_text(status: FleetStatus, style: Style, width: int | None = None) -> str:
    """Given how all are, return the table and the sums. `width` None asks the terminal."""
    width = max(NARROWEST, width or shutil.get_terminal_size((NARROWEST, 24)).columns)
    columns = _fitting(status, width)
    cells = [[column.text(company, status.now) for column in columns] for company in status.companies]
    widths = _widths(columns, cells)
    lines = [style.paint(_row([column.title for column in columns], columns, widths), "bold")]
    for company, row in zip(status.companies, cells, strict=True):
        lines.append(_painted(_row(row, columns, widths), company, style))
    lines += ["", _sums(status, style, width), *_next_step(status)]
    if status.unfound:
        told = f"{counted(status.unfound, 'more session folder')} not looked after: "
        lines.append(told + command("baileys-tools sessions"))
    lines += silence_lines(status, width)
    if status.trouble:
        lines += wrap(f"history is not known: {printable(status.trouble)}", width)
    elif all(company.growth is None for company in status.companies):
        lines.append(f"Growth is {GROWTH_UNKNOWN}.")
    if len(columns) < len(_columns_of(status)):
        lines.append("A wider terminal shows more, --company ID and --json all.")
    return "\n".join(lines)


def company_text(status: FleetStatus, style: Style) -> str:
    lines: list[str] = []
    for company in status.companies:
        lines += _at_length(company, status, style)
    lines += silence_lines(status, NARROWEST)
    if status.trouble:
        lines += wrap(f"history is not known: {printable(status.trouble)}", NARROWEST)
    return "\n".join(lines)


def silence_lines(status: FleetStatus, width: int) -> list[str]:
    """Return who is silenced now, and why."""
    holding = [one for one in status.silences if one.is_on(status.now)]
    return [line for one in holding for line in wrap(silence_line(one, status.now), width)]


# --- the table ----------------------------------------------------------------------------------------------


def _age(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else format_age(now - moment)


def _cleaned(company: CompanyStatus, now: datetime) -> str:
    if company.cleaned is not None and company.cleaned.put_back:
        return "undone"
    return _age(company.cleaned and company.cleaned.at, now)


def _next(company: CompanyStatus) -> str:
    if company.growth is None:
        return "?"
    forecast = company.forecast
    return "-" if forecast is None else f"{forecast.threshold} in {_short(forecast.within)}"


def _short(length: timedelta) -> str:
    hours = round(length / timedelta(hours=1))
    return "<1h" if hours < 1 else f"{hours}h" if hours < 48 else f"{round(length / timedelta(days=1))}d"


def _kinds(company: CompanyStatus) -> str:
    counts = sorted(company.by_kind.items(), key=lambda item: -item[1])
    return " ".join(f"{kind}:{count}" for kind, count in counts[:4])


def _creds(company: CompanyStatus) -> str:
    return company.creds_shown if company.creds is CredsState.VALID else company.creds.upper()


def _name(company: CompanyStatus) -> str:
    shown = printable(company.id)
    return shown if len(shown) <= LONGEST_ID else shown[: LONGEST_ID - 3] + "..."


_COLUMNS = (
    _Column("COMPANY", 0, lambda one, now: _name(one)),
    _Column("STATE", 0, lambda one, now: one.state.value),
    _Column("WHY", 0, lambda one, now: one.verdict.code or "-"),
    _Column("COUNTED", 0, lambda one, now: f"{one.counted:,}", is_number=True),
    _Column("FILES", 1, lambda one, now: f"{one.files:,}", is_number=True),
    _Column("CREDS", 0, lambda one, now: _creds(one)),
    _Column("CONNECTION", 3, lambda one, now: one.connection or "-"),
    _Column("ACTIVE", 1, lambda one, now: _age(one.last_activity, now), is_number=True),
    _Column("IN", 3, lambda one, now: _age(one.inbound, now), is_number=True),
    _Column("NEXT LEVEL", 2, lambda one, now: _next(one)),
    _Column("CLEANED", 4, lambda one, now: _cleaned(one, now), is_number=True),
    _Column("SNAPSHOT", 5, lambda one, now: _age(one.last_snapshot, now), is_number=True),
    _Column("KINDS", 6, lambda one, now: _kinds(one)),
)


def _columns_of(status: FleetStatus) -> Sequence[_Column]:
    known = {
        "CONNECTION": any(company.connection for company in status.companies),
        "IN": any(company.inbound is not None for company in status.companies),
        "NEXT LEVEL": any(company.growth is not None for company in status.companies),
    }
    return [column for column in _COLUMNS if known.get(column.title, True)]


def _fitting(status: FleetStatus, width: int) -> list[_Column]:
    """Return the columns that there is room for, the least important left out first."""
    columns = list(_columns_of(status))
    cells = {
        column: max(len(column.title), *(len(column.text(one, status.now)) for one in status.companies))
        for column in columns
    }
    while sum(cells[column] + len(_GAP) for column in columns) - len(_GAP) > width:
        least = max(columns, key=lambda column: column.rank)
        if least.rank == 0:
            break
        columns.remove(least)
    return columns


def _widths(columns: Sequence[_Column], cells: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(len(column.title), *(len(row[index]) for row in cells)) for index, column in enumerate(columns)
    ]


def _row(texts: Sequence[str], columns: Sequence[_Column], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if column.is_number else text.ljust(width)
        for text, column, width in zip(texts, columns, widths, strict=True)
    ]
    return _GAP.join(padded).rstrip()


def _painted(row: str, company: CompanyStatus, style: Style) -> str:
    if company.trouble or company.worst.rank >= Severity.CRITICAL.rank:
        return style.paint(row, *_SEVERITY_COLOURS[max(company.worst, Severity.CRITICAL, key=_rank)])
    if company.worst is Severity.WARNING:
        return style.paint(row, "yellow")
    return row


def _rank(severity: Severity) -> int:
    return severity.rank


def _sums(status: FleetStatus, style: Style, width: int) -> str:
    files = counted(sum(company.files for company in status.companies), "file")
    return companies_text(status, style, width, f", {files}")


def companies_text(status: FleetStatus, style: Style, width: int = NARROWEST, more: str = "") -> str:
    """Given how all are, return in a line how many there are and how many of them in which state, the worst first.

    The states that there is no room for are one number. `more` comes behind, where there is room for it.
    """
    total = counted(len(status.companies), "company", "companies")
    states = list(status.states.items())
    shown = len(states)
    while shown > 1 and len(_states(total, states, shown, None)) > width:
        shown -= 1
    more = more if len(_states(total, states, shown, None) + more) <= width else ""
    return _states(total, states, shown, style) + more


def _states(total: str, states: Sequence[tuple[CompanyState, int]], shown: int, style: Style | None) -> str:
    texts = [
        f"{number:,} {state.value}"
        if style is None
        else style.paint(f"{number:,} {state.value}", *STATE_COLOURS[state])
        for state, number in states[:shown]
    ]
    if rest := sum(number for _, number in states[shown:]):
        texts.append(f"{rest:,} others")
    return f"{total} ({', '.join(texts)})"


def _next_step(status: FleetStatus) -> Iterator[str]:
    """Yield what to type about the worst company, where one needs somebody today."""
    first = status.companies[0]
    if first.trouble or first.worst.rank >= Severity.CRITICAL.rank:
        snapshots = command("baileys-tools snapshots --company {}", first.id)
        inspect = command("baileys-tools inspect --company {}", first.id)
        yield f"What to do first: {snapshots if first.is_gone else inspect}"


# --- one company --------------------------------------------------------------------------------------------


def _at_length(company: CompanyStatus, status: FleetStatus, style: Style) -> Iterator[str]:
    now = status.now
    yield style.paint(f"company {printable(company.id)}", "bold")
    yield _item("folder", printable(company.path))
    if company.trouble:
        yield _item("trouble", style.paint(printable(company.trouble), "red"))
    guarded = f", {counted(company.guarded, 'guarded pre-key')} left out" if company.guarded else ""
    why = f": {company.verdict.code}" if company.verdict.code else ""
    yield _item("state", style.paint(company.state.value, *STATE_COLOURS[company.state]) + why)
    if not company.trouble and not company.is_gone:
        yield _item("level", style.paint(company.level.value, *LEVEL_COLOURS[company.level]))
    yield _item("files", f"{company.files:,}, of which {company.counted:,} count{guarded}")
    for line_number, line in enumerate(_kind_lines(company)):
        yield _item("kinds" if line_number == 0 else "", line)
    yield _item(
        "creds", company.creds if company.creds is CredsState.VALID else style.paint(company.creds, "red")
    )
    if company.connection:
        yield _item("connection", company.connection)
    if company.service is not None:
        yield _item("30 days", service_line(company.service))
    yield _item("active", _ago(company.last_activity, now, "not known"))
    if company.inbound is not None:
        yield _item("message in", _ago(company.inbound, now, ""))
    removed = f", {company.cleaned.words}" if company.cleaned else ""
    yield _item(
        "cleaned",
        _ago(company.cleaned.at if company.cleaned else None, now, "not that this tool knows") + removed,
    )
    yield _item("snapshot", _ago(company.last_snapshot, now, "none that is known to be good"))
    yield _item("growth", growth_text(company))
    for finding in company.findings:
        yield from _finding(finding, style)


def _kind_lines(company: CompanyStatus) -> list[str]:
    counts = sorted(company.by_kind.items(), key=lambda item: -item[1])
    return wrap(
        ", ".join(f"{kind}\xa0{count:,}" for kind, count in counts), NARROWEST - 13, break_on_hyphens=False
    )


def growth_text(company: CompanyStatus) -> str:
    """Given a company, return how fast it grows and what comes of it, in words."""
    if company.growth is None:
        return GROWTH_UNKNOWN
    if company.growth < 0.05:
        return "none"
    text = f"{company.growth:.1f} counted files a day"
    forecast: Forecast | None = company.forecast
    return text if forecast is None else f"{text}: {forecast.words} ({forecast.level.value})"


def _finding(finding: Finding, style: Style) -> Iterator[str]:
    head = f"{finding.severity.value}: {printable(finding.message)} [{finding.code}]"
    for number, line in enumerate(wrap(head, NARROWEST - 2, break_on_hyphens=False)):
        yield "  " + (style.paint(line, *_SEVERITY_COLOURS[finding.severity]) if number == 0 else line)
    yield from wrapped(printable(finding.action), NARROWEST, "    ")


def _ago(moment: datetime | None, now: datetime, never: str) -> str:
    return never if moment is None else f"{format_age(now - moment)} ago ({moment:%Y-%m-%d %H:%M} UTC)"


def _item(label: str, text: str) -> str:
    return f"  {label:<10} {text}".replace("\xa0", " ").rstrip()
