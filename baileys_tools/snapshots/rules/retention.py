"""Which snapshots stay, and why: a pure function of the list and the policy.

Every decision goes by the order in which snapshots were taken (their sequence), from the newest on. Their times
only sort them into hours, days, weeks and months, and into `keep_within`, which is counted from the newest
snapshot: a clock that was wrong, or a host that was off for a month, makes nothing old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from baileys_tools.sessions.rules.snapshot import BEFORE_TAG, SnapshotInfo


@dataclass(frozen=True, slots=True)
class Retention:
    """How many snapshots each rule keeps; 0 is a rule that is off. With all rules off nothing is removed."""

    keep_last: int = 12
    keep_within: timedelta = timedelta()
    keep_hourly: int = 24
    keep_daily: int = 7
    keep_weekly: int = 4
    keep_monthly: int = 0
    minimum: int = 3
    keep_tagged: int = 3

    @property
    def is_empty(self) -> bool:
        """No rule keeps anything: `keep_tagged` only adds to what the others keep."""
        return not (
            self.keep_last
            or self.keep_within
            or self.keep_hourly
            or self.keep_daily
            or self.keep_weekly
            or self.keep_monthly
        )


class Keep(StrEnum):
    """Why a snapshot stays."""

    NO_POLICY = "no-policy"
    """No rule is set, and that must never read as "keep none"."""
    NEWEST_GOOD = "newest-good"
    MINIMUM = "minimum"
    LAST = "last"
    WITHIN = "within"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    TAGGED = "tagged"
    PINNED = "pinned"
    """An operator has said so (`keep`), and no snapshot was taken after the time that they named."""
    LAST_RESORT = "last-resort"
    """Damaged, but there are fewer whole ones after it than the minimum: it may still hold what is needed."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one snapshot. It is removed when no rule keeps it."""

    snapshot: SnapshotInfo
    reasons: tuple[Keep, ...]

    @property
    def keep(self) -> bool:
        return bool(self.reasons)


def plan_retention(snapshots: Sequence[SnapshotInfo], policy: Retention) -> list[Decision]:
    """Given the snapshots of one company in any order, decide on each, the newest first.

    A damaged snapshot fills no rule's place. Nor does one of a folder as it was before a restore or a reset,
    which may be no session: it stays as long as a rule has a place left. The newest good one always stays, and
    with it at least `minimum`. Of those that somebody tagged the newest `keep_tagged` stay, and as many of those
    from before a restore or a reset: on a busy bot the other rules would have them go within an hour. One that is
    pinned stays until a snapshot is taken after the time that was named.
    """
    newest_first = sorted(snapshots, key=lambda info: info.order, reverse=True)
    if policy.is_empty:
        return [Decision(info, (Keep.NO_POLICY,)) for info in newest_first]
    rules = _Rules(policy)
    return [Decision(info, rules.judge(info)) for info in newest_first]


class _Rules:
    """Asked about one snapshot after the other, from the newest on."""

    def __init__(self, policy: Retention) -> None:
        self._policy = policy
        self._good = 0
        self._newest: datetime | None = None
        self._tagged = {True: 0, False: 0}
        """How many there were so far, by whether they are from before a restore."""
        self._periods = (
            (Keep.HOURLY, policy.keep_hourly, _hour, set[object]()),
            (Keep.DAILY, policy.keep_daily, _day, set[object]()),
            (Keep.WEEKLY, policy.keep_weekly, _week, set[object]()),
            (Keep.MONTHLY, policy.keep_monthly, _month, set[object]()),
        )

    def judge(self, info: SnapshotInfo) -> tuple[Keep, ...]:
        least = max(1, self._policy.minimum)
        pinned = info.kept_until is not None and info.kept_until > (self._newest or info.taken_at)
        reasons = [Keep.PINNED] if pinned else []
        if info.damaged:
            return (*reasons, Keep.LAST_RESORT) if self._good < least else tuple(reasons)
        if info.good and self._newest is None:
            self._newest = info.taken_at
            reasons.append(Keep.NEWEST_GOOD)
        if self._good < least:
            reasons.append(Keep.MINIMUM)
        if self._good < self._policy.keep_last:
            reasons.append(Keep.LAST)
        # One from the future of the newest is no older than it.
        newest = self._newest or info.taken_at
        if self._policy.keep_within and newest - info.taken_at <= self._policy.keep_within:
            reasons.append(Keep.WITHIN)
        for reason, places, period_of, filled in self._periods:
            period = period_of(info.taken_at)
            if period not in filled and len(filled) < places:
                reasons.append(reason)
                if info.good:
                    filled.add(period)
        if info.tag and not info.imported:
            is_before = info.tag == BEFORE_TAG
            if self._tagged[is_before] < self._policy.keep_tagged:
                reasons.append(Keep.TAGGED)
            self._tagged[is_before] += 1
        self._good += info.good
        return tuple(reasons)


def _hour(time: datetime) -> object:
    return time.date(), time.hour


def _day(time: datetime) -> object:
    return time.date()


def _week(time: datetime) -> object:
    return time.isocalendar()[:2]


def _month(time: datetime) -> object:
    return time.year, time.month
