"""Keeps whoever owns a database of SQLite from holding root with a pipe.

SQLite opens what stands beside a database by its name, and what a journal names. At a pipe the kernel waits until
somebody opens its other end, a signal has SQLite begin anew, and so nothing but SIGKILL would end the command. The
owner can put a pipe there between any look and the opening, so a second thread opens the other end instead: then SQLite
finds that this is no journal. Which pipe it is, the kernel says of the call that waits (proc_pid_syscall(5)).
"""

from __future__ import annotations

import os
import stat
from _thread import get_native_id
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from baileys_tools.ending import start_aside
from baileys_tools.owner import acting_as

if TYPE_CHECKING:
    import ctypes
    import threading

_PATIENCE = 0.1
"""Seconds. Most that is asked of a database takes less."""
_LONGEST_PATH = 4096
_BESIDE = ("", "-journal", "-wal", "-shm")
"""What is tried in any case: not every kernel says what a call was given."""


def acting_on_database(path: str, uid: int, gid: int) -> AbstractContextManager[None]:
    """As `owner.acting_as`, for what SQLite does with the database at `path`."""
    is_safe = os.geteuid() != 0 or uid == 0
    return acting_as(uid, gid) if is_safe else _with_other_ends_open(path, uid, gid)


@contextmanager
def _with_other_ends_open(path: str, uid: int, gid: int) -> Iterator[None]:
    import ctypes
    import threading

    libc, done = ctypes.CDLL(None), threading.Event()
    with _waiting_call() as opened, acting_as(uid, gid):
        freeing = start_aside(lambda: _open_other_ends(path, opened, done, libc))
        try:
            yield
        finally:
            done.set()
            freeing.join()


@contextmanager
def _waiting_call() -> Iterator[Callable[[], list[str]]]:
    """Yield what says which paths the system call has been given that this thread waits in; none where nobody tells."""
    with ExitStack() as stack:
        handles = []
        with suppress(OSError):
            for name in (f"task/{get_native_id()}/syscall", "mem"):
                handles.append(os.open(f"/proc/self/{name}", os.O_RDONLY | os.O_CLOEXEC))
                stack.callback(os.close, handles[-1])
        yield partial(_paths_given, *handles) if len(handles) == 2 else list


def _paths_given(call: int, memory: int) -> list[str]:
    found = []
    # The number of the call, six arguments and two registers; "running" where it waits for nothing.
    for word in os.pread(call, 256, 0).split()[1:7]:
        with suppress(OSError, OverflowError):
            text = os.pread(memory, _LONGEST_PATH, int(word, 16)).partition(b"\0")[0]
            if text.startswith(b"/"):
                found.append(os.fsdecode(text))
    return found


def _open_other_ends(
    path: str, opened: Callable[[], list[str]], done: threading.Event, libc: ctypes.CDLL
) -> None:
    while not done.wait(_PATIENCE):
        given = []
        with suppress(OSError):
            given = opened()
        for name in (*(path + ending for ending in _BESIDE), *given):
            # Without a reader that waits there is nothing to be opened: ENXIO.
            with suppress(OSError):
                _open_other_end(name, libc)


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
