"""A `creds.json` that is a symbolic link: read where it stays with its owner, and never written through.

Some hosts mean it so: a volume for the one file that must not be lost, a secret of Kubernetes. Whoever owns a folder
can also link to what is none of his, so only a plain file of the folder's own owner is read.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISLNK, S_ISREG


def is_link(folder: int, name: str) -> bool:
    """Given a folder's handle, return whether this entry is a symbolic link."""
    try:
        return S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def open_linked(folder: int, name: str) -> int:
    """Given a folder's handle and a symbolic link in it, return a handle to read the file that it leads to.

    The folder, the link and the file have one owner, and the file is a plain one of a single name. Nothing else is
    opened, not even for a moment. Raises OSError: FileNotFoundError where the link leads nowhere, as the bot would get.
    """
    owner = os.fstat(folder).st_uid
    place = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
    try:
        seen = os.fstat(place)
        link = os.stat(name, dir_fd=folder, follow_symlinks=False)
        is_meant = S_ISREG(seen.st_mode) and seen.st_nlink == 1 and seen.st_uid == link.st_uid == owner
        if not is_meant:
            raise OSError(errno.ELOOP, "a symbolic link to what is not a plain file of the same owner", name)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(place)
