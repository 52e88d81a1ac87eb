"""Who holds a lock, by the kernel's word: what a lock file says is the word of whoever owns the folder."""

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from baileys_tools.masking import masked
from baileys_tools.owner import user_name
from baileys_tools.sessions.names import LOCK_NAME
from baileys_tools.sessions.roots import Company, Root
from baileys_tools.units import printable

if TYPE_CHECKING:
    # Whoever watches once a minute pays for every import, and finds nothing held.
    from baileys_tools.sessions.rules.held_locks import Holder

_LONGEST_COMMAND = 60
_Place = tuple[int, int]
"""The device and the inode of a locked file or folder."""


def holder_of(fd: int) -> "Holder":
    """Given an open file or folder that is locked, return who holds it, as far as the kernel tells."""
    seen = os.fstat(fd)
    locks = _locks()
    pid = locks.get((seen.st_dev, seen.st_ino))
    if pid is None:
        # Where a file system has another device number than its files (btrfs), the inode has to do.
        pid = next((pid for (_, inode), pid in locks.items() if inode == seen.st_ino), 0)
    return _process(pid)


def held_folders(
    root: Root, companies: Iterable[Company], but: Collection[_Place] = ()
) -> "dict[str, Holder]":
    """Return by company who holds its lock at this moment. Takes none itself; what cannot be seen is held by nobody.

    `but` are locks that are known to be of no session: where no others are held beside the sessions, none is looked at.
    """
    devices = {os.fstat(base.fd).st_dev for base in root.bases if base.fd >= 0}
    locks = {at: pid for at, pid in _locks().items() if at[0] in devices and at not in but}
    if not locks:
        return {}
    found = {}
    for company in companies:
        if (seen := root.seen_from(company)) is not None:
            pid = _locked_by(*seen, locks)
        else:
            pid = None
            with suppress(OSError), root.around(company) as seen:
                pid = _locked_by(*seen, locks)
        if pid is not None:
            found[company.id] = _process(pid)
    return found


def _locked_by(around: int, entry: str, locks: Mapping[_Place, int]) -> int | None:
    """Return which process holds the lock of a session folder, None where nobody is seen to."""
    for name in (entry, f"{entry}/{LOCK_NAME}"):
        try:
            seen = os.lstat(name, dir_fd=around)
        except OSError:
            continue
        if (pid := locks.get((seen.st_dev, seen.st_ino))) is not None:
            return pid
    return None


def _locks() -> dict[_Place, int]:
    """Return the locks that are held on this host, with the process that took each; nothing where none are shown."""
    found = {}
    with suppress(OSError, ValueError), open("/proc/locks", encoding="ascii") as listing:
        for line in listing:
            # proc_locks(5): "1: FLOCK ADVISORY WRITE 4242 fd:01:131 0 EOF"; a "->" is one that waits.
            words = line.split()
            if len(words) < 6 or words[1] not in ("FLOCK", "OFDLCK"):
                continue
            major, minor, inode = words[5].split(":")
            found[os.makedev(int(major, 16), int(minor, 16)), int(inode)] = max(0, int(words[4]))
    return found


def _process(pid: int) -> "Holder":
    from baileys_tools.sessions.rules.held_locks import Holder

    if not pid:
        return Holder()
    ticks, started, user, command = 0, 0.0, "", ""
    with suppress(OSError, ValueError, IndexError, StopIteration):
        user = user_name(os.stat(f"/proc/{pid}").st_uid)
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # The name in parentheses may hold any character; the start is field 22 (proc(5)).
            ticks = int(file.read(4096).rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="ascii") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
        started = booted + ticks / os.sysconf("SC_CLK_TCK")
    with suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).split(b"\0")[:2]
        # The program and what it runs; what else stands there may be secret.
        command = masked(printable(" ".join(map(os.fsdecode, words)).strip()))[:_LONGEST_COMMAND]
    return Holder(pid, ticks, started, user, command)
