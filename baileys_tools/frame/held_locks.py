"""What each command that meets a held lock says of it, and remembers for the next one to tell how long it is held."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from baileys_tools.config import Settings
    from baileys_tools.findings import Finding
    from baileys_tools.sessions.rules.held_locks import Holder
    from baileys_tools.state.database import State

MEMORY = "lock"
"""Under this the state keeps, for a company whose lock was held at the last look, since when by whom."""


def lock_of_state(state: State) -> list[tuple[int, int]]:
    """Return the device and the inode of the lock that all who use a state share: it is of no session."""
    from baileys_tools.state.database import LOCK

    with suppress(OSError):
        seen = os.stat(os.path.join(state.folder, LOCK), follow_symlinks=False)
        return [(seen.st_dev, seen.st_ino)]
    return []


def held_too_long(
    state: State, settings: Settings, holders: Mapping[str, Holder], free: Iterable[str], now: datetime
) -> dict[str, Finding]:
    """Given who holds the locks of companies, return by company what has lasted for longer than `locks.patience`.

    `free` are those of which the lock is known to be free now: it is not held since then.
    """
    from baileys_tools.state import memory

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
