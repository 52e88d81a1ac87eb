"""Whether the clock of the host and the times of a folder's files can belong together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from baileys_tools.units import EPOCH

FUTURE_LIMIT = timedelta(days=1)
"""A file further ahead than this cannot be: the clock is behind."""

PAST_LIMIT = timedelta(days=365)
"""A folder whose newest file is older than this cannot be alive (an idle session dies after about 30 days):
either the clock is ahead, or there is nothing left to keep tidy."""

FEWEST_FOR_A_GAP = 10
"""Files that it takes to speak of most of them."""


def clock_is_implausible(written: Sequence[int], now_ns: int) -> bool:
    """Given when the files of a folder that the bot writes again and again were written (`rewritten`), and the time,
    return whether they cannot belong together.

    True when the newest is over a day in the future or over a year old, or when most of them lie beyond a gap of over
    a year in which it wrote nothing.
    """
    if not written:
        return False
    long_ago = in_nanoseconds(PAST_LIMIT)
    if not -in_nanoseconds(FUTURE_LIMIT) <= now_ns - max(written) <= long_ago:
        return True
    return now_ns - min(written) > long_ago and _most_lie_beyond_a_gap(written, long_ago)


def _most_lie_beyond_a_gap(written: Sequence[int], gap_ns: int) -> bool:
    """Whether the clock has leapt ahead and the bot writes on: it does so by the same clock.

    No session outlives a year of silence, so a folder cannot have come by such a gap in a life of its own.
    """
    if len(written) < FEWEST_FOR_A_GAP:
        return False
    written = sorted(written)
    beyond = [i for i in range(1, len(written)) if written[i] - written[i - 1] > gap_ns]
    return bool(beyond) and beyond[-1] * 2 > len(written)


def has_waited(started: datetime, now: datetime, kept_for: timedelta, *, is_alive: bool) -> bool:
    """Given when a session was set aside, return whether it has waited for `kept_for`. One from the future has not.

    It stays in any case until a session `is_alive` in its place: WhatsApp refuses new devices for hours at times, and
    what was set aside is all that there is until a pairing has succeeded. A folder that is empty, or not paired anew
    yet, has no files either that would tell of a clock that leapt ahead.
    """
    return is_alive and now - started > kept_for


def nanoseconds(moment: datetime) -> int:
    """Given an aware time, return it as nanoseconds since 1970, as files have it, without losing any."""
    return in_nanoseconds(moment - EPOCH)


def in_nanoseconds(length: timedelta) -> int:
    return (length.days * 86_400 + length.seconds) * 1_000_000_000 + length.microseconds * 1_000
