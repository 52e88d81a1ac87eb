"""What an entry of a session folder is: a plain file of one name, or something that is left alone."""

from __future__ import annotations

import errno
import os
from operator import itemgetter
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
    look = os.lstat
    try:
        seen = [look(name, dir_fd=folder) for name in names]
    except OSError:
        troubles = _find_troubles(folder, names)
        return troubles | look_at(folder, device, [name for name in names if name not in troubles], stats)
    stats.update(zip(names, seen, strict=True))
    # All at once, as most folders have one sort: a look at each would be felt, times 100,000.
    if all(_is_plain(one, device) for one in set(map(_SORT, seen))):
        return {}
    odd = {
        name: entry_oddity(one, device)
        for name, one in zip(names, seen, strict=True)
        if not _is_plain(_SORT(one), device)
    }
    for name in odd:
        del stats[name]
    return odd


_SORT = itemgetter(0, 2, 3)
"""Of a stat result its mode, device and number of links."""


def _is_plain(sort: tuple[int, int, int], device: int) -> bool:
    mode, where, links = sort
    return links == 1 and where == device and S_ISREG(mode)


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


# --- creds.json that is a symbolic link ---------------------------------------------------------------------
#
# Some hosts mean it so: a volume for the one file that must not be lost, a secret of Kubernetes. Whoever owns a folder
# can also link to what is none of his, so only a plain file of the folder's own owner is read, and none is written.


def is_link(folder: int, name: str) -> bool:
    """Given a folder's handle, return whether this entry is a symbolic link."""
    try:
        return S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def leads_to_a_file(folder: int, name: str) -> bool:
    """Given a folder's handle and a symbolic link in it, return whether a file stands at its end."""
    try:
        return S_ISREG(os.stat(name, dir_fd=folder).st_mode)
    except OSError:
        return False


_TO_NO_FILE = "a symbolic link that leads to no file"


def open_linked(folder: int, name: str) -> int:
    """Given a folder's handle and a symbolic link in it, return a handle to read the file that it leads to.

    The folder, the link and the file have one owner, and the file is a plain one of a single name. Nothing else is
    opened, not even for a moment. Raises OSError: FileNotFoundError where the link leads nowhere, as the bot would get;
    EINVAL where it leads in a circle, or to a folder or a device, with which a bot makes a new login (asked of both
    versions), and cannot save it; ELOOP where it leads to a file of which the bot may know more.
    """
    owner = os.fstat(folder).st_uid
    try:
        place = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.EINVAL, _TO_NO_FILE, name) from None
        raise
    try:
        seen = os.fstat(place)
        if not S_ISREG(seen.st_mode):
            raise OSError(errno.EINVAL, _TO_NO_FILE, name)
        link = os.stat(name, dir_fd=folder, follow_symlinks=False)
        is_meant = seen.st_nlink == 1 and seen.st_uid == link.st_uid == owner
        if not is_meant:
            raise OSError(errno.ELOOP, "a symbolic link to what is not a plain file of the same owner", name)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(place)
