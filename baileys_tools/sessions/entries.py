"""What an entry of a session folder is: a plain file of one name, or something that is left alone."""

from __future__ import annotations

import os
from stat import (
    S_ISBLK,
    S_ISCHR,
    S_ISDIR,
    S_ISFIFO,
    S_ISLNK,
    S_ISREG,
    S_ISSOCK,
)

from baileys_tools.sessions.rules.folder import FileStat

GONE = "gone"
FAILED = "cannot be looked at: "
LINKED = "a file with other hard links"
ELSEWHERE = "a file on another file system"


def look_at(folder: int, device: int, names: list[str], stats: dict[str, FileStat]) -> dict[str, str]:
    """Stat files into `stats`; return those that are no plain file of one name, with what they are.

    The bot may remove a file at any time, so the quick way, all in one go, can fail.
    """
    look = os.stat
    try:
        seen = [look(name, dir_fd=folder, follow_symlinks=False) for name in names]
    except OSError:
        troubles = _find_troubles(folder, names)
        return troubles | look_at(folder, device, [name for name in names if name not in troubles], stats)
    stats.update(zip(names, seen, strict=True))
    # Mode, device and links by index: attributes of a stat result cost twice as much, times 100,000.
    odd = {
        name: entry_oddity(one, device)
        for name, one in zip(names, seen, strict=True)
        if one[3] != 1 or one[2] != device or not S_ISREG(one[0])
    }
    for name in odd:
        del stats[name]
    return odd


def _find_troubles(folder: int, names: list[str]) -> dict[str, str]:
    troubles = {}
    for name in names:
        try:
            os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            troubles[name] = GONE
        except OSError as error:
            troubles[name] = f"{FAILED}{error.strerror}"
    return troubles


def entry_oddity(seen: os.stat_result, device: int) -> str:
    """Given the stat of an entry that is no plain file of one name on `device`, return what it is."""
    kinds = (
        (S_ISLNK, "a symbolic link"),
        (S_ISDIR, "a folder"),
        (S_ISFIFO, "a FIFO"),
        (S_ISSOCK, "a socket"),
        (S_ISBLK, "a block device"),
        (S_ISCHR, "a character device"),
    )
    for test, what in kinds:
        if test(seen.st_mode):
            return what
    return LINKED if seen.st_dev == device else ELSEWHERE
