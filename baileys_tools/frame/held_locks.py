"""What each command that meets a held lock says of it, and remembers for the next one to tell how long it is held."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from baileys_tools.layouts import real_path
from baileys_tools.state import memory
from baileys_tools.state.database import LOCK, State, to_seconds
from baileys_tools.state.scope import root_key

if TYPE_CHECKING:
    from baileys_tools.config import Settings
    from baileys_tools.findings import Finding
    from baileys_tools.sessions.rules.held_locks import Holder

MEMORY = "lock"
"""Under this the state keeps, for a company whose lock was held at the last look, since when by whom."""
LOOKED = "locks-looked"
LOOK_EVERY = timedelta(minutes=15)
"""How often a pass of every minute looks for locks, as long as none is known to be held."""


def lock_of_state(state: State) -> list[tuple[int, int]]:
    """Return the device and the inode of the lock that all who use a state share: it is of no session."""
    with suppress(OSError):
        seen = os.stat(os.path.join(state.folder, LOCK), follow_symlinks=False)
        return [(seen.st_dev, seen.st_ino)]
    return []


def is_time_to_look(state: State, settings: Settings, now: datetime) -> bool:
    """Whether the locks of these sessions were not looked at for a quarter of an hour. A pass over some has no clock.

    The kernel has whoever asks for its locks wait until each processor has passed by (`percpu_down_write` in its
    fs/locks.c): 12 ms, an eighth of a pass over ten folders; and all others who lock a file take the long way then.
    """
    if settings.sessions.companies:
        return False
    last = memory.recall(state, LOOKED, _about(settings))
    return not isinstance(last, int) or not 0 <= to_seconds(now) - last < LOOK_EVERY.total_seconds()


def is_worth_a_look(state: State, settings: Settings, now: datetime) -> bool:
    """Whether a pass of every minute looks for locks now; if it is for the clock's sake, the clock is set."""
    if is_time_to_look(state, settings, now):
        memory.keep(state, LOOKED, to_seconds(now), _about(settings))
        return True
    return bool(settings.sessions.companies) or bool(memory.recall_all(state, MEMORY))


def _about(settings: Settings) -> str:
    # A state that was just opened has no scope yet.
    return root_key(real_path(settings.sessions.where or ""))


def held_too_long(
    state: State, settings: Settings, holders: Mapping[str, Holder], free: Iterable[str], now: datetime
) -> dict[str, Finding]:
    """Given who holds the locks of companies, return by company what has lasted for longer than `locks.patience`.

    `free` are those of which the lock is known to be free now: it is not held since then.
    """
    before = memory.recall_all(state, MEMORY)
    if not holders and not before:
        return {}
    from baileys_tools.sessions.rules.held_locks import lock_finding, sight_of

    seconds = now.timestamp()
    found = {}
    for company, holder in holders.items():
        sight = sight_of(holder, before.get(company), seconds)
        if before.get(company) != list(sight):
            memory.keep(state, MEMORY, list(sight), company)
        if (finding := lock_finding(company, holder, sight, settings.locks.patience, seconds)) is not None:
            found[company] = finding
    for company in free:
        if company in before:
            memory.forget(state, MEMORY, company)
    return found


def told_of_held(
    settings: Settings, holders: Mapping[str, Holder | None], free: Iterable[str], now: datetime
) -> dict[str, Finding]:
    """As `held_too_long`, for a command that has no state open; where nothing is locked it opens none."""
    known = {company: holder for company, holder in holders.items() if holder is not None}
    if not known:
        return {}
    from baileys_tools.frame.companies import open_state_about

    with open_state_about(settings, now) as state:
        return held_too_long(state, settings, known, free, now)


def look_at_process_lock(holder: Holder | None, settings: Settings, now: datetime) -> str:
    """Return what to say of a lock that keeps a whole program out for longer than `locks.patience`, "" of any other."""
    if holder is None or not holder.started:
        return ""
    from baileys_tools.sessions.rules.held_locks import Sight, lock_finding

    seconds = now.timestamp()
    sight = Sight(holder.pid, holder.ticks, seconds)
    is_late = lock_finding("", holder, sight, settings.locks.patience, seconds) is not None
    return f"{holder} has run for longer than locks.patience" if is_late else ""
