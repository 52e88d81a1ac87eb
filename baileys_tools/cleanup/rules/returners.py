"""What a cleanup removed and the bot made anew: it is used now and then, so the next time it is given longer.

Names of files hold the numbers of contacts, so what is remembered of one is a digest.
"""

# As hashlib has it, which loads all of OpenSSL beside it: 4 ms of every start.
from _blake2 import blake2b
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from baileys_tools.sessions.rules.clock import nanoseconds
from baileys_tools.sessions.rules.folder import FolderFacts
from baileys_tools.sessions.rules.keyfiles import REMOVED_BY_AGE, key_of, kind_of

FORGOTTEN_AFTER = timedelta(days=120)
"""What has not come back by then is nobody's who writes now and then."""
_SECOND_NS = 1_000_000_000


class Departed(NamedTuple):
    """When a key was removed (seconds since 1970; 0: it stands again), and how often it came back before."""

    at: int
    times: int


def mark(name: str) -> str:
    """Given the name of a key, return what it is remembered by."""
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def came_back(folder: FolderFacts, gone: Mapping[str, Departed]) -> dict[str, int]:
    """Given a folder and what was removed from it, return by name how often a key came back, where it did.

    One that `undo` has put back is as old as it was, and has not come back.
    """
    found = {}
    for kind in REMOVED_BY_AGE if gone else ():
        for name in folder.of(kind):
            if (departed := gone.get(mark(name))) is not None:
                is_new = departed.at and folder.stats[name].st_mtime_ns >= departed.at * _SECOND_NS
                if times := departed.times + bool(is_new):
                    found[name] = times
    return found


def remembered_after(
    gone: Mapping[str, Departed], back: Mapping[str, int], removed: Iterable[str], now: datetime
) -> dict[str, Departed]:
    """Given what is remembered, what came back (by mark) and the files that went, return what to remember."""
    seconds = nanoseconds(now) // _SECOND_NS
    oldest = seconds - int(FORGOTTEN_AFTER.total_seconds())
    kept = {one: departed for one, departed in gone.items() if departed.at > oldest and one not in back}
    kept |= {one: Departed(0, times) for one, times in back.items()}
    for key in dict.fromkeys(map(key_of, removed)):
        if kind_of(key) in REMOVED_BY_AGE:
            kept[mark(key)] = Departed(seconds, back.get(mark(key), 0))
    return kept
