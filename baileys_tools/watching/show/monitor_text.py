"""The result of `monitor-once` for people: a line for each company that is worth one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.units import counted, printable
from baileys_tools.watching.rules.watch import CompanyWatch, MonitorReport

if TYPE_CHECKING:
    from baileys_tools.cleanup.rules.trigger_report import CompanyTrigger

_COLOURS = {
    Severity.NOTICE: "dim",
    Severity.WARNING: "yellow",
    Severity.CRITICAL: "red",
    Severity.EMERGENCY: "magenta",
}


def monitor_text(report: MonitorReport, style: Style) -> str:
    """Given a pass, return a line for each company worth one, the worst first, then the sums."""
    lines = [_line(finding, [], style) for finding in report.host if finding.severity is not Severity.NOTICE]
    worth = [company for company in report.companies if company.worst is not Severity.NOTICE]
    for company in sorted(worth, key=lambda one: -one.worst.rank):
        first, *others = company.findings
        more = [finding for finding in others if finding.severity is not Severity.NOTICE]
        lines.append(_line(first, more, style))
    lines += [printable(line) for line in report.cleaned]
    if report.silences:
        from baileys_tools.alerts.show.silence_text import silence_line

        lines += [silence_line(one, report.now) for one in report.silences]
    return "\n".join([*lines, _sums(report.companies)])


def news_text(report: MonitorReport) -> str:
    """Given a pass, return a line for each finding that was not there at the last one, for cron's mail."""
    new = [one for one in report.findings if (one.code, one.company) in report.news]
    lines = [_line(finding, [], None) for finding in sorted(new, key=lambda one: -one.severity.rank)]
    return "\n".join([*lines, *map(printable, report.cleaned)])


def cleaned_line(company: CompanyTrigger) -> str:
    """Given what an automatic cleanup did in a company, return it in a line."""
    who = f"company {printable(company.id)}: automatic cleanup: "
    trouble = company.cleanup.trouble if company.cleanup is not None else ""
    if trouble:
        return f"{who}{company.ending.value}, {printable(trouble)}"
    left = f", {company.remaining:,} counted files remain" if company.remaining is not None else ""
    return f"{who}{counted(company.removed, 'file')} removed{left}" + (
        f"; {printable(company.advice)}" if company.advice else ""
    )


def _line(finding: Finding, more: Sequence[Finding], style: Style | None) -> str:
    word = finding.severity.value
    shown = style.paint(word, _COLOURS[finding.severity]) if style is not None else word
    who = f"company {printable(finding.company)}" if finding.company else "host"
    line = f"{who}: {shown}: {printable(finding.message)}. {printable(finding.action)}"
    if more:
        line += f" ({counted(len(more), 'more finding')}: {', '.join(one.code for one in more)})"
    return line


def _sums(companies: Sequence[CompanyWatch]) -> str:
    counts = dict.fromkeys(reversed(Severity), 0)
    for company in companies:
        counts[company.worst] += 1
    words = [
        f"{count:,} {'healthy' if severity is Severity.NOTICE else severity.value}"
        for severity, count in counts.items()
        if count
    ]
    return f"{counted(len(companies), 'company', 'companies')}: {', '.join(words) or 'none'}"
