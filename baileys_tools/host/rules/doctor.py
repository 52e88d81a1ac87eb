"""What `doctor` makes of the facts it finds: one line each, ok or what to do."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from baileys_tools.errors import ExitCode

OLDEST_PLAUSIBLE = datetime(2025, 1, 1, tzinfo=UTC)
"""No release of this tool is older than that; a clock before it is wrong."""

LEAST_FREE = 0.05
"""Of the disk, or of its inodes."""


class CheckOutcome(StrEnum):
    """How a check went, best first."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, nothing to do."""
    WARNING = "warning"
    CRITICAL = "critical"
    """The jobs cannot work like this."""


class Check(NamedTuple):
    """One line of the doctor: what was looked at, how it is, and what to do ("" when nothing)."""

    name: str
    outcome: CheckOutcome
    message: str
    action: str = ""


def ok(name: str, message: str) -> Check:
    """Return a check that went well."""
    return Check(name, CheckOutcome.OK, message)


def note(name: str, message: str, action: str = "") -> Check:
    """Return a check that found something worth knowing."""
    return Check(name, CheckOutcome.NOTE, message, action)


def warning(name: str, message: str, action: str) -> Check:
    """Return a check that found something to mend."""
    return Check(name, CheckOutcome.WARNING, message, action)


def critical(name: str, message: str, action: str) -> Check:
    """Return a check that found something that keeps the jobs from their work."""
    return Check(name, CheckOutcome.CRITICAL, message, action)


def exit_code_of(checks: Iterable[Check]) -> ExitCode:
    """Return CRITICAL, WARNING or DONE: the worst of the checks."""
    outcomes = {check.outcome for check in checks}
    if CheckOutcome.CRITICAL in outcomes:
        return ExitCode.CRITICAL
    return ExitCode.WARNING if CheckOutcome.WARNING in outcomes else ExitCode.DONE


def clock_check(now: datetime, newest: datetime | None, synchronised: bool | None) -> Check:
    """Given the clock, the newest file's time and whether the kernel calls the clock synchronised (None: unknown)."""
    if now < OLDEST_PLAUSIBLE:
        return critical(
            "clock",
            f"the clock says {now:%Y-%m-%d}, before this tool existed",
            "Set it: timedatectl set-ntp true",
        )
    if newest is not None and newest - now > timedelta(days=1):
        return critical(
            "clock",
            f"the newest session file is from {newest:%Y-%m-%d %H:%M} UTC, ahead of the clock ({now:%Y-%m-%d %H:%M})",
            "Until that is past, nothing is removed by age. Check the clock: timedatectl",
        )
    if synchronised is False:
        return note(
            "clock", f"{now:%Y-%m-%d %H:%M} UTC, plausible, but not synchronised", "timedatectl set-ntp true"
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M} UTC" + (", synchronised" if synchronised else ", plausible"))


def room_check(name: str, free: int, total: int, free_inodes: int, inodes: int) -> Check:
    """Given bytes and inodes of a file system (0 inodes: it does not count them), return whether there is room."""
    share = free / total if total else 1.0
    inode_share = free_inodes / inodes if inodes else 1.0
    shown = f"{share:.0%} of the disk" + (f" and {inode_share:.0%} of the inodes" if inodes else "") + " free"
    if share < 0.01 or inode_share < 0.01:
        return critical(
            name, shown, "A full disk tears creds.json at the next write. Make room now: df -h; df -i"
        )
    if min(share, inode_share) < LEAST_FREE:
        return warning(name, shown, "Make room before it is full: df -h; df -i")
    return ok(name, shown)


_SHORT_LIVED = {
    "tmpfs": "in memory (tmpfs): all logins are gone with the next start of the host",
    "ramfs": "in memory (ramfs): all logins are gone with the next start of the host",
    "overlay": "on the file system of a container (overlay): all logins are gone with the container",
}


def lifetime_check(path: str, file_system: str) -> Iterator[Check]:
    """Given the sessions path and the kind of its file system, yield what is to be said where that does not last."""
    if what := _SHORT_LIVED.get(file_system):
        yield note("lifetime", f"{path} stands {what}", "Give it a volume, or a folder on a disk.")


_DELETES = re.compile(
    r"(?:^|[\s;&|(`'\"/])(?:rm|unlink|shred|trash|tmpwatch|tmpreaper)\s|\s-delete\b|-exec\s+(?:\S*/)?rm\b|--remove-source-files"
)
_OLDER_SCRIPT = re.compile(
    r"\b(?:node|nodejs|npm|npx|bun|deno|ts-node|tsx)\b.*"
    r"(?:clean[-_]?up|clean[-_]?sessions?|session[-_]?(?:clean|monitor|manager|recovery|backup)|auto[-_]?trigger|monitor[-_]?once)",
    re.IGNORECASE,
)


def other_deleters(commands: Iterable[str], paths: Sequence[str]) -> list[str]:
    """Given commands of crontabs, return those that may delete session files too: other tools, older scripts.

    Only what names one of the sessions paths (or its end) and a deleting command, or a script of the JavaScript tools
    by its usual names. A doubt is reported: it costs a look, and two cleaners cost sessions.
    """
    named = [part for path in paths for part in (path, "/".join(path.rstrip("/").split("/")[-2:]))]
    found = []
    for command in commands:
        if "baileys-tools" in command or "baileys_tools" in command:
            continue
        names_it = "company_" in command or any(part in command for part in named)
        if (names_it and _DELETES.search(command)) or _OLDER_SCRIPT.search(command):
            found.append(command)
    return found


def versions_check(version: tuple[int, int, int], executable: str) -> Check:
    """Given Python's version, return whether it is one that this tool is tested with."""
    shown = f"Python {'.'.join(map(str, version))} ({executable})"
    if version < (3, 11):
        return critical("python", shown, "Python 3.11 or newer is needed.")
    return ok("python", shown)


def summary(checks: Sequence[Check]) -> str:
    worst = [check for check in checks if check.outcome in (CheckOutcome.WARNING, CheckOutcome.CRITICAL)]
    if not worst:
        return "this host can do the job"
    return f"{len(worst)} of {len(checks)} checks need a look"
