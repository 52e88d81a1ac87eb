"""A pass of watching as a Nagios plugin says it: one line, perfdata, exit codes 0 to 3.

https://nagios-plugins.org/doc/guidelines.html has the format.
"""

from __future__ import annotations

from collections.abc import Iterator

from baileys_tools.findings import Finding, Severity
from baileys_tools.units import printable
from baileys_tools.watching.rules.verdict import worst_finding_first
from baileys_tools.watching.rules.watch import MonitorReport

OK, WARNING, CRITICAL, UNKNOWN = range(4)

MOST_COMPANIES = 50
"""Above this many, perfdata has the sums alone: agents cut a line at a few kilobytes."""
MOST_NAMED = 3

_CODES = {
    Severity.NOTICE: (OK, "OK"),
    Severity.WARNING: (WARNING, "WARNING"),
    Severity.CRITICAL: (CRITICAL, "CRITICAL"),
    Severity.EMERGENCY: (CRITICAL, "CRITICAL"),
}


def nagios_text(report: MonitorReport) -> tuple[str, int]:
    """Given a pass, return the line with its perfdata, and the exit code."""
    code, word = _CODES[report.worst]
    worth = [
        finding for finding in worst_finding_first(report.findings) if finding.severity is not Severity.NOTICE
    ]
    if worth:
        said = "; ".join(map(_in_words, worth[:MOST_NAMED]))
        more = f"; {len(worth) - MOST_NAMED} more" if len(worth) > MOST_NAMED else ""
    else:
        said, more = f"{len(report.companies)} session folders healthy", ""
    return f"{word} - {_plain(said + more)} | {' '.join(_perfdata(report))}", code


def unknown_text(message: str) -> str:
    """Given why nothing could be looked at, return the line for exit code 3."""
    return f"UNKNOWN - {_plain(message)}"


def _in_words(finding: Finding) -> str:
    if not finding.company:
        return finding.message
    return f"company {finding.company}: {finding.message} [{finding.severity.value}]"


def _plain(text: str) -> str:
    # What follows a bar is perfdata, and what follows a line break is long output.
    return " ".join(printable(text.replace("\n", " ")).replace("|", "/").split())


def _perfdata(report: MonitorReport) -> Iterator[str]:
    limits = report.thresholds
    # A range without a colon means: alert outside 0 to this. Levels begin at their number.
    ranges = f"{limits.warning - 1};{limits.critical - 1};0"
    counts = dict.fromkeys(Severity, 0)
    for company in report.companies:
        counts[company.worst] += 1
    yield f"companies={len(report.companies)};;;0"
    yield f"max_counted_files={max((one.counted for one in report.companies), default=0)};{ranges}"
    for severity in (Severity.WARNING, Severity.CRITICAL, Severity.EMERGENCY):
        yield f"{severity.value}={counts[severity]};;;0"
    if len(report.companies) <= MOST_COMPANIES:
        for company in report.companies:
            yield f"{_label(f'counted_files_{company.id}')}={company.counted};{ranges}"


def _label(text: str) -> str:
    plain = _plain(text).replace("=", "_").replace("'", "''")
    return plain if plain.replace("_", "").isalnum() else f"'{plain}'"
