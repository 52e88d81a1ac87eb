"""A folder for copies on a disk of this host: below it everything is reached by handle, and no link is followed.

It has the calls of an fsspec file system that copies need. Whoever owns the folder may put a link in the place of a
company's, to have files removed or read where it leads; and whoever owns the one that it is in, a link in its own.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from baileys_tools.owner import as_owner_of
from baileys_tools.sessions.names import FOLDER_FLAGS
from baileys_tools.snapshots.private_folders import make_private_folders, nearest_folder
from baileys_tools.trust import open_named

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalDisk:
    """The folder `top`, which the operator names, and the folders in it, each with its files."""

    def __init__(self, top: str) -> None:
        self._top = top

    def exists(self, path: str) -> bool:
        """Whether there is something at a path."""
        return os.path.exists(path)

    def invalidate_cache(self) -> None:
        """There is none."""

    def ls(self, path: str, *, detail: bool) -> list[dict[str, Any]]:
        """Return `name` and `size` of the folders and the plain files in a folder. Raises OSError."""
        found = []
        with self._opened(path) as folder:
            for name in os.listdir(folder):
                with suppress(FileNotFoundError):
                    seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    if stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode):
                        found.append({"name": f"{path}/{name}", "size": seen.st_size})
        return found

    def open(self, path: str, mode: str) -> IO[bytes]:
        """Open a plain file to read (`rb`), or a new one of the folder's owner, 0600, to write. Raises OSError."""
        folder_path, name = os.path.split(path)
        with self._opened(folder_path) as folder:
            if mode == "wb":
                with as_owner_of(folder):
                    return open(os.open(name, _WRITE, 0o600, dir_fd=folder), "wb")
            fd = os.open(name, _READ, dir_fd=folder)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise FileNotFoundError(errno.ENOENT, "is not a plain file", path)
            return open(fd, "rb")

    def rm_file(self, path: str) -> None:
        """Remove a file. Raises OSError."""
        folder_path, name = os.path.split(path)
        with self._opened(folder_path) as folder:
            os.unlink(name, dir_fd=folder)

    def mv(self, old: str, new: str) -> None:
        """Give a file another name in its folder, on disk when it returns. Raises OSError."""
        folder_path, name = os.path.split(old)
        with self._opened(folder_path) as folder:
            os.replace(name, os.path.basename(new), src_dir_fd=folder, dst_dir_fd=folder)
            _sync(folder)

    def make_folder(self, path: str) -> None:
        """Make a folder in `top`, and what is missing above it, each 0700 and on disk. Raises OSError."""
        self._make_top()
        top, _ = open_named(self._top)
        try:
            with suppress(FileExistsError):
                with as_owner_of(top):
                    os.mkdir(os.path.basename(path), 0o700, dir_fd=top)
                _sync(top)
        finally:
            os.close(top)

    def _make_top(self) -> None:
        folder, above = self._top, nearest_folder(self._top)
        make_private_folders(folder)
        while folder != above:
            folder = os.path.dirname(folder)
            fd, _ = open_named(folder)
            try:
                _sync(fd)
            finally:
                os.close(fd)

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        fd, _ = open_named(self._top)
        try:
            if path != self._top:
                top, fd = fd, -1
                try:
                    fd = os.open(os.path.basename(path), FOLDER_FLAGS, dir_fd=top)
                except NotADirectoryError:
                    raise NotADirectoryError(
                        errno.ENOTDIR, "is not a folder, or is a link, which is not followed", path
                    ) from None
                finally:
                    os.close(top)
            yield fd
        finally:
            if fd >= 0:
                os.close(fd)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network file systems cannot, and hold a name as soon as it is there.
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
