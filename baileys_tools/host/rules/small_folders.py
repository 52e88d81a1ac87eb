"""Whether folders stay so small that a cleanup can leave more: `cleanup.until`, proposed by `config init`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

SHORTEST = timedelta(days=7)
"""A shorter past does not tell who writes every week."""
_STEP = 10
"""So far below `until` a cleanup goes (cleanup/rules/policy.py: UNTIL_SPARE), and as far above it a day may lead."""


class Size(NamedTuple):
    """How many files of a folder counted at a moment (aware), and how many of those could go by age."""

    at: datetime
    counted: int
    by_age: int


class RoomyUntil(NamedTuple):
    """A number for `cleanup.until`, the most files of any folder that could go by age, and for how many days that is
    known."""

    until: int
    most: int
    days: int


def until_proposed(histories: Iterable[Sequence[Size]], warning: int) -> RoomyUntil | None:
    """Given what was seen of each company, oldest first, and how many counted files are level warning, return a number
    with which every folder stays below that level; None where one has no room for it, or too little is known of one.
    """
    beside = most = days = 0
    for looks in histories:
        if not looks or (length := looks[-1].at - looks[0].at) < SHORTEST:
            return None
        days = min(days or length.days, length.days)
        for look in looks:
            most, beside = max(most, look.by_age), max(beside, look.counted - look.by_age)
    until = (warning - 1 - beside - _STEP) // _STEP * _STEP
    return RoomyUntil(until, most, days) if days and until >= most + _STEP else None
