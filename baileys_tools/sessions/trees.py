"""Folders with all that is in them, whatever somebody else has put there: no recursion, no link followed, an end."""

import errno
import os
from collections.abc import Iterator
from itertools import count, islice
from stat import S_ISDIR

from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.sessions.scan import open_inside

MOST_ENTRIES = 500_000
"""Entries that one command removes of one tree; a tree of this tool holds a session folder of 120,000 at most."""
DEEPEST = 16
"""Folders in folders that are looked into; those of this tool are four deep."""

_AT_A_TIME = 1_000
_A_FOLDER = 10
"""As how many entries a folder counts: to take it out of its tree and away costs as much as ten files."""


def remove_tree(name: str, parent: int) -> None:
    """Remove a folder of our own with all that is in it, if it is there. Raises OSError as `empty_folder`."""
    try:
        folder = open_inside(name, parent)
    except FileNotFoundError:
        return
    try:
        empty_folder(folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def empty_folder(top: int) -> None:
    """Given the handle of a folder of our own, remove all that is in it, however deep.

    A folder in it is moved up to the first level before it is emptied, so that depth costs neither handles nor
    memory. Follows no link and leaves neither the tree nor its file system; root's own in somebody else's folder stays.
    What is left after `MOST_ENTRIES` is for the next run. Raises OSError.
    """
    device, left = os.fstat(top).st_dev, MOST_ENTRIES
    new_names = map(f".{os.urandom(8).hex()}-{{}}".format, count())
    while entries := _first(top):
        for entry, is_folder in entries:
            if not is_folder:
                os.unlink(entry, dir_fd=top)
            else:
                left -= _remove_folder(entry, top, device, new_names, left)
        left -= len(entries)
        _require(left, entries[0][0])


def _remove_folder(name: str, top: int, device: int, new_names: Iterator[str], left: int) -> int:
    """Remove a folder of the first level, moving those in it there; return how many entries it had."""
    seen = 0
    folder = open_inside(name, top)
    try:
        if os.fstat(folder).st_dev != device:
            raise OSError(errno.EXDEV, "is a mount point within what is to be removed: unmount it", name)
        while entries := _first(folder):
            for entry, is_folder in entries:
                if is_folder:
                    os.rename(entry, next(new_names), src_dir_fd=folder, dst_dir_fd=top)
                else:
                    os.unlink(entry, dir_fd=folder)
            seen += len(entries)
            _require(left - seen - _A_FOLDER, name)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)
    return seen + _A_FOLDER


def _first(folder: int) -> list[tuple[str, bool]]:
    """Return some entries of a folder, each with whether it is a folder itself."""
    with os.scandir(folder) as entries:
        return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, _AT_A_TIME)]


def _require(left: int, name: str) -> None:
    if left < 0:
        raise OSError(
            errno.EFBIG, f"holds more than {MOST_ENTRIES:,} entries: the next run goes on removing them", name
        )


def size_below(name: str, folder: int, deepest: int = DEEPEST) -> int:
    """Return the bytes of the files below one entry of a folder, down to `deepest`; 0 where it is no folder."""
    try:
        fd = os.open(name, FOLDER_FLAGS, dir_fd=folder)
    except OSError:
        return 0
    size = 0
    try:
        for entry in os.listdir(fd):
            try:
                seen = os.stat(entry, dir_fd=fd, follow_symlinks=False)
            except OSError:
                continue
            if not S_ISDIR(seen.st_mode):
                size += seen.st_size
            elif deepest:
                size += size_below(entry, fd, deepest - 1)
    except OSError:
        pass  # not ours to list: what was seen counts
    finally:
        os.close(fd)
    return size
