"""Who holds a lock, by the kernel's word: what a lock file says is the word of whoever owns the folder."""

import os
from collections.abc import Iterable
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


def held_folders(root: Root, companies: Iterable[Company]) -> "dict[str, Holder]":
    """Return by company who holds its lock at this moment. Takes none itself; what cannot be seen is held by nobody."""
    devices = {os.fstat(base.fd).st_dev for base in root.bases if base.fd >= 0}
    locks = {place: pid for place, pid in _locks().items() if place[0] in devices}
    if not locks:
        return {}
    found = {}
    for company in companies:
        with suppress(OSError), root.seen_from(company) as (around, entry):
            for name in (entry, f"{entry}/{LOCK_NAME}"):
                with suppress(OSError):
                    seen = os.lstat(name, dir_fd=around)
                    if (pid := locks.get((seen.st_dev, seen.st_ino))) is not None:
                        found[company.id] = _process(pid)
                        break
    return found


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
