"""When a folder will reach a threshold, told from how it grew.

Between two cleanups a folder grows by what the bot writes; at a cleanup it drops. So growth is measured between
cleanups only, as the median of the slopes between any two looks at it (Theil and Sen), each weighted by the time
that lies between: neither a cleanup, nor an import of contacts, nor a single wrong look moves it much.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from typing import NamedTuple

from baileys_tools.thresholds import Level, Thresholds

LOOKED_BACK = timedelta(days=7)
"""The growth of today: what is older tells of other times."""

LOOKED_EVERY = timedelta(hours=3)
"""More looks than that tell no more of a week."""

ENOUGH = timedelta(days=1)
"""Time that has to be covered: bots sleep at night and are busy by day."""

CLEANUP_DROP = 5
"""Files by which a folder drops from one look to the next when it was cleaned. Fewer go by themselves: the bot
removes a pre-key at its first use."""

FARTHEST = timedelta(days=365)
"""Nobody plans for longer, and a growth of next to nothing says no more."""

_MOST_SAMPLES = 24
"""Looks that are compared with each other; of more, evenly spread ones. It bounds the work for 1,000 companies."""

_DAY = timedelta(days=1)


class Sample(NamedTuple):
    """How many counted files a folder had at a moment (aware)."""

    at: datetime
    counted: int


class Forecast(NamedTuple):
    """The next level above today's: from how many counted files on, and in how long at today's growth."""

    level: Level
    threshold: int
    within: timedelta

    @property
    def words(self) -> str:
        """It in words: "reaches 175 in 3 days"."""
        return f"reaches {self.threshold} in {_spoken(self.within)}"


def growth_per_day(history: Sequence[Sample]) -> float | None:
    """Given looks at a folder, oldest first, return by how many counted files it grows in a day.

    None when they cover less than a day between cleanups. Never below 0: a folder that shrinks by itself does not
    grow.
    """
    stretches = _thinned(list(_between_cleanups(history)))
    covered = sum((stretch[-1].at - stretch[0].at for stretch in stretches), timedelta())
    if covered < ENOUGH:
        return None
    slopes = []
    for stretch in stretches:
        for start, end in combinations(stretch, 2):
            if length := end.at - start.at:
                slopes.append(((end.counted - start.counted) / (length / _DAY), min(length, _DAY)))
    return max(0.0, _weighted_median(slopes))


def time_until(counted: int, threshold: int, growth: float | None) -> timedelta | None:
    """Given counted files and their growth per day, return how long it takes to reach a threshold.

    None when that cannot be told or takes over a year; zero when it is reached already.
    """
    if counted >= threshold:
        return timedelta()
    if growth is None or growth <= 0 or (threshold - counted) / growth > FARTHEST / _DAY:
        return None
    return timedelta(days=(threshold - counted) / growth)


def next_threshold(counted: int, growth: float | None, thresholds: Thresholds) -> Forecast | None:
    """Given counted files and their growth per day, return when the next level begins.

    None in the highest one, when the growth is not known, and when it takes over a year.
    """
    for level, threshold in boundaries(thresholds):
        if threshold > counted:
            within = time_until(counted, threshold, growth)
            return None if within is None else Forecast(level, threshold, within)
    return None


def boundaries(thresholds: Thresholds) -> Sequence[tuple[Level, int]]:
    """Return from how many counted files on each level begins, mildest first."""
    return (
        (Level.WARNING, thresholds.warning),
        (Level.CRITICAL, thresholds.critical),
        (Level.TRIGGER, thresholds.trigger),
        (Level.EMERGENCY, thresholds.emergency),
        (Level.DANGER, thresholds.danger + 1),
    )


def _between_cleanups(history: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Yield the stretches of a history in which nobody cleaned."""
    first = 0
    for index, (before, after) in enumerate(pairwise(history), start=1):
        if before.counted - after.counted >= CLEANUP_DROP:
            yield history[first:index]
            first = index
    if history:
        yield history[first:]


def _thinned(stretches: Sequence[Sequence[Sample]]) -> list[Sequence[Sample]]:
    total = sum(map(len, stretches))
    if total <= _MOST_SAMPLES:
        return list(stretches)
    return [_evenly(stretch, max(2, len(stretch) * _MOST_SAMPLES // total)) for stretch in stretches]


def _evenly(stretch: Sequence[Sample], wanted: int) -> Sequence[Sample]:
    """Return that many samples of a stretch or fewer, evenly spread in time, the first and the last among them."""
    first, last = stretch[0].at, stretch[-1].at
    if len(stretch) <= wanted or first == last:
        return stretch[:wanted]
    step = (last - first) / (wanted - 1)
    chosen = [stretch[0]]
    for sample in stretch[1:-1]:
        if sample.at - first >= step * len(chosen):
            chosen.append(sample)
    return [*chosen[: wanted - 1], stretch[-1]]


def _weighted_median(values: list[tuple[float, timedelta]]) -> float:
    """Given values with their weights, return the smallest one that has half the weight at or below it."""
    whole = sum((weight for _, weight in values), timedelta())
    reached = timedelta()
    for value, weight in sorted(values):
        reached += weight
        if 2 * reached >= whole:
            return value
    return 0.0


def _spoken(length: timedelta) -> str:
    hours = round(length / timedelta(hours=1))
    if hours < 1:
        return "under an hour"
    if hours < 48:
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{round(length / _DAY)} days"
