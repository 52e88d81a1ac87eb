"""One pass at a time over the same sessions: where cron starts one every minute, slow ones must not pile up."""

import fcntl
import os
import time
from binascii import crc32
from collections.abc import Iterator
from contextlib import contextmanager

from baileys_tools.place import in_place_of

NAME = "passes.lock"
_STEP = 0.1
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def taking_turns(folder: str, about: str, patience: float) -> Iterator[bool]:
    """Given the state folder and what a pass is about, yield whether it may begin, after `patience` seconds at most.

    Passes about other things do not wait for each other: each locks a byte of its own. Where nothing can be locked
    (a state that cannot be written, say), every pass may begin. The kernel frees the lock of a process that dies.
    """
    try:
        with in_place_of(folder):
            fd = os.open(os.path.join(folder, NAME), _FLAGS, 0o600)
    except OSError:
        yield True
        return
    try:
        yield _lock(fd, crc32(os.fsencode(about)), time.monotonic() + patience)
    finally:
        os.close(fd)


def _lock(fd: int, byte: int, until: float) -> bool:
    while True:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):  # EACCES is the other name of "somebody else has it"
            if time.monotonic() >= until:
                return False
            time.sleep(_STEP)
        except OSError:
            return True
        else:
            return True
