"""Pre-keys that grow without end, and how fast."""

from typing import NamedTuple

from baileys_tools.sessions.rules.prekeys import (
    GROWN,
    PAIRING_BATCH,
    TOP_UP,
    PreKeyPool,
    bursts_of,
    dense_runs,
)


class Growth(NamedTuple):
    """Pre-keys that grow without end. `per_day` is None where copied files lost their times.

    `low_count`: uploads lie on disk whole, as the server says at every login that it has five or fewer. Otherwise keys
    of retry receipts that nobody answers.
    """

    files: int
    per_day: float | None
    low_count: bool


def growth_of(pool: PreKeyPool, now_ns: int) -> Growth | None:
    """Given the ids on disk, return how they grow without end, None where they do not.

    The rate is that of the last seven days.
    """
    bursts = bursts_of(pool)
    if not bursts:
        ids = dense_runs(frozenset(pool.ids), 2 * PAIRING_BATCH)
        return Growth(len(ids), None, low_count=True) if ids else None
    top_ups = [burst for burst in bursts[1:] if burst.span == len(burst.ids) == TOP_UP]
    asked_again = [burst for burst in bursts if burst.span == 1 and burst.room < TOP_UP]
    low_count = pool.topped_up_by_fives and len(top_ups) * TOP_UP >= len(asked_again)
    ids = frozenset[int]().union(*(burst.ids for burst in (top_ups if low_count else asked_again)))
    lately = [i for i in ids if now_ns - pool.written[i] < _WEEK_NS]
    if len(ids) < GROWN or not lately:
        return None
    days = max(1.0, (now_ns - min(pool.written[i] for i in lately)) / _DAY_NS)
    return Growth(len(ids), len(lately) / days, low_count)


_DAY_NS = 86_400_000_000_000
_WEEK_NS = 7 * _DAY_NS
