"""Locks that somebody holds for longer than any work on a session folder takes."""

from datetime import timedelta
from typing import Any, NamedTuple

from baileys_tools.findings import Finding, Severity
from baileys_tools.pasted import command
from baileys_tools.units import format_age, format_duration, printable


class Holder(NamedTuple):
    """Who holds a lock, as the kernel tells it. `pid` is 0 where it does not: another container, a network mount.

    `started` is when the process was started (seconds since 1970, 0 where it is not known) and `ticks` the same as
    the kernel counts it, which tells a process from a later one of the same number.
    """

    pid: int = 0
    ticks: int = 0
    started: float = 0
    user: str = ""
    command: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "another process, which this host does not show"
        known = f" of {self.user}" if self.user else ""
        known += f" ({self.command})" if self.command else ""
        return f"process {self.pid}{known}"


class Sight(NamedTuple):
    """When a holder was first seen at a company's lock (seconds since 1970)."""

    pid: int
    ticks: int
    first: float


def sight_of(holder: Holder, before: Any, now: float) -> Sight:
    """Given who holds a lock and what was remembered of it, return since when that one is known to hold it."""
    try:
        seen = Sight(*before)
        same = (seen.pid, seen.ticks) == (holder.pid, holder.ticks) and now - seen.first >= 0
    except TypeError:
        same = False
    return seen if same else Sight(holder.pid, holder.ticks, now)


def lock_finding(
    company: str, holder: Holder, sight: Sight, patience: timedelta, now: float
) -> Finding | None:
    """Return the finding about a lock that was held for longer than `patience`, None while it is not.

    How long is known from the first sight of the holder; one who was started before may have held it ever since, so
    that the age of the process counts as well.
    """
    held = timedelta(seconds=max(now - sight.first, now - holder.started if holder.started else 0))
    if held < patience:
        return None
    look = (
        f"See what it does: ps -fp {holder.pid}"
        if holder.pid
        else "Look in the containers that mount the folder"
    )
    return Finding(
        "lock-held",
        Severity.WARNING,
        company,
        f"its lock is held by {printable(str(holder))}, for {format_age(held)} by now, longer than "
        f"locks.patience ({format_duration(patience)}): no cleanup and no backup gets at company {printable(company)}",
        f"{look}; end it if that is no work on the session. Whoever may read the folder can lock it: make it the bot's "
        f"alone (chmod 700), then {command('baileys-tools cleanup --company {} --dry-run', company)}",
        {"pid": holder.pid, "held_seconds": int(held.total_seconds())},
    )
