"""Renames that Python does not offer: swap two names, never replace, move only what is open.

The first two are one step for the kernel (`renameat2`, Linux 3.15). Some file systems have neither; then OSError is
raised with EINVAL, and the caller has another way.
"""

from __future__ import annotations

import ctypes
import errno
import os

_NOREPLACE = 1
CANNOT_SWAP = "is a mount point, or stands in the image of a container (overlay), so it cannot be swapped"
"""What EBUSY and EXDEV of `swap` mean: overlayfs moves no folder of a lower layer."""

_EXCHANGE = 2

_NOT_OFFERED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""What the kernel says where a file system has no such rename."""


def swap(name: str, other: str, spare: str, folder: int) -> bool:
    """Have two entries of a folder change places, for good; return whether in one step: nobody ever sees either name
    missing. Raises OSError.

    Where that is not offered, `name` waits as `spare` in between; if the second step fails it goes back. A mount point
    cannot change places: EBUSY or EXDEV.
    """
    try:
        _renameat2(name, folder, other, folder, _EXCHANGE)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    else:
        os.fsync(folder)
        return True
    os.rename(name, spare, src_dir_fd=folder, dst_dir_fd=folder)
    try:
        os.rename(other, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.rename(spare, name, src_dir_fd=folder, dst_dir_fd=folder)
        raise
    os.rename(spare, other, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return False


def rename_new(name: str, source: int, new_name: str, target: int) -> None:
    """Move a file to a name that nobody has. Raises FileExistsError where somebody has it, or OSError."""
    try:
        _renameat2(name, source, new_name, target, _NOREPLACE)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
        # A hard link replaces nothing either, only takes two steps.
        os.link(name, new_name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        os.unlink(name, dir_fd=source)


def move_folder(name: str, source: int, new_name: str, target: int, folder: int) -> None:
    """Move the folder that is open as `folder`, and no other that somebody has given its name meanwhile.

    Raises OSError; then nothing was moved, or what had been is where it was.
    """
    os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
    if not os.path.samestat(os.stat(new_name, dir_fd=target, follow_symlinks=False), os.fstat(folder)):
        os.rename(new_name, name, src_dir_fd=target, dst_dir_fd=source)
        raise OSError(errno.EAGAIN, "was changed for another folder while it was moved", name)


def _renameat2(name: str, source: int, new_name: str, target: int, flag: int) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(source, os.fsencode(name), target, os.fsencode(new_name), flag) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name, None, new_name)
