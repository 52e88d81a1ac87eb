"""A finding: one thing that a person should know about a company or the host, and what to do about it."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.errors import ExitCode
from baileys_tools.thresholds import Level


class Severity(StrEnum):
    """How much a finding matters, mildest first."""

    NOTICE = "notice"
    """Worth knowing; never an alert and never an exit code."""
    WARNING = "warning"
    CRITICAL = "critical"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        """A number to compare and sort by, higher is worse."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}

SEVERITY_OF_LEVEL: Mapping[Level, Severity] = {
    Level.HEALTHY: Severity.NOTICE,
    Level.WARNING: Severity.WARNING,
    Level.CRITICAL: Severity.CRITICAL,
    Level.TRIGGER: Severity.CRITICAL,
    Level.EMERGENCY: Severity.EMERGENCY,
    Level.DANGER: Severity.EMERGENCY,
}


class Finding(NamedTuple):
    """One finding.

    `code` is stable and documented in docs/findings.md (`creds-empty`); with `company` ("" is the host itself)
    it is a finding's identity from run to run. `message` says what is so, with value and limit; `action` what
    to do next. `facts` are the numbers of the message for machines. No text holds a secret or anything raw from
    a file name.
    """

    code: str
    severity: Severity
    company: str
    message: str
    action: str
    facts: Mapping[str, int | float | str] = {}


def worst(findings: Iterable[Finding]) -> Severity:
    """Given findings, return the worst severity among them; NOTICE when there are none."""
    return max((finding.severity for finding in findings), key=lambda one: one.rank, default=Severity.NOTICE)


def exit_code_for(severity: Severity) -> ExitCode:
    """Given the worst severity found, return the documented exit code."""
    if severity.rank >= Severity.CRITICAL.rank:
        return ExitCode.CRITICAL
    return ExitCode.WARNING if severity is Severity.WARNING else ExitCode.DONE
