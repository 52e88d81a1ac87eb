"""Silences: planned work of which nobody is to be told."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.findings import Finding

LONGEST = timedelta(days=30)
"""A silence is for work that is planned; what never matters is for the settings."""
REMEMBERED_FOR = timedelta(days=40)
"""How long a silence that has ended is told in reports."""


class AlertSilence(NamedTuple):
    """Of a company, or of one code there (""  is all), nobody is told from `since` until `until`, for a reason."""

    company: str
    code: str
    since: datetime
    until: datetime
    because: str

    def is_on(self, now: datetime) -> bool:
        """Whether it holds now. One from the future does not: the clock has moved."""
        return self.since <= now < self.until

    def covers(self, finding: Finding) -> bool:
        return self.company == finding.company and self.code in ("", finding.code)


def spoken(findings: Iterable[Finding], silences: Sequence[AlertSilence]) -> list[Finding]:
    """Given findings and the silences that hold, return those that people are told of."""
    return [one for one in findings if not any(silence.covers(one) for silence in silences)]
