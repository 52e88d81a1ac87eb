"""Keeps whoever owns a database of SQLite from holding root with a pipe.

SQLite opens what stands beside a database by its name. At a pipe the kernel waits until somebody opens its other end, a
signal has SQLite begin anew, and so nothing but SIGKILL would end the command. The owner can put a pipe there between
any look and the opening, so a second thread opens the other end instead: then SQLite finds that this is no journal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from baileys_tools.ending import start_aside
from baileys_tools.owner import acting_as

if TYPE_CHECKING:
    import ctypes
    import threading

_PATIENCE = 0.1
"""Seconds. Most that is asked of a database takes less."""
_BESIDE = ("", "-journal", "-wal", "-shm")


@contextmanager
def acting_on_database(path: str, uid: int, gid: int) -> Iterator[None]:
    """As `owner.acting_as`, for what SQLite does with the database at `path`."""
    if os.geteuid() != 0 or uid == 0:
        with acting_as(uid, gid):
            yield
        return
    import ctypes
    import threading

    libc, done = ctypes.CDLL(None), threading.Event()
    with acting_as(uid, gid):
        freeing = start_aside(lambda: _open_other_ends(path, done, libc))
        try:
            yield
        finally:
            done.set()
            freeing.join()


def _open_other_ends(path: str, done: threading.Event, libc: ctypes.CDLL) -> None:
    while not done.wait(_PATIENCE):
        for ending in _BESIDE:
            # Without a reader that waits there is nothing to be opened: ENXIO.
            with suppress(OSError):
                _open_other_end(path + ending, libc)


def _open_other_end(name: str, libc: ctypes.CDLL) -> None:
    """Open a pipe to write, though its owner may not: by the handle of what they can reach, and as root.

    The user that setfsuid(2) names is this thread's alone; seteuid(2) would be the whole process's.
    """
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_ISFIFO(os.fstat(handle).st_mode):
            owner = libc.setfsuid(0)
            try:
                os.close(os.open(f"/proc/self/fd/{handle}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            finally:
                libc.setfsuid(owner)
    finally:
        os.close(handle)
