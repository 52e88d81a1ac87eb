"""Findings for people: what is so, and what to do; 80 columns, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from baileys_tools.findings import Finding, Severity
from baileys_tools.frame.show.terminal import WIDTH, Style, counted, wrapped
from baileys_tools.units import printable

MOST_FILES_NAMED = 20
"""Names that are printed for one finding; JSON has all of them, and whole."""
_ROOM = WIDTH - 7

SEVERITY_COLOURS: Mapping[Severity, tuple[str, ...]] = {
    Severity.NOTICE: ("cyan",),
    Severity.WARNING: ("yellow",),
    Severity.CRITICAL: ("magenta", "bold"),
    Severity.EMERGENCY: ("red", "bold"),
}


def findings_text(
    findings: Sequence[Finding], style: Style, names: Mapping[str, Sequence[str]] | None = None
) -> Iterator[str]:
    """Given findings, yield them as lines. `names` are printable names of files by code, for who wants them."""
    if not findings:
        yield style.paint("no findings", "green")
        return
    yield style.paint(counted(len(findings), "finding"), "bold")
    for finding in findings:
        severity = style.paint(f"{finding.severity:9}", *SEVERITY_COLOURS[finding.severity])
        yield f"  {severity}  {style.paint(finding.code, 'bold')}"
        yield from wrapped(finding.message, WIDTH, "    ")
        yield from wrapped(finding.action, WIDTH, "    -> ", "       ")
        yield from _named((names or {}).get(finding.code, ()))


def _named(names: Sequence[str]) -> Iterator[str]:
    for name in names[:MOST_FILES_NAMED]:
        shown = printable(name)
        yield f"       {shown if len(shown) <= _ROOM else shown[: _ROOM - 3] + '...'}"
    if len(names) > MOST_FILES_NAMED:
        yield f"       and {len(names) - MOST_FILES_NAMED:,} more"
