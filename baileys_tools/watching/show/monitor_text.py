"""The result of `monitor-once` for people: a line for each company that is worth one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import Style
from baileys_tools.units import counted, printable
from baileys_tools.watching.rules.verdict import CompanyStatus, states_of, worst_company_first
from baileys_tools.watching.rules.watch import MonitorReport

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
    for company in worst_company_first(report.companies):
        if (first := company.verdict.reason) is None:
            continue
        more = [one for one in company.findings if one is not first and one.severity is not Severity.NOTICE]
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


def _sums(companies: Sequence[CompanyStatus]) -> str:
    words = [f"{count:,} {state.value}" for state, count in states_of(companies).items()]
    return f"{counted(len(companies), 'company', 'companies')}: {', '.join(words) or 'none'}"
