"""What the table of the page has of each company: one row, and the key that names it in addresses.

A row is a list, not an object: a thousand of them are the first thing that a page loads. page/web/fleet.js reads it by
place, so a field is only ever added at the end.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

from baileys_tools.frame.show.json_text import shown_text
from baileys_tools.watching.rules.status import FleetStatus
from baileys_tools.watching.rules.verdict import CompanyStatus, badness

MOST_OF_WHY = 160
"""Characters of a reason in the table; the company's page has it whole."""

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@-]{0,79}")


def key_of(company: str) -> str:
    """Given a company's id, return what stands for it in addresses: itself, or a digest of what would be more than a
    plain word, or a phone number.
    """
    if _PLAIN.fullmatch(company) and shown_text(company) == company:
        return company
    return "~" + hashlib.sha256(company.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def row_of(one: CompanyStatus, silenced: bool) -> list[Any]:
    """Given a company, return its row: times are seconds since 1970, to the minute, None where nothing is known."""
    why = one.verdict.reason
    return [
        key_of(one.id),
        shown_text(one.id),
        one.state.value,
        why.code if why else "",
        why.severity.value if why else "",
        _cut(shown_text(why.message)) if why else "",
        one.counted,
        one.level.value,
        one.creds_shown,
        one.connection,
        _minute(one.last_activity),
        _minute(one.inbound),
        _minute(one.last_snapshot),
        one.forecast.words.removeprefix("reaches ") if one.forecast else "",
        int(silenced),
        _badness(one),
    ]


def _badness(one: CompanyStatus) -> int:
    """By how much a company is worse than another, as one number: the page sorts by it."""
    worst, state, lost, level, counted = badness(one)
    return (((worst * 10 + state) * 2 + lost) * 10 + level) * 1_000_000 + min(counted, 999_999)


def _cut(text: str) -> str:
    return text if len(text) <= MOST_OF_WHY else text[: MOST_OF_WHY - 1] + "\u2026"


def _minute(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp()) // 60 * 60


def rows_of(status: FleetStatus) -> list[list[Any]]:
    """Given how all are, return their rows, the worst first."""
    silenced = {one.company for one in status.silences if one.is_on(status.now)}
    return [row_of(one, one.id in silenced) for one in status.companies]
