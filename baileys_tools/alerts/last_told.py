"""When something was last told, for runs that can remember nothing else: the time stamp of one small file.

A full disk takes no write to the database, but it still lets the time of a file that is there be changed. Without
this, a finding that cannot be remembered as told would be told anew each minute.
"""

import os
import zlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.place import in_place_of
from baileys_tools.state.database import from_seconds, to_seconds

ALERTS = "alerts.told"
PRINTED = "printed.told"
"""What `monitor-once --quiet` printed, which cron mails."""
TROUBLE = "trouble.told"
"""The same of what it could not do, such as write its metrics."""
_NANOSECONDS = 1_000_000_000


class Due(StrEnum):
    """Whether something is to be told now. Only `NOT` is false."""

    NOT = ""
    ONCE = "once"
    EACH_RUN = "each run"
    """Not even the time of it can be remembered, so every run tells it, and says why."""


def alerts_of(root: str) -> str:
    """Return the file for the alerts about a root: what one is told of is nothing that another was told of."""
    return f"{ALERTS}-{zlib.crc32(os.fsencode(root)):08x}" if root else ALERTS


class Mark(NamedTuple):
    """When it was, and how bad (a severity's rank), which is kept in the nanoseconds."""

    at: datetime
    rank: int


def is_time(folder: str, file: str, rank: int, window: timedelta, now: datetime) -> Due:
    """Whether what is this bad (a severity's rank) is to be told now, at most once in `window`; if so, mark it.

    What is worse than the last time is told at once.
    """
    before = last(folder, file)
    if before is not None and timedelta() <= now - before.at < window and rank <= before.rank:
        return Due.NOT
    return Due.ONCE if mark(folder, file, now, rank) else Due.EACH_RUN


def prepare(folder: str, file: str) -> None:
    """Make the file while there is room. Nothing happens when it cannot be made."""
    path = os.path.join(folder, file)
    try:
        with in_place_of(folder):
            if not os.path.lexists(path):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(path, flags, 0o600))
                os.utime(path, ns=(0, 0), follow_symlinks=False)
    except OSError:
        return


def last(folder: str, file: str) -> Mark | None:
    """Return the mark, None when there is no file."""
    try:
        found = os.stat(os.path.join(folder, file), follow_symlinks=False)
    except OSError:
        return None
    return Mark(from_seconds(found.st_mtime_ns // _NANOSECONDS), found.st_mtime_ns % _NANOSECONDS)


def mark(folder: str, file: str, now: datetime, rank: int) -> bool:
    """Set the mark; return whether that could be done."""
    stamp = to_seconds(now) * _NANOSECONDS + rank
    try:
        with in_place_of(folder):
            os.utime(os.path.join(folder, file), ns=(stamp, stamp), follow_symlinks=False)
    except OSError:
        return False
    return True
